"""MATLAB-compatible bicubic resizing.

The super-resolution literature makes its low-resolution pictures with MATLAB's ``imresize``
(bicubic, a = -0.5, kernel widened when reducing). Libraries differ from it in the kernel
constant, the antialiasing or the border, by up to a decibel, so the benchmark needs its own.

Cubic convolution: R. G. Keys, "Cubic convolution interpolation for digital image processing",
IEEE Trans. ASSP 29(6), 1981. Border: symmetric reflection, as MATLAB does it.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

# Output rows computed by one matrix product. The band of the resize matrix is narrow, so small
# blocks waste few multiplications while still filling the vector units.
_BLOCK = 64


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


@lru_cache(maxsize=64)
def _band(
    length: int, out_length: int, scale: float, antialias: bool, dtype: str
) -> tuple[tuple[int, int, int, npt.NDArray[np.floating]], ...]:
    """The resize matrix as dense blocks: (first output row, first input, last input, block)."""
    indices, weights = contributions(length, out_length, scale, antialias=antialias)
    blocks = []
    for top in range(0, out_length, _BLOCK):
        rows = indices[top : top + _BLOCK]
        low, high = int(rows.min()), int(rows.max()) + 1
        block = np.zeros((rows.shape[0], high - low), dtype=dtype)
        np.add.at(block, (np.arange(rows.shape[0])[:, None], rows - low), weights[top : top + _BLOCK])
        blocks.append((top, low, high, block))
    return tuple(blocks)


def resize_rows(
    image: npt.NDArray[np.floating], out_length: int, scale: float, *, antialias: bool = True
) -> npt.NDArray[np.floating]:
    """Resize the first axis of ``(L, ...)`` to ``out_length``; floating dtype is kept."""
    flat = np.ascontiguousarray(image).reshape(image.shape[0], -1)
    out = np.empty((out_length, flat.shape[1]), dtype=image.dtype)
    for top, low, high, block in _band(
        image.shape[0], out_length, float(scale), antialias, image.dtype.str
    ):
        np.matmul(block, flat[low:high], out=out[top : top + block.shape[0]])
    return out.reshape((out_length, *image.shape[1:]))


def imresize(
    image: npt.NDArray[np.generic],
    scale: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    antialias: bool = True,
) -> npt.NDArray[np.generic]:
    """Resize ``(H, W)`` or ``(H, W, C)`` as MATLAB's ``imresize(image, scale)`` does.

    ``scale``: factor for both axes, output ``ceil(scale * side)``; or ``size``: ``(height,
    width)`` of the output. uint8 and uint16 come back in their own type, rounded and clipped
    (as MATLAB does, which the benchmark's low-resolution pictures depend on); floating types
    are neither clipped nor rounded.
    """
    if (scale is None) == (size is None):
        raise ValueError("give either scale or size")
    if image.ndim not in (2, 3):
        raise ValueError(f"expected (H, W) or (H, W, C), got shape {image.shape}")
    height, width = image.shape[:2]
    if scale is not None:
        out_height, out_width = math.ceil(scale * height), math.ceil(scale * width)
        scale_y = scale_x = float(scale)
    else:
        assert size is not None
        out_height, out_width = size
        scale_y, scale_x = out_height / height, out_width / width
    if image.dtype == np.float32:
        work = image
    else:
        work = image.astype(np.float64)
    if (out_height, scale_y) != (height, 1.0):
        work = resize_rows(work, out_height, scale_y, antialias=antialias)
    if (out_width, scale_x) != (width, 1.0):
        turned = np.swapaxes(work, 0, 1)
        work = np.swapaxes(resize_rows(turned, out_width, scale_x, antialias=antialias), 0, 1)
    if np.issubdtype(image.dtype, np.integer):
        # MATLAB rounds halves away from zero; numpy would round them to even.
        limit = np.iinfo(image.dtype).max  # type: ignore[arg-type]
        return np.floor(np.clip(work, 0, limit) + 0.5).astype(image.dtype)
    return np.ascontiguousarray(work)
