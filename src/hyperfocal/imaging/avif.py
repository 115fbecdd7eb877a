"""Reading AVIF: the boxes with our own code, the pixels of a still with imagecodecs' libavif.

Pillow's plug-in would reduce 10 and 12 bits to 8, and warns on stderr about damaged EXIF.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import BrokenPicture
from hyperfocal.imaging import bmff, code_points, exif, profile
from hyperfocal.imaging.depth import widen
from hyperfocal.imaging.guard import attempt, decoding
from hyperfocal.imaging.header import Header, Raster
from hyperfocal.imaging.picture import Metadata
from hyperfocal.imaging.planes import split_alpha


def read_header(data: bytes) -> Header:
    """The header of an AVIF file; BrokenPicture when it does not state a size."""
    found = bmff.read(data)
    if not found.width or not found.height:
        raise BrokenPicture("truncated or corrupt AVIF: it states no size")
    seen = _seen(found)
    notes = found.dropped()
    if found.odd_aperture:
        notes.append("a clean aperture that is not of whole pixels in the picture was ignored")
    block = exif.bare(found.exif) if found.exif else None
    facts = exif.Facts()
    if block is not None:
        whole = block
        facts = attempt(lambda: exif.read(whole), notes, exif.DAMAGED) or facts
    icc, points = found.icc, None
    if icc is None:
        icc, points = code_points.declared(found.code_points, notes, grey=not found.colour)
    return Header(
        format="avif",
        width=seen.width,
        height=seen.height,
        mode="rgb" if found.colour else "grey",
        bit_depth=found.bit_depth,
        has_alpha=found.alpha,
        frames=found.frames,
        # The file's own turn and mirror count; EXIF's number is only a comment in this format.
        orientation=found.orientation,
        icc=icc,
        metadata=Metadata(block, found.xmp, None, facts.dpi),
        code_points=points,
        notes=tuple(notes),
        coded=found.coded(seen.width, seen.height),
    )


def read_pixels(data: bytes, header: Header) -> Raster:
    """Decode the first frame; more than 8 bits come out as uint16 over the full range."""
    notes: list[str] = []
    found = bmff.read(data)
    data = bmff.picture_alone(data)
    with decoding("AVIF"):
        pixels = _animated(data) if b"moov" in data else _still(data)
    if pixels.shape[:2] != (found.height, found.width):
        raise BrokenPicture("corrupt AVIF: its size is not the declared one")
    left, top, width, height = _seen(found)
    pixels = np.ascontiguousarray(pixels[top : top + height, left : left + width])
    if pixels.dtype != np.uint8:
        pixels = widen(pixels, header.bit_depth)
    elif header.bit_depth > 8:
        notes.append(f"reduced from {header.bit_depth} to 8 bits a sample")
    pixels, alpha = split_alpha(pixels)
    if pixels.ndim == 3 and header.mode == "grey":
        pixels = np.ascontiguousarray(pixels[..., 0])
    icc, to_rgb = profile.fitting(header.icc, grey=pixels.ndim == 2, notes=notes)
    if to_rgb:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return Raster(pixels, alpha, icc, tuple(notes))


def _seen(found: bmff.Contents) -> bmff.Aperture:
    """The decoders give the whole picture, whatever part of it is to be seen."""
    return found.aperture or bmff.Aperture(0, 0, found.width, found.height)


def _still(data: bytes) -> npt.NDArray[Any]:
    import imagecodecs

    return imagecodecs.avif_decode(data)


def _animated(data: bytes) -> npt.NDArray[Any]:
    """Animations through Pillow: imagecodecs 2026.3 writes beyond its buffer on the first frame."""
    from PIL import AvifImagePlugin

    image = AvifImagePlugin.AvifImageFile(BytesIO(data))
    image.load()
    return np.asarray(image)
