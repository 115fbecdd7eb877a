"""How large the result shall be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Real

from hyperfocal.errors import TooLarge, UsageError

SMALLEST, LARGEST = 1.0, 8.0
"""Enlargement that can be asked for."""

# A size given in whole pixels is off the exact ratio by up to half a pixel; that alone must not
# push a picture below 1 or beyond 8.
_SLACK = 0.5
# Characters of a wrong value that a message repeats.
_QUOTED = 60


def is_finite_number(value: object) -> bool:
    """Whether it is a real number, numpy's included, and neither NaN nor infinite nor a bool.

    Integers that no float can hold count as infinite.
    """
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def shown(value: object) -> str:
    """A value as messages quote it: cut short, and made of whatever can be made text of."""
    try:
        text = repr(value)
    except ValueError:
        # Python writes out no integers of thousands of digits.
        return "a number of thousands of digits"
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked for: at most one of the four; the picture's proportions are always kept.

    ``scale``: factor on both sides, 1 to 8. ``size``: ``(width, height)`` of a box in pixels
    that the result fits into exactly; either may be None for "as follows". ``long_edge``: the
    longer side in pixels. ``megapixels``: millions of pixels of the result.
    """

    scale: float | None = None
    size: tuple[int | None, int | None] | None = None
    long_edge: int | None = None
    megapixels: float | None = None

    def __post_init__(self) -> None:
        given = [
            name
            for name in ("scale", "size", "long_edge", "megapixels")
            if getattr(self, name) is not None
        ]
        if len(given) > 1:
            raise UsageError(f"give only one of {' and '.join(given)}")
        sides: tuple[int | None, ...] = ()
        if self.size is not None:
            sides = (
                tuple(self.size)
                if isinstance(self.size, Iterable) and not isinstance(self.size, Iterator)
                else ()
            )
            if len(sides) != 2 or sides == (None, None):
                raise UsageError("size must be (width, height); one of the two may be None")
        for value in (self.scale, self.long_edge, self.megapixels, *sides):
            if value is not None and not (is_finite_number(value) and value > 0):
                raise UsageError(f"{given[0]} must be a positive number, not {shown(value)}")
        if self.scale is not None and not SMALLEST <= self.scale <= LARGEST:
            raise UsageError(f"scale must be from {SMALLEST:g} to {LARGEST:g}, not {self.scale:g}")

    @property
    def is_given(self) -> bool:
        """Whether anything was asked for at all."""
        return self != Target()

    def resolve(
        self, height: int, width: int, *, default: float, max_pixels: int | None = None
    ) -> tuple[int, int]:
        """The ``(height, width)`` of the result for a picture of ``height`` x ``width``.

        ``default``: the scale where nothing was asked for. :class:`UsageError` where that
        would not be an enlargement from 1 to 8, :class:`TooLarge` beyond ``max_pixels``.
        """
        scale = self._factor(height, width, default)
        slack = _SLACK / max(height, width)
        if not SMALLEST - slack <= scale <= LARGEST + slack:
            raise UsageError(
                f"a picture of {width}x{height} would have to be scaled by {scale:.3g} for that; "
                f"it can be enlarged {SMALLEST:g} to {LARGEST:g} times"
            )
        # Of the smallest pictures the slack is more than a pixel.
        rows, columns = (
            min(max(math.floor(side * scale + 0.5), side), round(side * LARGEST))
            for side in (height, width)
        )
        if max_pixels is not None and rows * columns > max_pixels:
            raise TooLarge(
                f"the result would be {columns}x{rows}, over the limit of {max_pixels} pixels "
                "(setting max_output_pixels)"
            )
        return rows, columns

    def _factor(self, height: int, width: int, default: float) -> float:
        if self.scale is not None:
            return self.scale
        if self.size is not None:
            across, down = self.size
            return min(across / width if across else math.inf, down / height if down else math.inf)
        if self.long_edge is not None:
            return self.long_edge / max(height, width)
        if self.megapixels is not None:
            return math.sqrt(self.megapixels * 1e6 / (height * width))
        return default
