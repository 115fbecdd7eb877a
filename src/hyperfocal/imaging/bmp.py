"""Reading BMP. Microsoft, "Bitmap Storage" and BITMAPV5HEADER."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from hyperfocal.errors import BrokenPicture
from hyperfocal.imaging import profile
from hyperfocal.imaging.guard import decoding
from hyperfocal.imaging.header import Header, Raster
from hyperfocal.imaging.picture import Metadata
from hyperfocal.imaging.resolution import from_metre

if TYPE_CHECKING:
    from PIL import Image

_MODES = {"1": "1 bit", "L": "grey", "P": "palette"}
_V5 = 124
_EMBEDDED = 0x4D424544  # "MBED"


def read_header(data: bytes) -> Header:
    """The header of a BMP file; BrokenPicture when it makes no sense."""
    with decoding("BMP"):
        image = _opened(data)
    return Header(
        format="bmp",
        width=image.size[0],
        height=image.size[1],
        mode=_MODES.get(image.mode, "rgb"),
        has_alpha=image.mode == "RGBA",
        icc=_profile(data),
        metadata=Metadata(dpi=_dpi(data)),
        lossless=True,
    )


def read_pixels(data: bytes, header: Header) -> Raster:
    """Decode; palettes and few bits become plain samples."""
    from hyperfocal.imaging.pil import samples_of

    with decoding("BMP"):
        image = _opened(data)
        image.load()
        pixels, alpha = samples_of(image)
    notes: list[str] = []
    icc, to_rgb = profile.fitting(header.icc, grey=pixels.ndim == 2, notes=notes)
    if to_rgb:
        pixels = np.repeat(pixels[..., None], 3, axis=2)  # type: ignore[assignment]
    return Raster(pixels, alpha, icc, tuple(notes))


def _opened(data: bytes) -> Image.Image:
    from PIL import BmpImagePlugin

    # The plug-in itself rather than Image.open, whose limit is a global of the whole program.
    image = BmpImagePlugin.BmpImageFile(BytesIO(data))
    if image.size[0] < 1 or image.size[1] < 1:
        raise BrokenPicture("corrupt BMP: the picture has no pixels")
    return image


def _dpi(data: bytes) -> tuple[float, float] | None:
    if int.from_bytes(data[14:18], "little") < 40 or len(data) < 46:
        return None
    across, down = struct.unpack_from("<ii", data, 38)
    if across <= 0 or down <= 0:
        return None
    return from_metre(across), from_metre(down)


def _profile(data: bytes) -> bytes | None:
    if len(data) < 14 + _V5 or int.from_bytes(data[14:18], "little") != _V5:
        return None
    (kind,) = struct.unpack_from("<I", data, 14 + 56)
    start, size = struct.unpack_from("<II", data, 14 + 112)
    if kind != _EMBEDDED or not size or 14 + start + size > len(data):
        return None
    return data[14 + start : 14 + start + size]
