"""How much of the result was in the input: the result reduced again, against the input.

Irani and Peleg, "Improving resolution by image registration", CVGIP 53(3), 1991, is where the
reasoning comes from: a good enlargement, reduced, gives the picture that it was made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hyperfocal import pages
from hyperfocal.quality.arrays import full_scale
from hyperfocal.quality.decibels import decibels
from hyperfocal.quality.fidelity import weigh
from hyperfocal.quality.resize import strips

CELL = 64
"""Side in input pixels of the squares that are also measured one by one."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Figures that say how far the result strays from the input.

    ``consistency_db``: PSNR between the input and the result reduced to the input's size
    (bicubic, antialiased), over all samples that are visible; from 0 to 100, which is given for
    what does not differ. ``worst_db``: the same in the worst square of 64 x 64 input pixels.
    ``basis``: what was compared with.
    """

    consistency_db: float
    worst_db: float
    basis: Literal["input"] = "input"


@dataclass(frozen=True, slots=True, eq=False)
class Deviation:
    """Mean squared differences of what is visible, full scale being 1; 0 where nothing is.

    ``total``: over the picture; ``cells``: by squares of :data:`CELL` input pixels, in rows.
    ``visible``: the share of each cell's pixels that is.
    """

    total: float
    cells: npt.NDArray[np.float64]
    visible: npt.NDArray[np.float64]

    @property
    def decibels(self) -> float:
        """Of the picture."""
        return decibels(1.0, self.total)

    def fidelity(self) -> Fidelity:
        """The figures for the user."""
        return Fidelity(self.decibels, decibels(1.0, float(self.cells.max())))


def measure(output: Array, input: Array, alpha: Array | None = None) -> Deviation:
    """Compare ``output`` with ``input``, of the same dtype, one strip at a time.

    ``alpha``: ``(H, W)`` of the input; pixels for which it is 0 do not count. Integer pictures are
    clipped after reducing, since the input could not hold an overshoot either; what floats beyond
    [0, 1] count is said at :func:`hyperfocal.quality.fidelity.weigh`.
    """
    height, width = input.shape[:2]
    channels = 1 if input.ndim == 2 else input.shape[2]
    lefts = np.arange(0, width, CELL)
    sums = np.zeros((-(-height // CELL), lefts.size))
    heights = np.minimum(CELL, height - np.arange(sums.shape[0]) * CELL)
    areas = heights[:, None] * np.minimum(CELL, width - lefts)[None, :]
    counts = areas if alpha is None else np.zeros_like(areas)
    integer, span = np.issubdtype(input.dtype, np.integer), full_scale(input)
    ratio = output.shape[0] / height
    for top, strip in strips(output, (height, width)):
        count = strip.shape[0]
        given, cells = input[top : top + count], np.arange(top, top + count) // CELL
        if integer:
            np.clip(strip, 0.0, span, out=strip)
        # Floats may be of any size; beyond all measure is an error, too.
        with np.errstate(over="ignore"):
            strip -= given
        if not integer:
            weigh(strip, given)
        if alpha is not None:
            visible = alpha[top : top + count] != 0
            strip *= visible if strip.ndim == 2 else visible[:, :, None]
            np.add.at(counts, cells, np.add.reduceat(visible, lefts, axis=1, dtype=counts.dtype))
        flat = strip.reshape(count, -1)
        flat *= flat
        np.add.at(sums, cells, np.add.reduceat(flat, lefts * channels, axis=1))
        pages.release(output[int(top * ratio) : int((top + count) * ratio)])
    sums /= span * span
    return Deviation(
        float(sums.sum() / max(int(counts.sum()) * channels, 1)),
        sums / (np.maximum(counts, 1) * channels),
        counts / areas,
    )
