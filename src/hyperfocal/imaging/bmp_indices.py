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
    stored = data[palette_at : palette_at + min(colours, 1 << bits) * entry]
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
        raise BrokenPicture("truncated BMP: the end of the picture is missing")
    rows = np.frombuffer(stored.ljust(stride * height, b"\0"), np.uint8).reshape(height, stride)
    if found.bits == 8:
        return rows[:, :width]
    if found.bits == 1:
        return np.unpackbits(rows, axis=1)[:, :width]
    return np.stack((rows >> 4, rows & 15), axis=-1).reshape(height, -1)[:, :width]


def _runs(data: bytes, found: Indexed, width: int, height: int, notes: list[str]) -> _Indices:
    """Pairs of bytes: how many pixels and of which index, or 0 and one of four codes."""
    out = np.zeros((height, width), np.uint8)
    at, x, y, drawn, spilled = found.start, 0, 0, False, False
    while y < height and not (y == height - 1 and x >= width):
        if at + 2 > len(data):
            raise BrokenPicture("truncated BMP: the end of the picture is missing")
        count, value = data[at], data[at + 1]
        at += 2
        if count == 0 and value == 0:
            x, y = 0, y + 1
        elif count == 0 and value == 1:
            if spilled or not drawn:
                raise BrokenPicture("corrupt BMP: its rows are not those of its size")
            notes.append(ENDS_EARLY)
            break
        elif count == 0 and value == 2:
            if at + 2 > len(data):
                raise BrokenPicture("truncated BMP: the end of the picture is missing")
            x, y = x + data[at], y + data[at + 1]
            at += 2
        else:
            literal = count == 0
            count = count or value
            if literal:
                size = count if found.bits == 8 else (count + 1) // 2
                stored = np.frombuffer(data[at : at + size], np.uint8)
                if len(stored) < size:
                    raise BrokenPicture("truncated BMP: the end of the picture is missing")
                at += size + size % 2
            else:
                size = 1 if found.bits == 8 else (count + 1) // 2
                stored = np.full(size, value, np.uint8)
            if found.bits == 4:
                stored = np.stack((stored >> 4, stored & 15), axis=-1).reshape(-1)
            room = max(0, width - x)
            # A single index fills its whole run; a row takes no more than it has room for.
            out[y, x : x + count] = stored[: min(count, room)] if len(stored) > 1 else stored[0]
            x, drawn, spilled = x + count, True, spilled or room == 0
    return out
