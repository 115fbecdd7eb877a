"""Back-projection: bending a result until, reduced again, it gives the input.

M. Irani, S. Peleg, "Improving resolution by image registration", CVGIP 53(3), 1991, with the
bicubic kernel in both directions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal import pages
from hyperfocal.quality.fidelity import weigh
from hyperfocal.quality.resize import strips
from hyperfocal.restore.fidelity import Deviation, measure
from hyperfocal.restore.progress import Progress
from hyperfocal.restore.resize import add_resized
from hyperfocal.restore.samples import Samples

Array = npt.NDArray[Any]

_MOST = 20
# In dB an iteration. Less means that rounding to the picture's depth, or clipping, stands in
# the way: going on would only add noise.
_LEAST_GAIN = 0.05
# Copied at once.
_ROWS = 256


def back_project(
    output: Array,
    input: Array,
    samples: Samples,
    bound_db: float,
    *,
    progress: Progress,
    alpha: Array | None = None,
    on_disk: bool = False,
    copy_on_disk: bool = False,
) -> tuple[Deviation, int]:
    """Raise the consistency of ``output`` (altered in place) to ``bound_db``, if it can be.

    ``input``: of the same dtype; ``samples``: how they map to [0, 1]; ``alpha``: of the input,
    which says what of it counts. Gives the last measurement and the iterations done, at most 20.
    What is reached may be less than the bound, where the depth of the picture or clipping does not
    allow more, but never less than there was. ``on_disk``: where the difference from the input
    goes, and ``copy_on_disk`` a copy of ``output``, by which a step back is taken.

    Floats beyond [0, 1] are bent as the figure weighs them: by parts of their own size, and by no
    more than that, so that a lamp does not spoil what is around it.
    """
    deviation = first = measure(output, input, alpha)
    done, kept = 0, None
    while deviation.decibels < bound_db and done < _MOST:
        progress.check()
        before = deviation
        # Integers hardly lose by a last step, so that one copy is enough to be sure of them.
        if kept is None or samples.goes_beyond:
            kept = _copied(output, kept, on_disk=copy_on_disk)
        difference = _difference(output, input, weighed=samples.goes_beyond, on_disk=on_disk)
        add_resized(output, difference, limits=samples.limits, weighed=samples.goes_beyond)
        deviation = measure(output, input, alpha)
        done += 1
        if deviation.decibels < before.decibels + _LEAST_GAIN:
            break
    start, since = (before, done - 1) if done and samples.goes_beyond else (first, 0)
    if kept is not None and deviation.decibels < start.decibels:
        _copied(kept, output, on_disk=False)
        return start, since
    return deviation, done


def _copied(source: Array, out: Array | None, *, on_disk: bool) -> Array:
    """``source``, by rows, in ``out`` or, without that, in a new array."""
    if out is None:
        out = pages.allocate(source.shape, source.dtype, on_disk=on_disk)
    for top in range(0, source.shape[0], _ROWS):
        rows = slice(top, top + _ROWS)
        np.copyto(out[rows], source[rows])
        pages.release(out[rows])
        pages.release(source[rows])
    return out


def _difference(output: Array, input: Array, *, weighed: bool, on_disk: bool) -> Array:
    """The input less the reduced output, float32, or what that counts."""
    out = pages.allocate(input.shape, np.float32, on_disk=on_disk)
    ratio = output.shape[0] / input.shape[0]
    for top, strip in strips(output, (input.shape[0], input.shape[1])):
        bottom = top + strip.shape[0]
        # Floats may be of any size; what overflows counts as the most there is.
        with np.errstate(over="ignore"):
            np.subtract(input[top:bottom], strip, out=out[top:bottom])
        if weighed:
            weigh(out[top:bottom], input[top:bottom])
        pages.release(out[top:bottom])
        pages.release(output[int(top * ratio) : int(bottom * ratio)])
    return out
