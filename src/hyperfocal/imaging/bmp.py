"""Reading BMP. Microsoft, "Bitmap Storage", BITMAPINFOHEADER and BITMAPV5HEADER."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING, cast

import numpy as np

from hyperfocal.errors import BrokenPicture, UnknownFormat
from hyperfocal.imaging import bmp_indices, profile
from hyperfocal.imaging.guard import decoding
from hyperfocal.imaging.header import UNUSED_ALPHA, Header, Raster
from hyperfocal.imaging.picture import Metadata, Pixels
from hyperfocal.imaging.resolution import from_metre

if TYPE_CHECKING:
    from PIL.BmpImagePlugin import BmpImageFile

_V5 = 124
_EMBEDDED = 0x4D424544  # "MBED"
_CORE, _PLAIN = 12, 0
_FOURTH = "a fourth sample, which has no meaning in this kind of BMP, was dropped"


def read_header(data: bytes) -> Header:
    """The header of a BMP file; BrokenPicture when it makes no sense.

    UnknownFormat where its bit masks are none of the usual ones.
    """
    with decoding("BMP"):
        image = _opened(data)
        indexed = bmp_indices.of(data)
    return Header(
        format="bmp",
        width=image.size[0],
        height=image.size[1],
        mode="rgb" if indexed is None else _mode(indexed),
        has_alpha=image.mode == "RGBA",
        icc=_profile(data),
        metadata=Metadata(dpi=_dpi(data)),
        lossless=True,
    )


def read_pixels(data: bytes, header: Header) -> Raster:
    """Decode; palettes and few bits become plain samples."""
    notes: list[str] = []
    pixels: Pixels
    alpha: Pixels | None = None
    with decoding("BMP"):
        indexed = bmp_indices.of(data)
        if indexed is not None:
            pixels = bmp_indices.decode(data, indexed, header.width, header.height, notes)
        else:
            pixels, alpha = _samples(data, notes)
    if alpha is not None and not alpha.any():
        # Most writers of 32 bits leave the fourth byte 0 and mean nothing by it.
        alpha = None
        notes.append(UNUSED_ALPHA)
    icc, to_rgb = profile.fitting(header.icc, grey=pixels.ndim == 2, notes=notes)
    if to_rgb:
        pixels = cast(Pixels, np.repeat(pixels[..., None], 3, axis=2))
    return Raster(pixels, alpha, icc, tuple(notes))


def _mode(indexed: bmp_indices.Indexed) -> str:
    if not indexed.is_grey:
        return "palette"
    return "1 bit" if indexed.bits == 1 else "grey"


def _samples(data: bytes, notes: list[str]) -> tuple[Pixels, Pixels | None]:
    from hyperfocal.imaging.pil import samples_of

    image = _opened(data)
    # Some writers leave out where the pixels lie, which Pillow then tells from the headers.
    start = image.tile[0].offset
    image.load()
    _note_fourth(data, start, image.size[0] * image.size[1], notes)
    return samples_of(image)


def _note_fourth(data: bytes, start: int, pixels: int, notes: list[str]) -> None:
    """Of 32 bits a pixel without masks, a byte is not used; where it is not the same, it was."""
    if int.from_bytes(data[14:18], "little") == _CORE:
        return
    bits, compression = struct.unpack_from("<HI", data, 28)
    if bits == 32 and compression == _PLAIN:
        fourth = np.frombuffer(data, np.uint8, 4 * pixels, start)[3::4]
        if fourth.min() != fourth.max():
            notes.append(_FOURTH)


def _opened(data: bytes) -> BmpImageFile:
    from PIL import BmpImagePlugin

    # The plug-in itself rather than Image.open, whose limit is a global of the whole program.
    try:
        image = BmpImagePlugin.BmpImageFile(BytesIO(data))
    except OSError as error:
        if "bitfields" in str(error):
            raise UnknownFormat("a BMP of these bit masks is not read") from error
        raise
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
