"""Luma as the super-resolution literature scores it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import ArrayError
from hyperfocal.quality.arrays import Array, check_pixels, full_scale

# ITU-R BT.601 with 8-bit studio range, 16 to 235: Y = 16 + 65.481 R + 128.553 G + 24.966 B for
# R, G, B in [0, 1]. These are the coefficients of MATLAB's rgb2ycbcr.
_OFFSET = 16.0
_WEIGHTS = (65.481, 128.553, 24.966)


def to_8_bit(image: Array) -> npt.NDArray[np.uint8]:
    """Pixels rounded to 8 bits: uint8 as it is, uint16 by 257, float in [0, 1] clipped."""
    if image.dtype == np.uint8:
        return image.astype(np.uint8, copy=False)
    if np.issubdtype(image.dtype, np.floating) and not np.isfinite(image).all():
        raise ArrayError("the array holds values that are not finite numbers")
    levels = image.astype(np.float64) * (255.0 / full_scale(image))
    return (np.clip(levels, 0.0, 255.0) + 0.5).astype(np.uint8)


def to_levels(image: Array) -> npt.NDArray[np.float32]:
    """Pixels as :func:`to_8_bit` has them, as float32; infinite ones count as black or white."""
    if image.dtype.kind == "f":
        image = np.clip(image, 0.0, 1.0)  # type: ignore[call-overload]
    return to_8_bit(image).astype(np.float32)


def luma(image: Array) -> npt.NDArray[np.float64]:
    """Luma ``(H, W)`` in levels of 8 bits, not rounded.

    ``image``: ``(H, W, 3)`` RGB, uint8, uint16 or float in [0, 1], rounded to 8 bits first, as
    the files that the literature scores are. Gives Y of BT.601, 16 to 235. Y itself is not
    rounded: that would cost 0.03 dB at 33 dB and 0.07 dB at 38 dB, and present-day papers do
    not do it. Grey ``(H, W)`` gives its own values, 0 to 255. :class:`ArrayError` for other
    arrays.
    """
    check_pixels(image)
    levels = to_8_bit(image)
    if levels.ndim == 2:
        return levels.astype(np.float64)
    total = np.full(levels.shape[:2], _OFFSET)
    for channel, weight in enumerate(_WEIGHTS):
        total += levels[..., channel] * (weight / 255.0)
    return total
