"""Structural similarity.

Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error
visibility to structural similarity", IEEE Trans. Image Processing 13(4), 2004: 11x11 Gaussian
window of sigma 1.5, K1 = 0.01, K2 = 0.03, only where the window lies wholly inside the picture.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from hyperfocal.errors import ArrayError
from hyperfocal.quality.arrays import Flags
from hyperfocal.quality.banded import Band, column_bands, multiply_columns, multiply_rows, row_bands

Plane = npt.NDArray[np.float64]

WINDOW = 11
"""Pixels that a side must have at least."""
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03
_BLOCK = 16


def structural_similarity(
    image: Plane, reference: Plane, *, peak: float = 255.0, visible: Flags | None = None
) -> float:
    """Mean SSIM of two planes ``(H, W)`` of float64 with values from 0 to ``peak``.

    ``visible``: ``(H, W)``, which pixels count, None for all. The others are taken to be alike,
    windows that hold no visible one are left out, and where no window is left it is 1.
    Not downscaled first: the literature of super-resolution scores at full size.
    :class:`ArrayError` when the shapes differ or a side is under 11 pixels.
    """
    if image.shape != reference.shape or image.ndim != 2:
        raise ArrayError(f"SSIM needs two planes of one shape: {image.shape}, {reference.shape}")
    height, width = image.shape
    if min(height, width) < WINDOW:
        raise ArrayError(f"SSIM needs at least {WINDOW}x{WINDOW} pixels, not {width}x{height}")
    count = (height - WINDOW + 1) * (width - WINDOW + 1)
    blind = 0
    if visible is not None:
        image = np.where(visible, image, reference)
        blind = blind_windows(visible)
        if blind == count:
            return 1.0
    rows, columns = _gaussian(height), column_bands(_gaussian(width), 1)
    total = 0.0
    for band in rows:
        total += _band_sum(
            image[band.low : band.high], reference[band.low : band.high], band, columns, peak
        )
    # A window on nothing but what is alike has a similarity of 1.
    return float((total - blind) / (count - blind))


def blind_windows(visible: Flags) -> int:
    """How many windows of ``visible``, ``(H, W)`` and at least one window large, see nothing."""
    hidden = ~visible
    for axis in (0, 1):
        hidden = np.all(sliding_window_view(hidden, WINDOW, axis), axis=-1)
    return int(np.count_nonzero(hidden))


def _band_sum(x: Plane, y: Plane, band: Band, columns: tuple[Band, ...], peak: float) -> float:
    """Sum of the similarity over the windows of one band of rows."""
    width = x.shape[1]
    count = band.matrix.shape[0]
    down = np.empty((5, count, width))
    for plane, smoothed in zip((x, y, x * x, y * y, x * y), down, strict=True):
        multiply_rows(band.matrix, plane, smoothed)
    smooth = np.empty((5 * count, width - WINDOW + 1))
    multiply_columns(down.reshape(5 * count, width), columns, smooth)
    mean_x, mean_y, square_x, square_y, product = smooth.reshape(5, count, -1)
    c1, c2 = (_K1 * peak) ** 2, (_K2 * peak) ** 2
    means = mean_x * mean_y
    powers = mean_x * mean_x + mean_y * mean_y
    top = (2.0 * means + c1) * (2.0 * (product - means) + c2)
    bottom = (powers + c1) * (square_x + square_y - powers + c2)
    return float((top / bottom).sum())


@lru_cache(maxsize=16)
def _gaussian(length: int) -> tuple[Band, ...]:
    offsets = np.arange(WINDOW)
    weights = np.exp(-((offsets - WINDOW // 2) ** 2) / (2.0 * _SIGMA**2))
    count = length - WINDOW + 1
    return row_bands(
        np.arange(count)[:, None] + offsets,
        np.broadcast_to(weights / weights.sum(), (count, WINDOW)),
        _BLOCK,
        "float64",
    )
