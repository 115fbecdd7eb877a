"""What a picture is like, in a few numbers that show when pictures change in kind.

From a sample of the pixels, so that the cost does not grow with the picture.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.quality.arrays import Array, check_pixels
from hyperfocal.quality.luma import to_8_bit

# Pixels of the sparse grid that brightness and contrast come from, and squares of neighbouring
# pixels, as many by as many, that blur and noise come from.
_GRID = 256
_SQUARES, _SIDE = 3, 96
# ITU-R BT.601, full range.
_WEIGHTS = (0.299, 0.587, 0.114)
# Median of |x| over the standard deviation, for a normal distribution.
_MAD = 0.6745

_Plane = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of luma (BT.601, full range, rounded to 8 bits) in the unit range, 0 to 1.

    ``brightness``: mean; ``contrast``: standard deviation. ``blur``: variance of the Laplacian
    (4 neighbours), low for blurred pictures. ``noise``: standard deviation of the noise, from
    the median absolute diagonal detail of the Haar transform (D. L. Donoho, I. M. Johnstone,
    "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81(3), 1994).
    """

    brightness: float
    contrast: float
    blur: float
    noise: float

    def to_dict(self) -> dict[str, float]:
        """Plain numbers by name."""
        return asdict(self)


def measure(pixels: Array) -> Statistics:
    """Statistics of ``(H, W)`` or ``(H, W, 3)``, uint8, uint16 or float in [0, 1].

    Blur and noise are 0 where a picture is too small to have any; values that are not finite
    count as black. :class:`ArrayError` for other arrays.
    """
    check_pixels(pixels)
    height, width = pixels.shape[:2]
    sparse = _luma(pixels[:: -(-height // _GRID), :: -(-width // _GRID)])
    planes = [_luma(pixels[rows, columns]) for rows, columns in _squares(height, width)]
    laplacians = np.concatenate([_laplacian(plane) for plane in planes])
    details = np.concatenate([_diagonal(plane) for plane in planes])
    return Statistics(
        brightness=float(sparse.mean(dtype=np.float64)),
        contrast=float(sparse.std(dtype=np.float64)),
        blur=float(laplacians.var(dtype=np.float64)) if laplacians.size else 0.0,
        noise=float(np.median(np.abs(details))) / _MAD if details.size else 0.0,
    )


def _squares(height: int, width: int) -> list[tuple[slice, slice]]:
    return [(rows, columns) for rows in _spread(height) for columns in _spread(width)]


def _spread(length: int) -> list[slice]:
    """Stretches evenly over a side; the whole of one that is short."""
    if length <= _SQUARES * _SIDE:
        return [slice(0, length)]
    # Even beginnings: the blocks of JPEG then lie alike in all squares.
    starts = [(length - _SIDE) * at // (_SQUARES - 1) & ~1 for at in range(_SQUARES)]
    return [slice(start, start + _SIDE) for start in starts]


def _luma(pixels: Array) -> _Plane:
    if np.issubdtype(pixels.dtype, np.floating):
        pixels = np.where(np.isfinite(pixels), pixels, np.zeros((), pixels.dtype))
    unit = to_8_bit(pixels).astype(np.float32) / np.float32(255)
    if unit.ndim == 2:
        return unit
    plane: Any = unit @ np.asarray(_WEIGHTS, np.float32)
    return np.asarray(plane, np.float32)


def _laplacian(plane: _Plane) -> _Plane:
    inner = 4 * plane[1:-1, 1:-1]
    around = plane[:-2, 1:-1] + plane[2:, 1:-1] + plane[1:-1, :-2] + plane[1:-1, 2:]
    return np.ravel(inner - around)


def _diagonal(plane: _Plane) -> _Plane:
    even: Any = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2]
    top, bottom = even[::2], even[1::2]
    found: _Plane = (top[:, ::2] - top[:, 1::2] - bottom[:, ::2] + bottom[:, 1::2]) / 2
    return np.ravel(found)
