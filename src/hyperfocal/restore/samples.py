"""Between a picture's own samples and what a net takes: three channels, uint8 or the unit range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import ArrayError

Array = npt.NDArray[Any]
NetTile = npt.NDArray[np.uint8] | npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Samples:
    """How one picture's samples map to [0, 1]: ``(sample - low) / span``.

    8-bit pictures are not mapped at all: nets take them as they are. Float pictures beyond
    [0, 1] (highlights above white, colours out of gamut) are squeezed into it and stretched
    back, so that nothing is clipped away.
    """

    dtype: np.dtype[np.generic]
    is_grey: bool
    low: float
    span: float

    @property
    def limits(self) -> tuple[float, float]:
        """The samples that mean 0 and 1."""
        return self.low, self.low + self.span

    @classmethod
    def of(cls, pixels: Array) -> Samples:
        """The mapping for ``(H, W)`` or ``(H, W, 3)``; :class:`ArrayError` on NaN or infinity."""
        is_grey = pixels.ndim == 2
        if np.issubdtype(pixels.dtype, np.integer):
            span = float(np.iinfo(pixels.dtype).max)
            return cls(pixels.dtype, is_grey, 0.0, span)
        low, high = float(pixels.min()), float(pixels.max())
        if not np.isfinite(high - low):
            raise ArrayError("the picture holds samples that are not finite numbers")
        low = min(low, 0.0)
        return cls(pixels.dtype, is_grey, low, max(high, 1.0) - low)

    def to_net(self, tile: Array) -> NetTile:
        """``(h, w)`` or ``(h, w, 3)`` as contiguous ``(h, w, 3)`` uint8 or float32 in [0, 1]."""
        if self.is_grey:
            tile = np.repeat(tile[:, :, None], 3, axis=2)
        if self.dtype == np.uint8:
            return np.ascontiguousarray(tile, np.uint8)
        unit = tile.astype(np.float32, order="C")
        if self.low:
            unit -= np.float32(self.low)
        if self.span != 1.0:
            unit *= np.float32(1.0 / self.span)
        return unit

    def from_net(self, tile: NetTile) -> Array:
        """The net's answer as samples of the picture; grey is the mean of the channels."""
        if self.dtype == np.uint8:
            if not self.is_grey:
                return tile
            total = tile[:, :, 0].astype(np.uint16) + tile[:, :, 1] + tile[:, :, 2]
            return ((total + 1) // 3).astype(np.uint8)
        unit = tile.mean(axis=2) if self.is_grey else tile
        if self.dtype == np.uint16:
            return round_into(unit * np.float32(self.span), np.empty(unit.shape, np.uint16))
        return unit * np.float32(self.span) + np.float32(self.low)


def round_into(
    values: npt.NDArray[np.floating], out: Array, limits: tuple[float, float] = (0.0, 1.0)
) -> Array:
    """Store float samples clipped: integers to their full range and rounded, floats to ``limits``.

    Alters ``values``.
    """
    if np.issubdtype(out.dtype, np.integer):
        np.clip(values, 0, np.iinfo(out.dtype).max, out=values)
        values += 0.5
    else:
        np.clip(values, *limits, out=values)
    np.copyto(out, values, casting="unsafe")
    return out
