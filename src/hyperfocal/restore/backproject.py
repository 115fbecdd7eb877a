"""Back-projection: bending a result until, reduced again, it gives the input.

M. Irani, S. Peleg, "Improving resolution by image registration", CVGIP 53(3), 1991, with the
bicubic kernel in both directions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal import pages
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


def back_project(
    output: Array,
    input: Array,
    samples: Samples,
    bound_db: float,
    *,
    progress: Progress,
    alpha: Array | None = None,
    on_disk: bool = False,
) -> tuple[Deviation, int]:
    """Raise the consistency of ``output`` (altered in place) to ``bound_db``, if it can be.

    ``input``: of the same dtype; ``samples``: how they map to [0, 1]; ``alpha``: of the input,
    which says what of it counts. Gives the last measurement and the iterations done, at most 20.
    What is reached may be less than the bound, where the depth of the picture or clipping does not
    allow more.
    """
    deviation = measure(output, input, alpha)
    done = 0
    while deviation.decibels < bound_db and done < _MOST:
        progress.check()
        before = deviation.decibels
        difference = _difference(output, input, on_disk=on_disk)
        add_resized(output, difference, limits=samples.limits)
        deviation = measure(output, input, alpha)
        done += 1
        if deviation.decibels < before + _LEAST_GAIN:
            break
    return deviation, done


def _difference(output: Array, input: Array, *, on_disk: bool) -> Array:
    """The input less the reduced output, float32."""
    out = pages.allocate(input.shape, np.float32, on_disk=on_disk)
    ratio = output.shape[0] / input.shape[0]
    for top, strip in strips(output, (input.shape[0], input.shape[1])):
        bottom = top + strip.shape[0]
        np.subtract(input[top:bottom], strip, out=out[top:bottom])
        pages.release(out[top:bottom])
        pages.release(output[int(top * ratio) : int(bottom * ratio)])
    return out
