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
from hyperfocal.depth.defocus import SEEN, Defocus, Soft
from hyperfocal.depth.filters import BINOMIAL_3, Plane, padded, smooth
from hyperfocal.quality.arrays import full_scale
from hyperfocal.quality.resize import strips
from hyperfocal.restore.progress import Progress
from hyperfocal.restore.samples import Samples, round_into

Array = npt.NDArray[Any]

# Of what is found to be missing. Of step edges all is found, of what else is in a picture less:
# chosen by pictures with a lens put before them, see docs/decisions/0012.
_GIVEN_BACK = 1.5
# Steps between taps of the filters that follow one another, and the variances that come of them:
# the widest are for the widest blur, eight times enlarged.
_STEPS = (1, 2, 4, 8, 16, 32)
_VARIANCES = (0.0, *np.cumsum(0.5 * np.square(_STEPS)).tolist())
# The widest blur of all, in pixels of the input.
_WIDEST = 3.24
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
) -> float:
    """Alter ``output`` in place where something of ``defocus`` is missing in it.

    ``samples``: how they map to [0, 1]; ``size``: ``(height, width)`` of the input, which
    ``defocus`` is of; ``on_disk``: where a float32 copy of that size goes. Gives how much blur was
    given back, in pixels of the input, at most: 0 where nothing was.
    """
    taken = _taken(output, defocus, size, progress, on_disk=on_disk)
    if taken is None:
        return 0.0
    height, width = output.shape[:2]
    scale = height / size[0]
    white = full_scale(output)
    around = sum(_steps(scale))
    # The rows above the next band, as they were before they were altered.
    above = output[:0].copy()
    rows = max(_BAND // width, _ROWS)
    for top in range(0, height, rows):
        progress.check()
        bottom = min(top + rows, height)
        last = min(bottom + around, height)
        before = above
        above = np.concatenate([above, output[max(top, bottom - around) : bottom]])[-around:]
        missing = taken.rows(top, bottom, height, width) * np.float32(_GIVEN_BACK)
        columns = np.flatnonzero(missing.any(axis=0))
        if not columns.size:
            continue
        left, right = int(columns[0]), int(columns[-1]) + 1
        missing = np.minimum(missing[:, left:right], np.float32(_WIDEST)) * np.float32(scale)
        # What is brighter than white the model has not seen, nor sharpened.
        near = np.concatenate([before, output[top:last]]).astype(np.float32)
        np.clip(near, 0.0, white, out=near)
        near = padded(near, around - before.shape[0], around - (last - bottom), around)
        near = near[:, left : right + 2 * around]
        soft = defocus.soft.rows(top, bottom, height, width)[:, left:right]
        part: Plane = np.clip(soft / np.float32(SEEN) - 1, np.float32(0), np.float32(1))
        difference = _smoothed(near, missing, scale) - _inner(near, around)
        difference *= _like(part, difference)
        rows_now = output[top:bottom, left:right]
        round_into(difference + rows_now.astype(np.float32), rows_now, samples.limits)
        pages.release(output[top:bottom])
    return float(taken.most) * _GIVEN_BACK


def _taken(
    output: Array, defocus: Defocus, size: tuple[int, int], progress: Progress, *, on_disk: bool
) -> Soft | None:
    """What is missing of the blur of the input, as the output tells when it is reduced again."""
    small = pages.allocate((*size, *output.shape[2:]), np.float32, on_disk=on_disk)
    ratio = output.shape[0] / size[0]
    for top, strip in strips(output, size):
        progress.check()
        bottom = top + strip.shape[0]
        small[top:bottom] = strip
        pages.release(small[top:bottom])
        pages.release(output[int(top * ratio) : int(bottom * ratio)])
    return defocus.taken(small, full_scale(output), progress.check)


def _steps(scale: float) -> tuple[int, ...]:
    """Those that the widest blur of a picture enlarged so takes."""
    wide = (_WIDEST * scale) ** 2
    return tuple(
        step for step, below in zip(_STEPS, _VARIANCES, strict=False) if below < wide * 0.999
    )


def _smoothed(plane: Plane, blur: Plane, scale: float) -> Plane:
    """``plane``, with a border of all :func:`_steps`, blurred by Gaussians of ``blur`` pixels."""
    variance = blur * blur
    steps = _steps(scale)
    left = sum(steps)
    found = _inner(plane, left).copy()
    for step, (below, above) in zip(steps, pairwise(_VARIANCES), strict=False):
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
