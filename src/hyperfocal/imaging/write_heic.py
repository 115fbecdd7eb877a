"""Writing HEIC through pillow-heif, the extra ``heif``."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np

from hyperfocal.imaging import exif
from hyperfocal.imaging.plan import Plan

QUALITY = 90
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def write(plan: Plan, sink: BinaryIO) -> None:
    """Write the whole file to ``sink``."""
    import pillow_heif

    picture, found = plan.picture, plan.metadata
    options: dict[str, Any] = {}
    if plan.icc is not None:
        options["icc_profile"] = plan.icc
    if found.exif is not None:
        options["exif"] = exif.PREFIX + found.exif
    if found.xmp is not None:
        options["xmp"] = found.xmp
    if plan.code_points is not None:
        primaries, transfer = plan.code_points
        options.update(color_primaries=primaries, transfer_characteristics=transfer)
    pixels = np.ascontiguousarray(plan.rows(0, picture.height))
    pillow_heif.encode(
        _MODES[plan.channels] + ("" if plan.bit_depth == 8 else f";{plan.bit_depth}"),
        (picture.width, picture.height),
        pixels.tobytes(),
        sink,
        quality=QUALITY if plan.quality is None else plan.quality,
        chroma=444,
        bit_depth=plan.bit_depth,
        **options,
    )
