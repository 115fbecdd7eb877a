"""What was out of focus stays so: a net that takes blur away cannot know which was meant.

Such a net is taught that all blur is damage. Of a portrait it sharpens the background, too, which
was soft when the picture was taken. Where depth says so, what it took away is given back: after it
every depth is as far out of focus as before, compared with what is in focus.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal import pages
from hyperfocal.depth.defocus import SEEN, Defocus
from hyperfocal.depth.filters import BINOMIAL_3, Plane, padded, smooth
from hyperfocal.quality.arrays import full_scale
from hyperfocal.quality.resize import strips
from hyperfocal.restore.progress import Progress
from hyperfocal.restore.resize import add_resized
from hyperfocal.restore.samples import Samples

Array = npt.NDArray[Any]

# Of what is found to be missing. Of step edges all is found, of what else is in a picture less:
# chosen by pictures with a lens put before them, see docs/decisions/0012.
_GIVEN_BACK = 1.5
# Steps between taps of the filters that follow one another, and the variances that come of them.
_STEPS = (1, 2, 4)
_VARIANCES = (0.0, 0.5, 2.5, 10.5)
_AROUND = sum(_STEPS)
# Pixels worked on together, but no fewer rows.
_BAND, _ROWS = 100_000, 16


def soften(
    output: Array,
    samples: Samples,
    defocus: Defocus,
    size: tuple[int, int],
    *,
    progress: Progress,
    on_disk: bool = False,
) -> None:
    """Alter ``output`` in place where something of ``defocus`` is missing in it.

    ``samples``: how they map to [0, 1]; ``size``: ``(height, width)`` of the input, which
    ``defocus`` is of; ``on_disk``: where a float32 copy of that size goes.
    """
    height, width = size
    small = pages.allocate((*size, *output.shape[2:]), np.float32, on_disk=on_disk)
    ratio = output.shape[0] / height
    for top, strip in strips(output, size):
        bottom = top + strip.shape[0]
        small[top:bottom] = strip
        pages.release(small[top:bottom])
        pages.release(output[int(top * ratio) : int(bottom * ratio)])
    progress.check()
    taken = defocus.taken(small, full_scale(output))
    if taken is None:
        return
    # The rows above the next band, as they were before they became a difference.
    above = small[:0].copy()
    rows = max(_BAND // width, _ROWS)
    for top in range(0, height, rows):
        progress.check()
        bottom = min(top + rows, height)
        last = min(bottom + _AROUND, height)
        missing = taken.rows(top, bottom, height, width) * np.float32(_GIVEN_BACK)
        soft = defocus.soft.rows(top, bottom, height, width)
        near = np.concatenate([above, small[top:last]])
        above = small[max(bottom - _AROUND, 0) : bottom].copy()
        before = _AROUND - (near.shape[0] - (last - top))
        near = padded(near, before, _AROUND - (last - bottom), _AROUND)
        # What overflowed, of floats of any size, is left as it is.
        difference = np.nan_to_num(
            _smoothed(near, missing) - small[top:bottom], nan=0.0, posinf=0.0, neginf=0.0
        )
        part: Plane = np.clip(soft / np.float32(SEEN) - 1, np.float32(0), np.float32(1))
        difference *= _like(part, difference)
        small[top:bottom] = difference
        pages.release(small[top:bottom])
    add_resized(output, small, limits=samples.limits)


def _smoothed(plane: Plane, blur: Plane) -> Plane:
    """``plane``, with a border of 7, blurred by a Gaussian of ``blur`` pixels, up to 3.2."""
    variance = blur * blur
    left = _AROUND
    found = _inner(plane, left).copy()
    for step, (below, above) in zip(_STEPS, pairwise(_VARIANCES), strict=True):
        part = np.clip((variance - below) / (above - below), 0, 1)
        if not part.any():
            break
        plane = smooth(plane, BINOMIAL_3, step)
        left -= step
        found += (_inner(plane, left) - found) * _like(part, found)
    return found


def _inner(plane: Plane, border: int) -> Plane:
    return plane[border:-border, border:-border] if border else plane


def _like(of_pixels: Plane, plane: Plane) -> Plane:
    found: Plane = of_pixels if plane.ndim == 2 else of_pixels[:, :, None]
    return found
