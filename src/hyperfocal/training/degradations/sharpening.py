"""Sharpening by an unsharp mask, as cameras and programs do it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperfocal.training.degradations.kernels import Kernel, convolve, gaussian
from hyperfocal.training.degradations.ranges import (
    FORBID,
    Pixels,
    Range,
    check_range,
    check_share,
    log_uniform,
    uniform,
)


@dataclass(frozen=True, slots=True)
class Sharpen:
    """``amount`` times what a Gaussian of ``sigma`` pixels would take away is added.

    The unsharp mask (R. C. Gonzalez and R. E. Woods, "Digital Image Processing", section 3.6):
    edges get a dark rim and a bright one, noise and fine detail are that much stronger.
    """

    sigma: float
    amount: float

    def kernel(self) -> Kernel:
        """All of it as one kernel ``(side, side)``, summing to 1."""
        kernel = -self.amount * gaussian(self.sigma)
        middle = len(kernel) // 2
        kernel[middle, middle] += 1.0 + self.amount
        return kernel

    def apply(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """The sharpened picture, not clipped."""
        return convolve(pixels, self.kernel())

    def __str__(self) -> str:
        return f"unsharp mask, {self.amount:.0%} at {self.sigma:.2f} px"


@dataclass(frozen=True, slots=True)
class SharpenRange:
    """Which sharpening happens. ``sigma`` in pixels; ``amount``, drawn by its logarithm."""

    __pydantic_config__ = FORBID

    probability: float = 0.25
    sigma: Range = (0.4, 1.2)
    amount: Range = (0.2, 2.0)

    def __post_init__(self) -> None:
        check_share("probability", self.probability)
        check_range("sigma", self.sigma, 0.05, 10.0)
        check_range("amount", self.amount, 0.01, 10.0)

    def draw(self, generator: np.random.Generator) -> Sharpen | None:
        """Sharpening, or none."""
        if generator.random() >= self.probability:
            return None
        return Sharpen(uniform(generator, self.sigma), log_uniform(generator, self.amount))
