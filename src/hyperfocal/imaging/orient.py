"""EXIF orientation: turning stored pixels upright. EXIF 2.32, tag 0x0112."""

from __future__ import annotations

from typing import cast

import numpy as np

from hyperfocal.imaging.picture import Pixels


def swaps_sides(orientation: int) -> bool:
    """Whether the upright picture's width is the stored one's height."""
    return orientation >= 5


def upright_dpi(dpi: tuple[float, float] | None, orientation: int) -> tuple[float, float] | None:
    """Horizontal and vertical resolution of the upright picture."""
    return dpi[::-1] if dpi is not None and swaps_sides(orientation) else dpi


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """``(H, W)`` or ``(H, W, 3)`` as it should be seen; contiguous."""
    if orientation >= 5:
        pixels = np.swapaxes(pixels, 0, 1)
    # After the transposition: 2, 3, 6, 7 mirror left and right; 3, 4, 7, 8 top and bottom.
    across = -1 if orientation in (2, 3, 6, 7) else 1
    down = -1 if orientation in (3, 4, 7, 8) else 1
    return cast(Pixels, np.ascontiguousarray(pixels[::down, ::across]))
