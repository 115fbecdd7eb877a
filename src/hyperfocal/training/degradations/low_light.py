"""Low light: fewer photons, counted by a sensor with noise of its own, brightened again.

Poisson-Gaussian noise in linear light: A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian,
"Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data", IEEE Trans.
Image Processing 17(10), 2008.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hyperfocal.training.degradations.ranges import (
    FORBID,
    Pixels,
    Range,
    check_range,
    check_share,
    log_uniform,
    uniform,
)

# Steps of the table that encodes linear light: the encoding is steepest near black, where one
# step is a fifth of an 8-bit level.
_STEPS = 1 << 14


@dataclass(frozen=True, slots=True)
class LowLight:
    """One exposure. ``photons``: electrons counted at white before the drop.

    ``exposure``: what share of the light is left; ``read``: read noise in electrons; ``gain``:
    how far the drop is made up for afterwards, 0 (the picture stays dark) to 1 (not at all).
    """

    exposure: float
    photons: float
    read: float
    gain: float

    def apply(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """The picture as that exposure gives it, in [0, 1]."""
        light = linear(pixels)
        full = np.float32(self.photons * self.exposure)
        counted = generator.poisson(light * full).astype(np.float32)
        counted += np.float32(self.read) * generator.standard_normal(light.shape, dtype=np.float32)
        return encoded(counted * np.float32(self.exposure ** (1.0 - self.gain) / full))

    def __str__(self) -> str:
        electrons = self.photons * self.exposure
        dark = self.exposure ** (1.0 - self.gain)
        return f"low light, {electrons:.0f} e- at white, read {self.read:.1f} e-, {dark:.2f} bright"


@dataclass(frozen=True, slots=True)
class LowLightRange:
    """Which low light happens; see :class:`LowLight`.

    ``gain`` is 1 by default: a net that learns to brighten shifts the tones of every dark picture.
    """

    __pydantic_config__ = FORBID

    probability: float = 0.06
    exposure: Range = (0.1, 0.5)
    photons: Range = (1500.0, 12000.0)
    read: Range = (1.0, 6.0)
    gain: Range = (1.0, 1.0)

    def __post_init__(self) -> None:
        check_share("probability", self.probability)
        check_range("exposure", self.exposure, 0.001, 1.0)
        check_range("photons", self.photons, 10.0, 1e6)
        check_range("read", self.read, 0.0, 100.0)
        check_range("gain", self.gain, 0.0, 1.0)

    def draw(self, generator: np.random.Generator) -> LowLight | None:
        """A low exposure, or none."""
        if generator.random() >= self.probability:
            return None
        return LowLight(
            log_uniform(generator, self.exposure),
            log_uniform(generator, self.photons),
            uniform(generator, self.read),
            uniform(generator, self.gain),
        )


def linear(pixels: Pixels) -> Pixels:
    """sRGB (IEC 61966-2-1) to linear light, both in [0, 1]; values outside are clipped."""
    encoded = np.clip(pixels, 0.0, 1.0)
    low = encoded * np.float32(1.0 / 12.92)
    high = ((encoded + np.float32(0.055)) * np.float32(1.0 / 1.055)) ** np.float32(2.4)
    return np.where(encoded <= np.float32(0.04045), low, high)


def encoded(light: Pixels) -> Pixels:
    """Linear light to sRGB, both in [0, 1]; values outside are clipped."""
    index = np.clip(light, 0.0, 1.0) * np.float32(_STEPS) + np.float32(0.5)
    return _table()[index.astype(np.int32)]


@lru_cache(maxsize=1)
def _table() -> Pixels:
    light = np.arange(_STEPS + 1) / _STEPS
    high = 1.055 * light ** (1.0 / 2.4) - 0.055
    return np.where(light <= 0.0031308, 12.92 * light, high).astype(np.float32)
