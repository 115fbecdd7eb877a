"""Reading the first frame of GIF. Graphics Interchange Format 89a (CompuServe, 1990)."""

from __future__ import annotations

from io import BytesIO

import numpy as np

from hyperfocal.errors import BrokenPicture
from hyperfocal.imaging.guard import decoding
from hyperfocal.imaging.header import Header, Raster, remark

# More than any limit that is sensible; counting on would only cost time.
_MOST_FRAMES = 100_000
# Beyond its own limit Pillow prints a warning when a frame overhangs the picture.
_LARGEST_OVERHANG = 1 << 26
_COMMENT, _APPLICATION = 0xFE, 0xFF
# By the eleven bytes that say whose an extension is (XMP part 3, 1.1.2; ICC.1, annex B.4).
_OF_APPLICATIONS = {
    b"XMP DataXMP": "XMP was dropped",
    b"ICCRGBG1012": "a colour profile was dropped",
}


def read_header(data: bytes) -> Header:
    """The header of a GIF file, with its frames counted; BrokenPicture when it has none."""
    if len(data) < 13:
        raise BrokenPicture("truncated GIF: it has no header")
    width, height = _int16(data, 6), _int16(data, 8)
    at = 13 + _table(data[10])
    frames = 0
    transparent = False
    notes: list[str] = []
    while at < len(data):
        block = data[at]
        if block == 0x21 and at + 2 <= len(data):
            if data[at + 1] == 0xF9 and frames == 0 and at + 4 <= len(data):
                transparent = bool(data[at + 3] & 1)
            elif (note := _dropped(data, at)) is not None:
                remark(notes, note)
            at = _skip(data, at + 2)
        elif block == 0x2C and at + 10 <= len(data):
            frames += 1
            if frames == 1:  # a first frame that overhangs enlarges the picture
                width = max(width, _int16(data, at + 1) + _int16(data, at + 5))
                height = max(height, _int16(data, at + 3) + _int16(data, at + 7))
            at = _skip(data, at + 10 + _table(data[at + 9]) + 1)
        else:
            break
        if frames > _MOST_FRAMES:
            break
    if frames == 0:
        raise BrokenPicture("truncated or corrupt GIF: there is no picture in it")
    if width * height > max(_LARGEST_OVERHANG, _int16(data, 6) * _int16(data, 8)):
        raise BrokenPicture("corrupt GIF: the first frame lies far outside the picture")
    return Header(
        format="gif",
        width=width,
        height=height,
        mode="palette",
        has_alpha=transparent,
        frames=frames,
        lossless=True,
        notes=tuple(notes),
    )


def read_pixels(data: bytes, header: Header) -> Raster:
    """Decode the first frame; its palette and transparency become plain samples."""
    from PIL import GifImagePlugin

    from hyperfocal.imaging.pil import samples_of

    with decoding("GIF"):
        image = GifImagePlugin.GifImageFile(BytesIO(data))
        image.load()
        table = np.reshape(image.getpalette() or (), (-1, 3)) if image.mode == "P" else None
        pixels, alpha = samples_of(image)
    if table is not None and len(table) and np.all(table == table[:, :1]):
        # GIF has no other way to be grey.
        pixels = np.ascontiguousarray(pixels[..., 0])  # type: ignore[assignment]
    if pixels.shape[:2] != (header.height, header.width):
        raise BrokenPicture("corrupt GIF: its size is not the declared one")
    if alpha is not None and np.all(alpha == 255):
        alpha = None
    return Raster(pixels, alpha, None)


def _dropped(data: bytes, at: int) -> str | None:
    """What is lost with the extension at ``at``: how to play an animation is no loss."""
    if data[at + 1] == _COMMENT:
        return "a comment was dropped"
    if data[at + 1] == _APPLICATION:
        return _OF_APPLICATIONS.get(data[at + 3 : at + 14])
    return None


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
