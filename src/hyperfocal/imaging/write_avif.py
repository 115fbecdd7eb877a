"""Writing AVIF: 8 bits with Pillow, more with imagecodecs, what describes them with our own code.

Both encode with libavif. Pillow has 8 bits only, declares no colour and writes EXIF anew;
imagecodecs loses nothing of grey, whatever the quality.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from hyperfocal.imaging import bmff_write
from hyperfocal.imaging.plan import Plan
from hyperfocal.imaging.threads import cores

QUALITY = 90
_Pixels = npt.NDArray[Any]
# libaom: 6, the default, takes eight times as long for 7 %.
_SPEED = 9


def write(plan: Plan, sink: BinaryIO) -> None:
    """Write the whole file to ``sink``."""
    pixels: _Pixels = np.ascontiguousarray(plan.rows(0, plan.picture.height))
    coded = (_deep if plan.bit_depth > 8 or plan.code_points else _plain)(pixels, plan)
    found = plan.metadata
    sink.write(bmff_write.attach(coded, icc=plan.icc, exif=found.exif, xmp=found.xmp))


def _quality(plan: Plan) -> int:
    return QUALITY if plan.quality is None else plan.quality


def _plain(pixels: _Pixels, plan: Plan) -> bytes:
    from PIL import Image

    sink = BytesIO()
    colour = "4:0:0" if plan.grey else "4:4:4"
    Image.fromarray(pixels).save(
        sink, "AVIF", quality=_quality(plan), subsampling=colour, speed=_SPEED
    )
    return sink.getvalue()


def _deep(pixels: _Pixels, plan: Plan) -> bytes:
    import imagecodecs

    primaries, transfer = plan.code_points or (None, None)
    coded = imagecodecs.avif_encode(
        pixels,
        _quality(plan),
        speed=_SPEED,
        bitspersample=plan.bit_depth,
        pixelformat="400" if plan.grey else "444",
        primaries=primaries,
        transfer=transfer,
        codec="aom",
        numthreads=cores(),
    )
    return bytes(coded)
