"""What an array of pixels may be, checked in one place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import ArrayError

Array = npt.NDArray[np.generic]
Flags = npt.NDArray[np.bool_]


def check_pixels(array: Array, name: str = "the array") -> None:
    """Refuse all but a non-empty ``(H, W)`` or ``(H, W, 3)`` of uint8, uint16 or float."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3) or 0 in array.shape:
        raise ArrayError(f"{name} must be (H, W) or (H, W, 3) and not empty, not {array.shape}")
    if array.dtype not in (np.uint8, np.uint16) and not np.issubdtype(array.dtype, np.floating):
        raise ArrayError(f"{name} must be uint8, uint16 or float in [0, 1], not {array.dtype}")


def full_scale(array: Array) -> float:
    """The sample value that means white: 255, 65535, or 1.0 for floating types."""
    if np.issubdtype(array.dtype, np.integer):
        return float(np.iinfo(array.dtype).max)  # type: ignore[type-var]
    return 1.0
