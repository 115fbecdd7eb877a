"""The cubic kernel: which input samples make each output sample, and with which weights.

Cubic convolution: R. G. Keys, "Cubic convolution interpolation for digital image processing",
IEEE Trans. ASSP 29(6), 1981. Border: symmetric reflection, as MATLAB does it.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hyperfocal.quality.banded import Band, column_bands, row_bands

# Output samples made by one matrix product. A small block wastes few multiplications on zeros;
# enlarging needs fewer inputs per output, so its blocks are larger.
_BLOCK, _LARGEST_BLOCK = 16, 64


def cubic(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys' cubic kernel with a = -0.5; any shape, support (-2, 2)."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x <= 1.0, near, np.where(x < 2.0, far, 0.0))


def contributions(
    length: int, out_length: int, scale: float, *, antialias: bool = True
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Which input samples make each output sample, and with which weights.

    Returns ``indices`` and ``weights``, both ``(out_length, taps)``; rows of weights sum to 1.
    """
    shrink = antialias and scale < 1.0
    width = 4.0 / scale if shrink else 4.0
    centre = (np.arange(out_length) + 0.5) / scale - 0.5
    first = np.floor(centre - width / 2.0).astype(np.intp)
    taps = math.ceil(width) + 2
    indices = first[:, None] + np.arange(taps, dtype=np.intp)[None, :]
    distance = centre[:, None] - indices
    weights = scale * cubic(distance * scale) if shrink else cubic(distance)
    weights = weights / weights.sum(axis=1, keepdims=True)
    used = np.flatnonzero(np.any(weights != 0.0, axis=0))
    indices, weights = indices[:, used], weights[:, used]
    period = np.concatenate([np.arange(length), np.arange(length)[::-1]])
    return period[np.mod(indices, 2 * length)], weights


def usual_block(scale: float) -> int:
    """Output samples of one block, where nothing speaks for fewer."""
    return min(max(round(_BLOCK * scale), _BLOCK), _LARGEST_BLOCK)


def block_reach(block: int, scale: float, *, antialias: bool = True) -> int:
    """Input samples that so many neighbouring output samples are made of, at most."""
    width = 4.0 / scale if antialias and scale < 1.0 else 4.0
    return math.ceil((block - 1) / scale + width) + 1


@lru_cache(maxsize=16)
def resize_rows_matrix(
    length: int,
    out_length: int,
    scale: float,
    antialias: bool,
    dtype: str,
    block: int | None = None,
) -> tuple[Band, ...]:
    """The matrix that resizes the first axis, in blocks of so many outputs, or the usual ones."""
    indices, weights = contributions(length, out_length, scale, antialias=antialias)
    return row_bands(indices, weights, block or usual_block(scale), dtype)


@lru_cache(maxsize=16)
def resize_columns_matrix(
    length: int, out_length: int, scale: float, antialias: bool, dtype: str, channels: int
) -> tuple[Band, ...]:
    """The matrix that resizes interleaved columns."""
    return column_bands(resize_rows_matrix(length, out_length, scale, antialias, dtype), channels)
