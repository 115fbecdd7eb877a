"""Reading AVIF: 8 bits through Pillow's libavif, 10 and 12 bits through imagecodecs'."""

from __future__ import annotations

from io import BytesIO

import numpy as np

from hyperfocal.errors import BrokenPicture
from hyperfocal.imaging import bmff, exif, profile
from hyperfocal.imaging.depth import widen
from hyperfocal.imaging.guard import attempt, decoding
from hyperfocal.imaging.header import Header, Raster
from hyperfocal.imaging.picture import Metadata

_UNDECLARED = "the colour is declared by code points, which are not carried: treated as sRGB"


def read_header(data: bytes) -> Header:
    """The header of an AVIF file; BrokenPicture when it cannot be parsed."""
    from PIL import AvifImagePlugin

    stated = bmff.properties(data)
    notes: list[str] = []
    info: dict[str | tuple[int, int], bytes] = {}
    mode, size, frames = "RGB", (stated.width, stated.height), 1
    orientation = 1
    try:
        image = AvifImagePlugin.AvifImageFile(BytesIO(data))
        mode, size, frames, info = image.mode, image.size, image.n_frames, image.info
    except Exception as error:
        # Pillow gives up on damaged EXIF. If the pixels are all right, they decide.
        if not stated.width or b"Exif" not in data:
            raise BrokenPicture(f"truncated or corrupt AVIF: {error}") from error
        notes.append(exif.DAMAGED)
        orientation = stated.orientation
    block = exif.bare(info["exif"]) if "exif" in info else None
    dpi = None
    if block is not None:
        whole = block
        facts = attempt(lambda: exif.read(whole), notes, exif.DAMAGED)
        if facts is not None:
            # libavif's turn and mirror; Pillow has put them where EXIF's number was.
            dpi, orientation = facts.dpi, facts.orientation
    if b"Exif" not in data:
        block = None  # Pillow made it, to hold the orientation
    if stated.unusual_colour and "icc_profile" not in info:
        notes.append(_UNDECLARED)
    return Header(
        format="avif",
        width=size[0],
        height=size[1],
        mode="grey" if mode.startswith("L") else "rgb",
        bit_depth=stated.bit_depth,
        has_alpha=mode.endswith("A"),
        frames=max(1, frames),
        orientation=orientation,
        icc=info.get("icc_profile"),
        metadata=Metadata(block, info.get("xmp"), None, dpi),
        notes=tuple(notes),
    )


def read_pixels(data: bytes, header: Header) -> Raster:
    """Decode the first frame; more than 8 bits come out as uint16 over the full range."""
    import imagecodecs

    with decoding("AVIF"):
        pixels = imagecodecs.avif_decode(data, 0)
    if pixels.shape[:2] != (header.height, header.width):
        raise BrokenPicture("corrupt AVIF: its size is not the declared one")
    if pixels.dtype != np.uint8:
        pixels = widen(pixels, header.bit_depth)
    notes: list[str] = []
    alpha = None
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        alpha = np.ascontiguousarray(pixels[..., -1])
        pixels = pixels[..., :-1]
    if pixels.ndim == 3 and (pixels.shape[2] == 1 or header.mode == "grey"):
        pixels = pixels[..., 0]
    icc, to_rgb = profile.fitting(header.icc, grey=pixels.ndim == 2, notes=notes)
    if to_rgb:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return Raster(np.ascontiguousarray(pixels), alpha, icc, tuple(notes))
