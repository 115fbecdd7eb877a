"""Compression and decompression, in memory."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from hyperfocal.training.degradations.ranges import (
    FORBID,
    Pixels,
    Range,
    check_range,
    check_share,
    uniform,
)
from hyperfocal.training.degradations.resizing import from_bytes, to_bytes


@dataclass(frozen=True, slots=True)
class Compress:
    """JPEG or WebP of one ``quality``, 1 to 100; ``halved``: colour at half resolution (4:2:0).

    WebP always halves its colour.
    """

    kind: Literal["jpeg", "webp"]
    quality: int
    halved: bool = True

    def encode(self, pixels: Pixels) -> bytes:
        """The file."""
        buffer, image = io.BytesIO(), Image.fromarray(to_bytes(pixels))
        if self.kind == "jpeg":
            subsampling = "4:2:0" if self.halved else "4:4:4"
            image.save(buffer, "JPEG", quality=self.quality, subsampling=subsampling)
        else:
            image.save(buffer, "WEBP", quality=self.quality, method=0)
        return buffer.getvalue()

    def apply(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """What a reader of the file sees, in [0, 1]."""
        with Image.open(io.BytesIO(self.encode(pixels))) as image:
            return from_bytes(np.asarray(image.convert("RGB")))

    def __str__(self) -> str:
        if self.kind == "webp":
            return f"WebP quality {self.quality}"
        return f"JPEG quality {self.quality}, {'4:2:0' if self.halved else '4:4:4'}"


@dataclass(frozen=True, slots=True)
class CompressionRange:
    """Which compression happens; ``webp``, ``halved``: shares of files that are so."""

    __pydantic_config__ = FORBID

    probability: float = 0.85
    quality: Range = (40, 95)
    webp: float = 0.1
    halved: float = 0.7

    def __post_init__(self) -> None:
        for name in ("probability", "webp", "halved"):
            check_share(name, getattr(self, name))
        check_range("quality", self.quality, 1, 100)

    def draw(self, generator: np.random.Generator) -> Compress | None:
        """A compression, or none."""
        if generator.random() >= self.probability:
            return None
        kind: Literal["jpeg", "webp"] = "webp" if generator.random() < self.webp else "jpeg"
        quality = round(uniform(generator, self.quality))
        return Compress(kind, quality, kind == "webp" or bool(generator.random() < self.halved))
