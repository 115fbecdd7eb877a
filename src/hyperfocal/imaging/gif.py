"""Reading the first frame of GIF. Graphics Interchange Format 89a (CompuServe, 1990)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import BrokenPicture
from hyperfocal.imaging.guard import decoding
from hyperfocal.imaging.header import Header, Raster, remark

# More than any limit that is sensible; counting on would only cost time.
_MOST_FRAMES = 100_000
# Beyond its own limit Pillow prints a warning when a frame overhangs the picture.
_LARGEST_OVERHANG = 1 << 26
_EXTENSION, _PICTURE = 0x21, 0x2C
_CONTROL, _COMMENT, _APPLICATION = 0xF9, 0xFE, 0xFF
# A code has twelve bits at most and stands for 4096 pixels at most; shorter ones for fewer a bit.
_MOST_PIXELS_A_BYTE = 4096 * 8 / 12
# Pixels that a picture may have however small its first frame is, and how much larger it may be.
_ANY_SCREEN, _LARGER = 1 << 26, 4
_ROWS = 64
# By the eleven bytes that say whose an extension is (XMP part 3, 1.1.2; ICC.1, annex B.4).
_OF_APPLICATIONS = {
    b"XMP DataXMP": "XMP was dropped",
    b"ICCRGBG1012": "a colour profile was dropped",
}


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a frame lies in the picture, and ``stored``: the bytes that hold it."""

    left: int
    top: int
    width: int
    height: int
    stored: int

    def fills(self, width: int, height: int) -> bool:
        """Whether nothing of a picture of that size lies around it."""
        return (self.left, self.top, self.width, self.height) == (0, 0, width, height)


def read_header(data: bytes) -> Header:
    """The header of a GIF file, with its frames counted; BrokenPicture when it has none."""
    if len(data) < 13:
        raise BrokenPicture("truncated GIF: it has no header")
    first, key = _first(data)
    frames = 0
    notes: list[str] = []
    for at in _blocks(data):
        if data[at] == _PICTURE:
            frames += 1
            if frames > _MOST_FRAMES:
                break
        elif (note := _dropped(data, at)) is not None:
            remark(notes, note)
    # A first frame that overhangs enlarges the picture.
    width = max(_int16(data, 6), first.left + first.width)
    height = max(_int16(data, 8), first.top + first.height)
    if width * height > max(_LARGEST_OVERHANG, _int16(data, 6) * _int16(data, 8)):
        raise BrokenPicture("corrupt GIF: the first frame lies far outside the picture")
    return Header(
        format="gif",
        width=width,
        height=height,
        mode="palette",
        has_alpha=key is not None or not first.fills(width, height),
        frames=frames,
        lossless=True,
        notes=tuple(notes),
    )


def read_pixels(data: bytes, header: Header) -> Raster:
    """Decode the first frame; its palette and transparency become plain samples.

    What it does not cover is transparent, as browsers have it.
    """
    from PIL import GifImagePlugin

    first, key = _first(data)
    _check_frame(first, header)
    with decoding("GIF"):
        image = GifImagePlugin.GifImageFile(BytesIO(data))
        # There a program may have had Pillow make colours of indices (LOADING_STRATEGY).
        image.load_end = lambda: None  # type: ignore[method-assign]
        image.load()
        indices = np.asarray(image)
    if indices.shape != (header.height, header.width):
        raise BrokenPicture("corrupt GIF: its size is not the declared one")
    # Without a palette of colours each index is its own grey.
    table = np.arange(256, dtype=np.uint8)[:, None]
    if image.mode == "P":
        table = np.zeros((256, 3), np.uint8)
        stored = np.reshape(image.getpalette() or (), (-1, 3))
        table[: len(stored)] = stored
        if np.all(table == table[:, :1]):
            # GIF has no other way to be grey.
            table = table[:, :1]
    alpha = None
    del image
    if header.has_alpha:
        alpha = np.zeros(indices.shape, np.uint8)
        seen = np.s_[first.top : first.top + first.height, first.left : first.left + first.width]
        alpha[seen] = 255 if key is None else np.where(indices[seen] == key, 0, np.uint8(255))
        alpha = None if alpha.all() else alpha
    pixels = _looked_up(table, indices)
    return Raster(pixels if pixels.shape[2] == 3 else pixels[..., 0], alpha, None)


def _check_frame(first: _Frame, header: Header) -> None:
    """BrokenPicture where pixels are far more than there can be anything to see of them."""
    pixels = first.width * first.height
    if pixels > _MOST_PIXELS_A_BYTE * first.stored:
        raise BrokenPicture("truncated GIF: the end of the picture is missing")
    if header.width * header.height > max(_ANY_SCREEN, _LARGER * pixels):
        raise BrokenPicture("corrupt GIF: the picture is far larger than its first frame")


def _looked_up(
    table: npt.NDArray[np.uint8], indices: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """``(H, W, C)`` of a table of ``(256, C)``, for which numpy makes eight bytes of each index."""
    out = np.empty((*indices.shape, table.shape[1]), np.uint8)
    for top in range(0, len(indices), _ROWS):
        rows = indices[top : top + _ROWS]
        for channel in range(table.shape[1]):
            # By channel it takes a third of the time.
            out[top : top + _ROWS, :, channel] = table[:, channel][rows]
    return out


def _blocks(data: bytes) -> Iterator[int]:
    """Where each extension and each frame begins; stops where the file is cut or damaged."""
    at = 13 + _table(data[10])
    while at < len(data):
        if data[at] == _EXTENSION and at + 2 <= len(data):
            yield at
            at = _skip(data, at + 2)
        elif data[at] == _PICTURE and at + 10 <= len(data):
            yield at
            at = _skip(data, _codes(data, at))
        else:
            return


def _first(data: bytes) -> tuple[_Frame, int | None]:
    """The first frame, and the index that is transparent in it; BrokenPicture without a frame."""
    key = None
    for at in _blocks(data):
        if data[at] == _PICTURE:
            return _frame(data, at), key
        if data[at + 1] == _CONTROL:
            key = _key(data, at)
    raise BrokenPicture("truncated or corrupt GIF: there is no picture in it")


def _frame(data: bytes, at: int) -> _Frame:
    start = _codes(data, at)
    stored = min(_skip(data, start), len(data)) - start
    left, top, width, height = struct.unpack_from("<4H", data, at + 1)
    return _Frame(left, top, width, height, stored)


def _codes(data: bytes, at: int) -> int:
    """Where the codes of the frame at ``at`` begin."""
    return at + 10 + _table(data[at + 9]) + 1


def _dropped(data: bytes, at: int) -> str | None:
    """What is lost with the extension at ``at``: how to play an animation is no loss."""
    if data[at + 1] == _COMMENT:
        return "a comment was dropped"
    if data[at + 1] == _APPLICATION:
        return _OF_APPLICATIONS.get(data[at + 3 : at + 14])
    return None


def _key(data: bytes, at: int) -> int | None:
    """The index that is transparent in the frame which the extension at ``at`` is about."""
    return data[at + 6] if at + 7 <= len(data) and data[at + 3] & 1 else None


def _table(flags: int) -> int:
    """Bytes of the colour table that a flag byte announces."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip(data: bytes, at: int) -> int:
    """Past a chain of sub-blocks."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def _int16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")
