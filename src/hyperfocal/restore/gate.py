"""The sanity gate: an answer that is no picture is an error, never a result.

Broken drivers, overflowing half-precision arithmetic and damaged weights give black or garbled
pictures without any error of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import GarbledOutput
from hyperfocal.quality import consistency, resize_picture_array
from hyperfocal.quality.arrays import Flags
from hyperfocal.quality.decibels import decibels
from hyperfocal.restore.fidelity import CELL, Deviation

Array = npt.NDArray[Any]

# A flat answer is wrong only where the input was clearly not flat: levels of 255.
_NOT_FLAT = 24
# Where a cell of the result is this far from the input, and this much further than bicubic
# enlargement of the same cell, the net did not restore the picture but made something else.
_GARBLED_DB = 20.0
_BELOW_BICUBIC_DB = 15.0
# Cells looked at, worst first; a net that fails at all fails in more than a few.
_CELLS = 32
_MARGIN = 8


def check_tile(model: str, seen: Array, made: Array) -> None:
    """:class:`GarbledOutput` if ``made`` is not finite, or flat where ``seen`` is not.

    Both as the net takes and gives them: uint8, or float32 in [0, 1].
    """
    low, high = float(made.min()), float(made.max())
    if not np.isfinite(high - low):
        raise GarbledOutput(f"{model} made values that are not numbers; try precision float")
    if low == high:
        unit = 255.0 if seen.dtype == np.uint8 else 1.0
        contrast = float(seen.max()) - float(seen.min())
        if contrast * 255.0 / unit > _NOT_FLAT:
            raise GarbledOutput(f"{model} made a flat area of {low:g} out of one that is not flat")


def check_faithful(
    deviation: Deviation, output: Array, input: Array, native: int, alpha: Array | None = None
) -> None:
    """:class:`GarbledOutput` if some part of the result has nothing to do with the input.

    ``native``: the scale that the models enlarged to before any reduction to the output's size.
    ``alpha``: of the input, as it was measured with.
    """
    # A few visible pixels prove nothing: the fewer they are, the further off they may be.
    errors = deviation.cells * deviation.visible
    order = np.argsort(-errors, axis=None)[:_CELLS]
    for index in order:
        row, column = np.unravel_index(index, errors.shape)
        if decibels(1.0, float(errors[row, column])) >= _GARBLED_DB:
            return
        reached = decibels(1.0, float(deviation.cells[row, column]))
        top, left = int(row) * CELL, int(column) * CELL
        part = (
            slice(max(top - _MARGIN, 0), top + CELL + _MARGIN),
            slice(max(left - _MARGIN, 0), left + CELL + _MARGIN),
        )
        visible = None if alpha is None else alpha[part] != 0
        scale = output.shape[0] / input.shape[0]
        if reached < _bicubic(input[part], visible, scale, native) - _BELOW_BICUBIC_DB:
            raise GarbledOutput(
                f"the result does not resemble the input near ({left}, {top}): "
                f"{reached:.1f} dB when reduced again"
            )


def _bicubic(crop: Array, visible: Flags | None, scale: float, native: int) -> float:
    """Consistency of bicubic enlargement, by the same way: beyond the scale, then down to it."""
    height, width = crop.shape[:2]
    made = resize_picture_array(crop, (height * native, width * native))
    size = (round(height * scale), round(width * scale))
    if size != made.shape[:2]:
        made = resize_picture_array(made, size)
    return consistency(made, crop, visible)
