"""Between a picture's own samples and what a net takes: three channels, uint8 or the unit range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import ArrayError
from hyperfocal.quality.resize import imresize

Array = npt.NDArray[Any]
NetTile = npt.NDArray[np.uint8] | npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Samples:
    """How one picture's samples map to [0, 1], and the range that they span.

    8-bit pictures are not mapped at all: nets take them as they are. Of float pictures beyond
    [0, 1] (highlights above white, colours out of gamut) nets see what is within; what is beyond
    is enlarged by bicubic interpolation and added to their answer. So nothing is clipped away,
    and one bright lamp does not make the rest of the picture dark to the net.

    ``low``, ``high``: the least and the largest sample, of floats at most 0 and at least 1, of
    integers 0 and the full scale.
    """

    dtype: np.dtype[np.generic]
    is_grey: bool
    low: float
    high: float

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest sample there may be."""
        return self.low, self.high

    @property
    def goes_beyond(self) -> bool:
        """Whether floats are less than 0 or more than 1."""
        return np.issubdtype(self.dtype, np.floating) and self.limits != (0.0, 1.0)

    @classmethod
    def of(cls, pixels: Array) -> Samples:
        """The mapping for ``(H, W)`` or ``(H, W, 3)``; :class:`ArrayError` on NaN or infinity."""
        is_grey = pixels.ndim == 2
        if np.issubdtype(pixels.dtype, np.integer):
            return cls(pixels.dtype, is_grey, 0.0, float(np.iinfo(pixels.dtype).max))
        check_finite(pixels)
        low, high = float(pixels.min()), float(pixels.max())
        return cls(pixels.dtype, is_grey, min(low, 0.0), max(high, 1.0))

    def to_net(self, tile: Array) -> NetTile:
        """``(h, w)`` or ``(h, w, 3)`` as contiguous ``(h, w, 3)`` uint8 or float32 in [0, 1]."""
        if self.is_grey:
            tile = np.repeat(tile[:, :, None], 3, axis=2)
        if self.dtype == np.uint8:
            return np.ascontiguousarray(tile, np.uint8)
        unit = tile.astype(np.float32, order="C")
        if np.issubdtype(self.dtype, np.integer):
            unit *= np.float32(1.0 / self.high)
        elif self.goes_beyond:
            np.clip(unit, 0.0, 1.0, out=unit)
        return unit

    def from_net(self, made: NetTile, given: Array) -> Array:
        """The net's answer to the tile ``given``, as samples of the picture.

        Grey is the mean of the channels.
        """
        if self.dtype == np.uint8:
            if not self.is_grey:
                return made
            total = made[:, :, 0].astype(np.uint16) + made[:, :, 1] + made[:, :, 2]
            return ((total + 1) // 3).astype(np.uint8)
        unit = made.mean(axis=2) if self.is_grey else made
        if self.dtype == np.uint16:
            return round_into(unit * np.float32(self.high), np.empty(unit.shape, np.uint16))
        return self._with_what_is_beyond(unit, given) if self.goes_beyond else unit

    def _with_what_is_beyond(self, unit: Array, given: Array) -> Array:
        given = given.astype(np.float32, copy=False)
        beyond = given - np.clip(given, 0.0, 1.0)
        if not beyond.any():
            return unit
        whole: Array = unit + imresize(beyond, unit.shape[0] // given.shape[0])
        return np.clip(whole, *self.limits, out=whole)


def check_finite(samples: Array) -> None:
    """:class:`ArrayError` on NaN or infinity; integers are never that."""
    # The smallest and the largest are NaN when any sample is.
    if samples.dtype.kind == "f" and not np.isfinite((samples.min(), samples.max())).all():
        raise ArrayError("the picture holds samples that are not finite numbers")


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
