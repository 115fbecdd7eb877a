"""From a photograph to a low-resolution picture that has been through something.

The second-order model of Real-ESRGAN (X. Wang, L. Xie, C. Dong, Y. Shan, ICCVW 2021): blur,
resizing, noise and compression, sometimes twice, then the final size, a sinc and a last
compression in either order. What theirs does not have is sharpening, before the last two: cameras
sharpen nearly every picture, and programs many that they have reduced. The default ranges are
milder than theirs: the pictures meant are phone pictures, web JPEGs and those of small old cameras,
and a net trained to undo worse things than it meets smears what it should keep.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Annotated, Protocol

import numpy as np
import numpy.typing as npt

from hyperfocal.quality.resize import imresize
from hyperfocal.training.degradations.compression import CompressionRange
from hyperfocal.training.degradations.kernels import BlurRange
from hyperfocal.training.degradations.low_light import LowLightRange
from hyperfocal.training.degradations.noise import NoiseRange
from hyperfocal.training.degradations.ranges import FORBID, Pixels, check_share, others_of
from hyperfocal.training.degradations.resizing import ResizeRange, from_bytes, to_bytes
from hyperfocal.training.degradations.sharpening import SharpenRange

Bytes = npt.NDArray[np.uint8]


class Step(Protocol):
    """One concrete thing that happens to a picture; ``str`` says what."""

    def apply(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """The picture after it. ``generator`` is for noise."""
        ...


@dataclass(frozen=True, slots=True)
class CleanReduction:
    """MATLAB's bicubic reduction to ``size``, and nothing else."""

    size: tuple[int, int]

    def apply(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """The reduced picture."""
        return np.asarray(imresize(pixels, size=self.size), np.float32)

    def __str__(self) -> str:
        return "clean: bicubic reduction only"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Concrete steps, in order."""

    steps: tuple[Step, ...]

    def apply(self, hr: Bytes, generator: np.random.Generator) -> Bytes:
        """The low-resolution picture of ``hr``, both ``(H, W, 3)`` uint8."""
        pixels = from_bytes(hr)
        for step in self.steps:
            pixels = step.apply(pixels, generator)
        return to_bytes(pixels)

    def __str__(self) -> str:
        return "; ".join(str(step) for step in self.steps)


# What differs, the second time, from the ranges of the first.
_BLUR_AGAIN = BlurRange(probability=0.4, sigma=(0.1, 0.5))
_RESIZE_AGAIN = ResizeRange(probability=0.4, factor=(0.8, 1.3))
_NOISE_AGAIN = NoiseRange(probability=0.35, level=(0.8, 6.0))
_FINAL_SINC = BlurRange(
    probability=0.15, generalised=0.0, plateau=0.0, sinc=1.0, cutoff=(0.65, 1.0)
)


@dataclass(frozen=True, slots=True)
class Degradations:
    """What may happen, how often and how strongly.

    ``clean``: the share of pictures that are reduced bicubically and left alone, so that clean
    pictures stay clean. ``second``: the share of the others that go through blur, resizing,
    noise and compression twice. ``sharpening``: of a picture of the final size. ``final_sinc``: how
    often a sinc comes last.
    """

    __pydantic_config__ = FORBID

    clean: float = 0.12
    second: float = 0.3
    blur: BlurRange = field(default_factory=BlurRange)
    resize: ResizeRange = field(default_factory=ResizeRange)
    noise: NoiseRange = field(default_factory=NoiseRange)
    compression: CompressionRange = field(default_factory=CompressionRange)
    low_light: LowLightRange = field(default_factory=LowLightRange)
    blur_again: Annotated[BlurRange, others_of(_BLUR_AGAIN)] = _BLUR_AGAIN
    resize_again: Annotated[ResizeRange, others_of(_RESIZE_AGAIN)] = _RESIZE_AGAIN
    noise_again: Annotated[NoiseRange, others_of(_NOISE_AGAIN)] = _NOISE_AGAIN
    sharpening: SharpenRange = field(default_factory=SharpenRange)
    final_sinc: Annotated[BlurRange, others_of(_FINAL_SINC)] = _FINAL_SINC
    final_compression: CompressionRange = field(default_factory=CompressionRange)

    def __post_init__(self) -> None:
        check_share("clean", self.clean)
        check_share("second", self.second)

    def draw(self, generator: np.random.Generator, hr: tuple[int, int], scale: int) -> Recipe:
        """Decide what happens to a picture of size ``hr``, (height, width)."""
        low = hr[0] // scale, hr[1] // scale
        if generator.random() < self.clean:
            return Recipe((CleanReduction(low),))
        second = generator.random() < self.second
        # Where no other size comes between, the camera is taken to have had the final one.
        resize = self.resize.draw(generator, hr, low) or self.resize.to(generator, hr, low)
        steps: list[Step | None] = [
            self.blur.draw(generator, scale),
            resize,
            # Photons are counted at the camera's resolution, before any other noise.
            self.low_light.draw(generator),
            self.noise.draw(generator),
        ]
        size = resize.size
        if second:
            again = self.resize_again.draw(generator, size, low)
            steps += [
                self.compression.draw(generator),
                self.blur_again.draw(generator, size[0] / low[0]),
                again,
                self.noise_again.draw(generator),
            ]
            size = again.size if again is not None else size
        last: list[Step | None] = [
            self.final_sinc.draw(generator, 1.0),
            self.final_compression.draw(generator),
        ]
        if generator.random() < 0.5:
            last.reverse()
        if size != low:
            steps.append(self.resize.to(generator, size, low))
        # Drawn beside the others, which are then what they would be without, and so is their noise.
        steps += [self.sharpening.draw(generator.spawn(1)[0]), *last]
        return Recipe(tuple(step for step in steps if step is not None))

    def degrade(self, hr: Bytes, scale: int, generator: np.random.Generator) -> Bytes:
        """A low-resolution picture of ``hr``, ``(H, W, 3)`` uint8, sides multiples of ``scale``."""
        return self.draw(generator, (hr.shape[0], hr.shape[1]), scale).apply(hr, generator)


def seed_of(name: str) -> int:
    """A seed that depends on a file's name and on nothing else, so that it holds for ever."""
    return int.from_bytes(
        hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], "big"
    )
