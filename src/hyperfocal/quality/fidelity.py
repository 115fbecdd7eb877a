"""How much of a restored picture was in the input: degrade it back, and compare.

The reasoning is that of back-projection (M. Irani, S. Peleg, "Improving resolution by image
registration", CVGIP 53(3), 1991): whatever detail was added, the result reduced to the input's
size should give the input. What differs was not in the photograph.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import ArrayError
from hyperfocal.quality.arrays import Array, check_pixels, full_scale
from hyperfocal.quality.banded import Floats
from hyperfocal.quality.decibels import decibels
from hyperfocal.quality.resize import strips


def degrade(output: Array, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """The restored picture reduced to ``size`` (height, width), as float32 in the unit range.

    ``output``: ``(H, W)`` or ``(H, W, 3)``, uint8, uint16 or float in [0, 1]. Bicubic,
    antialiased, not rounded. Integer pictures are clipped to [0, 1], since the input they are
    compared with could not hold the overshoot either; floating pictures are not clipped.
    :class:`ArrayError` for other arrays.
    """
    check_pixels(output, "the output")
    small = np.empty((*size, *output.shape[2:]), np.float32)
    for top, strip in _unit_strips(output, size):
        small[top : top + strip.shape[0]] = strip
    return small


def consistency(output: Array, input: Array) -> float:
    """PSNR in dB between the input and the output degraded back to the input's size.

    Both ``(H, W)`` or both ``(H, W, 3)``, uint8, uint16 or float in [0, 1], not necessarily
    alike in depth; over all samples, in the unit range, within :data:`DECIBEL_CAP` of 0.
    Bicubic enlargement gives 30 to 50 dB on photographs. Needs memory for some dozen rows of
    the output. :class:`ArrayError` for arrays that cannot be compared.
    """
    check_pixels(output, "the output")
    check_pixels(input, "the input")
    if output.ndim != input.ndim:
        raise ArrayError(f"one is grey, the other is not: {output.shape} and {input.shape}")
    unit = np.float32(1.0 / full_scale(input))
    total = 0.0
    for top, strip in _unit_strips(output, (input.shape[0], input.shape[1])):
        strip -= np.multiply(input[top : top + strip.shape[0]], unit, dtype=np.float32)
        flat = strip.ravel()
        # Floats may be of any size; beyond all measure is an error, too.
        with np.errstate(over="ignore"):
            total += float(np.dot(flat, flat))
    error = total / input.size
    if math.isnan(error):
        raise ArrayError("the output or the input holds values that are not numbers")
    return decibels(1.0, error)


def _unit_strips(output: Array, size: tuple[int, int]) -> Iterator[tuple[int, Floats]]:
    unit = np.float32(1.0 / full_scale(output))
    for top, strip in strips(output, size):
        if unit != 1.0:
            strip *= unit
            np.clip(strip, 0.0, 1.0, out=strip)
        yield top, strip
