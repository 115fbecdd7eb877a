"""The BMP kinds of 1, 4 and 8 bits a pixel, whose pixels are places in a palette.

Microsoft, "Bitmap Storage" and "Bitmap Compression". By our own code: Pillow takes a palette of
black and white for one bit a pixel, whatever the header says, and refuses a picture by runs that
ends before its last row, which the format allows.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import BrokenPicture

_FILE_HEADER, _CORE = 14, 12
_RAW, _RLE8, _RLE4 = 0, 1, 2
# Codes of pictures by runs; 1 ends the picture, and larger ones are numbers of pixels.
_ROW_END, _LEAP = 0, 2
_UPPER, _LOWER = bytes(n >> 4 for n in range(256)), bytes(n & 15 for n in range(256))
_MISSING = "truncated BMP: the end of the picture is missing"
_OTHER_ROWS = "corrupt BMP: its rows are not those of its size"
_BITS = (1, 4, 8)
_Indices = npt.NDArray[np.uint8]
ENDS_EARLY = "the BMP ends its picture early: the rest has the first colour of its palette"


@dataclass(frozen=True, slots=True)
class Indexed:
    """``table``: the palette, ``(1 << bits, 3)`` uint8 RGB, black where the file has no entry.

    ``start``: where the pixels lie. ``top_down``: the first row in the file is the upper one.
    """

    bits: int
    compression: int
    table: npt.NDArray[np.uint8]
    start: int
    top_down: bool

    @property
    def is_grey(self) -> bool:
        """Whether no colour of the palette is one."""
        return bool(np.all(self.table == self.table[:, :1]))


def of(data: bytes) -> Indexed | None:
    """What the headers say; None of a file without a palette. struct.error where they are cut."""
    (size,) = struct.unpack_from("<I", data, _FILE_HEADER)
    if size == _CORE:
        _, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression, colours, entry = _RAW, 0, 3
    else:
        _, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
        (colours,) = struct.unpack_from("<I", data, 46)
        entry = 4
    if bits not in _BITS:
        return None
    colours = colours or 1 << bits
    palette_at = _FILE_HEADER + size
    (start,) = struct.unpack_from("<I", data, 10)
    if start <= palette_at:
        # Some writers forget the palette, or all of it.
        start = palette_at + colours * entry
    # What lies between may be too little for all colours, which OS/2 does not count.
    stored = data[palette_at : min(start, palette_at + min(colours, 1 << bits) * entry)]
    stored = stored[: len(stored) // entry * entry]
    table = np.zeros((1 << bits, 3), np.uint8)
    found = np.frombuffer(stored, np.uint8).reshape(-1, entry)
    table[: len(found)] = found[:, 2::-1]
    return Indexed(bits, compression, table, start, height < 0)


def decode(
    data: bytes, found: Indexed, width: int, height: int, notes: list[str]
) -> npt.NDArray[np.uint8]:
    """``(H, W)`` where all of the palette is grey, else ``(H, W, 3)``; BrokenPicture if cut."""
    if found.compression == _RAW:
        indices = _plain(data, found, width, height)
    elif (found.compression, found.bits) in ((_RLE8, 8), (_RLE4, 4)):
        indices = _runs(data, found, width, height, notes)
    else:
        raise BrokenPicture(f"corrupt BMP: compression {found.compression} of {found.bits} bits")
    if not found.top_down:
        indices = indices[::-1]
    return np.asarray(found.table[:, 0][indices] if found.is_grey else found.table[indices])


def _plain(data: bytes, found: Indexed, width: int, height: int) -> _Indices:
    """Each row in whole units of four bytes; what fills up the last may be missing."""
    stride, needed = (width * found.bits + 31) // 32 * 4, (width * found.bits + 7) // 8
    stored = data[found.start : found.start + stride * height]
    if len(stored) < stride * (height - 1) + needed:
        raise BrokenPicture(_MISSING)
    rows = np.frombuffer(stored.ljust(stride * height, b"\0"), np.uint8).reshape(height, stride)
    if found.bits == 8:
        return rows[:, :width]
    if found.bits == 1:
        return np.unpackbits(rows, axis=1)[:, :width]
    return np.stack((rows >> 4, rows & 15), axis=-1).reshape(height, -1)[:, :width]


def _runs(data: bytes, found: Indexed, width: int, height: int, notes: list[str]) -> _Indices:
    """Pairs of bytes: how many pixels and of which index or two, or 0 and one of four codes.

    Rows may be filled up to units of four bytes, as they are without runs; BrokenPicture where one
    goes on behind that.
    """
    out, last = bytearray(width * height), height - 1
    row_end = (width * found.bits + 31) // 32 * 32 // found.bits
    is_byte = found.bits == 8
    units = [bytes((value,) if is_byte else (value >> 4, value & 15)) for value in range(256)]
    at, x, y, drawn, spilled = found.start, 0, 0, False, False
    while y < last or (y == last and x < width):
        if at + 2 > len(data):
            raise BrokenPicture(_MISSING)
        count, value = data[at], data[at + 1]
        at += 2
        if count:
            stored = units[value] * count
        elif value > _LEAP:
            count, size = value, value if is_byte else (value + 1) // 2
            stored = data[at : at + size]
            if len(stored) < size:
                raise BrokenPicture(_MISSING)
            at += size + size % 2
            stored = stored if is_byte else _halves(stored)
        elif value == _ROW_END:
            x, y = 0, y + 1
            continue
        elif value == _LEAP:
            if at + 2 > len(data):
                raise BrokenPicture(_MISSING)
            x, y = x + data[at], y + data[at + 1]
            at += 2
            continue
        else:
            if spilled or not drawn:
                raise BrokenPicture(_OTHER_ROWS)
            notes.append(ENDS_EARLY)
            break
        if x >= row_end:
            raise BrokenPicture(_OTHER_ROWS)
        # A row takes no more than it has room for.
        room = min(count, max(0, width - x))
        start = y * width + x
        out[start : start + room] = stored[:room]
        x, drawn, spilled = x + count, True, spilled or not room
    return np.frombuffer(out, np.uint8).reshape(height, width)


def _halves(stored: bytes) -> bytes:
    """The upper and the lower half of each byte."""
    out = bytearray(2 * len(stored))
    out[::2], out[1::2] = stored.translate(_UPPER), stored.translate(_LOWER)
    return bytes(out)
