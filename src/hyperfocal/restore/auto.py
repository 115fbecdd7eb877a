"""Choosing between the two kinds of model for one picture, and saying why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hyperfocal.imaging.picture import Picture
from hyperfocal.quality.evidence import judge


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
    """From the file's JPEG tables and from the pixels; what is beyond [0, 1] counts as that.

    Pixels that are wholly transparent have no say: programs leave anything there.
    """
    visible = None if picture.alpha is None else picture.alpha != 0
    kind, reasons, figures = judge(picture.jpeg_quality, picture.pixels, visible)
    return Choice(kind, reasons, figures.to_dict())
