"""Choosing between the two kinds of model for one picture, and saying why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hyperfocal.imaging.picture import Picture
from hyperfocal.quality.evidence import judge

AUTO = "auto"
"""The model name that means: photo-fast or restore-fast, whichever suits the picture."""


@dataclass(frozen=True, slots=True)
class Families:
    """The two families of models that an automatic choice is between."""

    photo: str
    restore: str


AUTOMATIC: Mapping[str, Families] = {
    AUTO: Families("photo-fast", "restore-fast"),
    f"{AUTO}-fine": Families("photo-fine", "restore-fine"),
}
"""The names that are no model's but leave the choice to the picture, by tier."""


def before_seeing(model: str) -> str:
    """The family to plan with before the pixels are known: both take as long and as much memory."""
    return AUTOMATIC[model].photo if model in AUTOMATIC else model


@dataclass(frozen=True, slots=True)
class Choice:
    """``kind``: of models, "photo" for clean pictures or "restore" for damaged ones.

    ``reasons``: the evidence, in words; ``figures``: the same in numbers, see
    :class:`hyperfocal.quality.evidence.Figures`.
    """

    kind: Literal["photo", "restore"]
    reasons: tuple[str, ...]
    figures: Mapping[str, float | int | None]

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return {
            "kind": self.kind,
            "reasons": list(self.reasons),
            "figures": {
                name: round(value, 3) if isinstance(value, float) else value
                for name, value in self.figures.items()
            },
        }


def choose(picture: Picture) -> Choice:
    """From the file's JPEG tables and from the pixels; what is beyond [0, 1] counts as that."""
    pixels: npt.NDArray[Any] = picture.pixels
    if pixels.dtype == np.float32:
        pixels = np.clip(pixels, 0.0, 1.0)
    kind, reasons, figures = judge(picture.jpeg_quality, pixels)
    return Choice(kind, reasons, figures.to_dict())
