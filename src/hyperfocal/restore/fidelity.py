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
from hyperfocal.quality import DECIBEL_CAP
from hyperfocal.quality.decibels import decibels
from hyperfocal.quality.resize import strips

CELL = 64
"""Side in input pixels of the squares that are also measured one by one."""

# Squares of larger differences than this overflow in float32: of the no-data value of a map, for
# instance.
_SQUARED = 1e18

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Figures that say how far the result strays from the input.

    ``consistency_db``: PSNR between the input and the result reduced to the input's size
    (bicubic, antialiased), over all samples; from -100 to 100. ``worst_db``: the same in the worst
    square of 64 x 64 input pixels. ``basis``: what was compared with.
    """

    consistency_db: float
    worst_db: float
    basis: Literal["input"] = "input"


@dataclass(frozen=True, slots=True, eq=False)
class Deviation:
    """Mean squared differences, the span of a sample being 1.

    ``total``: over the picture; ``cells``: by squares of :data:`CELL` input pixels, in rows.
    """

    total: float
    cells: npt.NDArray[np.float64]

    @property
    def decibels(self) -> float:
        """Of the picture."""
        return decibels(1.0, self.total)

    def cell_decibels(self, unit: float = 1.0) -> npt.NDArray[np.float64]:
        """Of each cell. ``unit``: what counts as 1 instead of the span, as a part of it."""
        floor = 10.0 ** (-DECIBEL_CAP / 10.0)
        cells = self.cells / (unit * unit)
        return np.asarray(-10.0 * np.log10(np.clip(cells, floor, 1.0 / floor)))

    def fidelity(self) -> Fidelity:
        """The figures for the user."""
        return Fidelity(self.decibels, float(self.cell_decibels().min()))


def measure(output: Array, input: Array, span: float) -> Deviation:
    """Compare ``output`` with ``input``, of the same dtype, one strip at a time.

    ``span``: what is counted as 1, the full scale of the dtype or more. Integer pictures are
    clipped after reducing, since the input could not hold an overshoot either.
    """
    height, width = input.shape[:2]
    channels = 1 if input.ndim == 2 else input.shape[2]
    lefts = np.arange(0, width, CELL)
    sums = np.zeros((-(-height // CELL), lefts.size))
    integer = np.issubdtype(input.dtype, np.integer)
    ratio = output.shape[0] / height
    for top, strip in strips(output, (height, width)):
        count = strip.shape[0]
        if integer:
            np.clip(strip, 0.0, span, out=strip)
        if span > _SQUARED:
            strip = strip.astype(np.float64)
        strip -= input[top : top + count]
        flat = strip.reshape(count, -1)
        flat *= flat
        rows = np.add.reduceat(flat, lefts * channels, axis=1)
        np.add.at(sums, np.arange(top, top + count) // CELL, rows)
        pages.release(output[int(top * ratio) : int((top + count) * ratio)])
    sums /= span * span
    heights = np.minimum(CELL, height - np.arange(sums.shape[0]) * CELL)
    widths = np.minimum(CELL, width - lefts)
    cells = sums / (heights[:, None] * widths[None, :] * channels)
    return Deviation(float(sums.sum() / input.size), cells)
