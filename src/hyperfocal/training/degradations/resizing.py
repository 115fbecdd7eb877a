"""Resizing as programs do it: by area, bilinear or bicubic, with or without antialiasing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from hyperfocal.training.degradations.ranges import (
    FORBID,
    Pixels,
    Range,
    check_range,
    check_share,
    log_uniform,
)

Filter = Literal["area", "bilinear", "bicubic"]
FILTERS: tuple[Filter, ...] = ("area", "bilinear", "bicubic")
_PILLOW = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


@dataclass(frozen=True, slots=True)
class Resize:
    """Resizing to ``size``, (height, width).

    The corners of the picture stay where they are, so that what follows registers with the
    original. Without ``antialias`` the kernel is not widened when reducing, as in OpenCV, and
    fine detail turns into jags.
    """

    size: tuple[int, int]
    filter: Filter
    antialias: bool = True

    def apply(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """The picture of the new size, in [0, 1]."""
        if pixels.shape[:2] == self.size:
            return pixels
        if self.filter == "area":
            return _by_area(pixels, self.size)
        image, (height, width) = Image.fromarray(to_bytes(pixels)), self.size
        method = _PILLOW[self.filter]
        if self.antialias:
            image = image.resize((width, height), method)
        else:
            whole = (0, 0, image.width, image.height)
            image = image.transform((width, height), Image.Transform.EXTENT, whole, method)
        return from_bytes(np.asarray(image))

    def __str__(self) -> str:
        sharp = "" if self.antialias else ", not antialiased"
        return f"{self.filter} to {self.size[1]}x{self.size[0]}{sharp}"


@dataclass(frozen=True, slots=True)
class ResizeRange:
    """Which intermediate sizes happen. ``factor`` is relative to the low-resolution size.

    ``aliased``: the share of bilinear and bicubic resizes that are not antialiased.
    """

    __pydantic_config__ = FORBID

    probability: float = 0.5
    factor: Range = (0.8, 2.0)
    aliased: float = 0.15

    def __post_init__(self) -> None:
        check_share("probability", self.probability)
        check_share("aliased", self.aliased)
        check_range("factor", self.factor, 0.25, 8.0)

    def draw(
        self, generator: np.random.Generator, was: tuple[int, int], low: tuple[int, int]
    ) -> Resize | None:
        """A resize from the size ``was`` to some factor of the size ``low``, or none."""
        if generator.random() >= self.probability:
            return None
        factor = log_uniform(generator, self.factor)
        size = max(1, round(low[0] * factor)), max(1, round(low[1] * factor))
        return self.to(generator, was, size)

    def to(
        self, generator: np.random.Generator, was: tuple[int, int], size: tuple[int, int]
    ) -> Resize:
        """A resize from the size ``was`` to exactly ``size``."""
        # Enlarged by area, a picture would have some of its rows twice, which no program does.
        filters = FILTERS if size[0] <= was[0] else FILTERS[1:]
        chosen = filters[int(generator.integers(len(filters)))]
        aliased = chosen != "area" and generator.random() < self.aliased
        return Resize(size, chosen, not aliased)


def _by_area(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Each new pixel is the mean of the area it covers; Pillow would take whole pixels only."""
    rows: Pixels = np.zeros((size[0], *pixels.shape[1:]), np.float32)
    for index, share in _coverage(pixels.shape[0], size[0]):
        rows += share[:, None, None] * pixels[index]
    made: Pixels = np.zeros((*size, pixels.shape[2]), np.float32)
    for index, share in _coverage(pixels.shape[1], size[1]):
        made += share[:, None] * rows[:, index]
    return made


@lru_cache(maxsize=64)
def _coverage(
    length: int, out_length: int
) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]]:
    """Old pixels and what share of each new one they make up: a pair for every one it meets."""
    step = length / out_length
    start = np.arange(out_length) * step
    found: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]] = []
    for tap in range(math.ceil(step) + 1):
        pixel = np.floor(start).astype(np.intp) + tap
        shared = np.minimum(pixel + 1, start + step) - np.maximum(pixel, start)
        share = (np.clip(shared, 0.0, None) / step).astype(np.float32)
        found.append((np.minimum(pixel, length - 1), share))
    return found


def to_bytes(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Clipped and rounded to 8 bits."""
    levels = pixels * np.float32(255.0)
    levels += np.float32(0.5)
    return np.clip(levels, 0.0, 255.0, out=levels).astype(np.uint8)


def from_bytes(array: npt.NDArray[np.uint8]) -> Pixels:
    """8 bits to [0, 1]."""
    return array * np.float32(1.0 / 255.0)
