"""Names that are no model's: they leave the choice between two families to the picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

AUTO = "auto"
"""The model name that means: photo-fast or restore-fast, whichever suits the picture."""


@dataclass(frozen=True, slots=True)
class Families:
    """The two families of models that an automatic choice is between."""

    photo: str
    restore: str

    def of(self, kind: Literal["photo", "restore"]) -> str:
        """The family of one kind."""
        return self.photo if kind == "photo" else self.restore


AUTOMATIC: Mapping[str, Families] = {
    AUTO: Families("photo-fast", "restore-fast"),
    f"{AUTO}-fine": Families("photo-fine", "restore-fine"),
}
"""The names that are no model's but leave the choice to the picture, by tier."""


def before_seeing(model: str) -> str:
    """The family to plan with before the pixels are known.

    Both take as long and as much memory, but for scales that one of them lacks.
    """
    return AUTOMATIC[model].photo if model in AUTOMATIC else model


def can_choose(photo: Collection[int], restore: Collection[int]) -> bool:
    """Whether there is a choice between two families of these native scales.

    Else what can be had would depend on what a picture is like. A scale between others that
    ``restore`` lacks is reached from above.
    """
    if not photo or not restore:
        return False
    return min(restore) <= min(photo) and max(photo) <= max(restore)
