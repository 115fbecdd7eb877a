"""Writing AVIF: 8 bits with Pillow, more with imagecodecs, what describes them with our own code.

Both encode with libavif. Pillow has 8 bits only, no colour but sRGB's to declare, and writes EXIF
anew; imagecodecs loses nothing of grey and alpha, whatever the quality.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from hyperfocal.cores import available_cores
from hyperfocal.imaging import bmff_write
from hyperfocal.imaging.code_points import SRGB, UNSPECIFIED
from hyperfocal.imaging.plan import Plan

QUALITY = 90
_Pixels = npt.NDArray[Any]
# libaom: 6, the default, takes eight times as long for 7 %.
_SPEED = 9


def write(plan: Plan, sink: BinaryIO) -> None:
    """Write the whole file to ``sink``."""
    pixels: _Pixels = np.ascontiguousarray(plan.rows(0, plan.picture.height))
    found = plan.metadata
    if plan.bit_depth == 8 and plan.code_points is None:
        coded, icc = _plain(pixels, plan), None
    else:
        coded, icc = _deep(pixels, plan), plan.icc
    sink.write(bmff_write.attach(coded, icc=icc, exif=found.exif, xmp=found.xmp))


def _quality(plan: Plan) -> int:
    return QUALITY if plan.quality is None else plan.quality


def _plain(pixels: _Pixels, plan: Plan) -> bytes:
    """With the profile: the file would declare sRGB beside it otherwise."""
    from PIL import Image

    sink = BytesIO()
    colour = "4:0:0" if plan.grey else "4:4:4"
    options = {} if plan.icc is None else {"icc_profile": plan.icc}
    Image.fromarray(pixels).save(
        sink, "AVIF", quality=_quality(plan), subsampling=colour, speed=_SPEED, **options
    )
    return sink.getvalue()


def _deep(pixels: _Pixels, plan: Plan) -> bytes:
    import imagecodecs

    primaries, transfer = plan.code_points or (UNSPECIFIED if plan.icc is not None else SRGB)
    coded = imagecodecs.avif_encode(
        pixels,
        _quality(plan),
        speed=_SPEED,
        bitspersample=plan.bit_depth,
        pixelformat="400" if plan.grey else "444",
        primaries=primaries,
        transfer=transfer,
        codec="aom",
        numthreads=available_cores(),
    )
    return bytes(coded)
