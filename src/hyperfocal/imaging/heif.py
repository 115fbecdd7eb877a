"""Reading HEIC through pillow-heif, the extra ``heif``."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np

from hyperfocal.errors import UnknownFormat
from hyperfocal.imaging import bmff, code_points, exif, profile
from hyperfocal.imaging.depth import widen
from hyperfocal.imaging.embedded_depth import of_heic
from hyperfocal.imaging.formats import FORMATS, missing_extra
from hyperfocal.imaging.guard import attempt, decoding
from hyperfocal.imaging.header import Header, Raster
from hyperfocal.imaging.picture import Metadata
from hyperfocal.imaging.planes import split_alpha, unmultiplied


def read_header(data: bytes) -> Header:
    """The header of a HEIC file; UnknownFormat when the extra is not installed."""
    with decoding("HEIC"):
        image = _opened(data)
        mode, size, info = image.mode, image.size, image.info
    found = bmff.read(data)
    found.further |= bool(info.get("depth_images") or info.get("aux"))
    notes = found.dropped()
    block = exif.bare(info["exif"]) if info.get("exif") else None
    dpi = None
    if block is not None:
        whole = block
        facts = attempt(lambda: exif.read(whole), notes, exif.DAMAGED)
        dpi = facts.dpi if facts else None
    icc, points = info.get("icc_profile") or None, None
    # Grey with alpha is given as three equal channels.
    has_alpha = "A" in mode.upper()
    is_grey = mode.startswith(("L", "I")) or (has_alpha and not found.colour)
    if icc is None:
        icc, points = code_points.declared(found.code_points, notes, grey=is_grey)
    return Header(
        format="heic",
        width=size[0],
        height=size[1],
        mode="grey" if is_grey else "rgb",
        bit_depth=int(info.get("bit_depth") or 8),
        has_alpha=has_alpha,
        frames=max(len(image), found.frames),
        # libheif turns the picture upright itself, so the EXIF number must not be obeyed.
        orientation=1,
        applied=found.orientation,
        icc=icc,
        metadata=Metadata(block, info.get("xmp") or None, None, dpi),
        code_points=points,
        notes=tuple(notes),
        coded=found.coded(*size),
    )


def read_pixels(data: bytes, header: Header) -> Raster:
    """Decode the primary picture; more than 8 bits come out as uint16 over the full range."""
    with decoding("HEIC"):
        image = _opened(data)
        premultiplied = "a" in image.mode
        pixels = np.asarray(image)
    if pixels.dtype == np.uint16 and header.bit_depth < 16:
        # pillow-heif moves the bits up and leaves zeros below; white must be 65535.
        pixels = widen(pixels >> (16 - header.bit_depth), header.bit_depth)
    pixels, alpha = split_alpha(pixels)
    if alpha is not None and premultiplied:
        pixels = unmultiplied(pixels, alpha)
    if pixels.ndim == 3 and header.mode == "grey":
        pixels = np.ascontiguousarray(pixels[..., 0])
    notes: list[str] = []
    orientation = 1 if bmff.read(data).turned_depth else header.applied
    depth_map = of_heic(image, header.width, header.height, orientation, notes)
    icc, to_rgb = profile.fitting(header.icc, grey=pixels.ndim == 2, notes=notes)
    if to_rgb:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return Raster(pixels, alpha, icc, tuple(notes), depth_map)


def _opened(data: bytes) -> Any:
    if (extra := missing_extra(FORMATS["heic"])) is not None:
        raise UnknownFormat(extra)
    import pillow_heif

    return pillow_heif.open_heif(BytesIO(data), convert_hdr_to_8bit=False)
