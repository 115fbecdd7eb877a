"""Noise: Gaussian and Poisson, grey and coloured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hyperfocal.training.degradations.ranges import (
    FORBID,
    Pixels,
    Range,
    check_range,
    check_share,
    log_uniform,
)

# BT.601, as a camera's JPEG holds its luma: grey Poisson noise follows the brightness.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise of one strength. ``level`` is its standard deviation in 8-bit levels.

    For Poisson noise that is the deviation at white; it falls as the square root of brightness.
    ``grey``: all three channels get the same.
    """

    kind: Literal["gaussian", "poisson"]
    level: float
    grey: bool

    def apply(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """The noisy picture, not clipped."""
        deviation = np.float32(self.level / 255.0)
        source = (pixels @ _LUMA)[..., None] if self.grey else pixels
        if self.kind == "gaussian":
            return pixels + deviation * generator.standard_normal(source.shape, dtype=np.float32)
        # White is so many photons that their square root is the deviation asked for.
        photons = np.float32(1.0 / (deviation * deviation))
        light = np.clip(source, 0.0, 1.0)
        counted = generator.poisson(light * photons).astype(np.float32) / photons
        return pixels + (counted - light)

    def __str__(self) -> str:
        return f"{'grey' if self.grey else 'colour'} {self.kind} noise, {self.level:.1f} levels"


@dataclass(frozen=True, slots=True)
class NoiseRange:
    """Which noise happens. ``level``: see :class:`Noise`, drawn by its logarithm.

    ``poisson``, ``grey``: shares of the noise that are so.
    """

    __pydantic_config__ = FORBID

    probability: float = 0.6
    level: Range = (0.8, 12.0)
    poisson: float = 0.4
    grey: float = 0.4

    def __post_init__(self) -> None:
        for name in ("probability", "poisson", "grey"):
            check_share(name, getattr(self, name))
        check_range("level", self.level, 0.05, 128.0)

    def draw(self, generator: np.random.Generator) -> Noise | None:
        """Noise, or none."""
        if generator.random() >= self.probability:
            return None
        return Noise(
            "poisson" if generator.random() < self.poisson else "gaussian",
            log_uniform(generator, self.level),
            bool(generator.random() < self.grey),
        )
