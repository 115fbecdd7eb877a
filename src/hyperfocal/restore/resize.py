"""Enlarging or reducing a whole plane by strips, into memory or onto disk."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal import pages
from hyperfocal.quality.resize import strips
from hyperfocal.restore.samples import round_into

Array = npt.NDArray[Any]


def resize_plane(
    source: Array,
    size: tuple[int, int],
    *,
    limits: tuple[float, float] = (0.0, 1.0),
    on_disk: bool = False,
) -> Array:
    """``source`` resized to ``(height, width)``, bicubic and antialiased, in its own dtype.

    ``limits``: floats are clipped to these.
    """
    out = pages.allocate((*size, *source.shape[2:]), source.dtype, on_disk=on_disk)
    ratio = source.shape[0] / size[0]
    for top, strip in strips(source, size):
        bottom = top + strip.shape[0]
        round_into(strip, out[top:bottom], limits)
        pages.release(out[top:bottom])
        pages.release(source[int(top * ratio) : int(bottom * ratio)])
    return out


def add_resized(
    target: Array,
    correction: Array,
    *,
    limits: tuple[float, float] = (0.0, 1.0),
    weighed: bool = False,
) -> None:
    """Add the float32 ``correction``, enlarged to its size, to ``target`` in place.

    ``weighed``: it is in parts of white or, where the target lies beyond that, of its own sample.
    """
    ratio = correction.shape[0] / target.shape[0]
    for top, strip in strips(correction, (target.shape[0], target.shape[1])):
        bottom = top + strip.shape[0]
        rows = target[top:bottom]
        # What overflows is clipped next.
        with np.errstate(over="ignore"):
            if weighed:
                strip *= np.maximum(np.abs(rows), np.float32(1))
            strip += rows.astype(np.float32)
        round_into(strip, rows, limits)
        pages.release(rows)
        pages.release(correction[int(top * ratio) : int(bottom * ratio)])
