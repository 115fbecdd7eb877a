"""EXIF orientation: turning stored pixels upright. EXIF 2.32, tag 0x0112."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

_Samples = TypeVar("_Samples", bound=npt.NDArray[Any])


def swaps_sides(orientation: int) -> bool:
    """Whether the upright picture's width is the stored one's height."""
    return orientation >= 5


def mirrors(orientation: int) -> tuple[bool, bool]:
    """Whether left and right, and top and bottom, are mirrored once the sides are swapped."""
    return orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)


def upright_dpi(dpi: tuple[float, float] | None, orientation: int) -> tuple[float, float] | None:
    """Horizontal and vertical resolution of the upright picture."""
    return dpi[::-1] if dpi is not None and swaps_sides(orientation) else dpi


def turned_place(
    place: tuple[int, ...], width: int, height: int, orientation: int
) -> tuple[int, ...]:
    """A point, and perhaps a diameter or a width and height, in the upright picture of that size.

    ``place``: the same in pixels of the stored one.
    """
    x, y, *extent = place
    if swaps_sides(orientation):
        x, y, extent = y, x, extent[::-1]
    across, down = mirrors(orientation)
    return width - 1 - x if across else x, height - 1 - y if down else y, *extent


def upright(pixels: _Samples, orientation: int) -> _Samples:
    """``(H, W)`` or ``(H, W, 3)`` as it should be seen; contiguous."""
    if orientation >= 5:
        pixels = cast(_Samples, np.swapaxes(pixels, 0, 1))
    across, down = (-1 if mirrored else 1 for mirrored in mirrors(orientation))
    return cast(_Samples, np.ascontiguousarray(pixels[::down, ::across]))
