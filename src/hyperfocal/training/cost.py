"""What weights cost in training, with all the trainings they went on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnx

from hyperfocal.models.card import Training

_STEPS = "hyperfocal.training_steps"
_SECONDS = "hyperfocal.training_seconds"
_MORE_BEFORE = "hyperfocal.training_more_before"


@dataclass(frozen=True)
class Cost:
    """Steps and seconds of one training or of several, one after another.

    ``whole``: False where something that came before is not known; the figures are then the least
    that it can have been.
    """

    steps: int
    seconds: float
    whole: bool = True

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.steps + other.steps, self.seconds + other.seconds, self.whole and other.whole
        )

    @property
    def hours(self) -> float:
        """As a card tells them."""
        return round(self.seconds / 3600.0, 2)


NOTHING = Cost(0, 0.0)
"""Of random weights."""

UNKNOWN = Cost(0, 0.0, whole=False)
"""Of weights that nothing is known about."""


@dataclass(frozen=True)
class History:
    """A training's own cost up to its checkpoint, and that of what it started from.

    ``hardware``: what it ran on, "" where the checkpoint does not tell.
    """

    own: Cost
    before: Cost
    hardware: str = ""

    @property
    def total(self) -> Cost:
        """Of the weights in the checkpoint."""
        return self.before + self.own

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any]) -> History:
        """The history that a checkpoint tells."""
        own = Cost(checkpoint["global_step"], checkpoint["clock"])
        return cls(own, cost_before(checkpoint), checkpoint.get("hardware", ""))

    def on_card(self) -> dict[str, Any]:
        """The fields of a card's ``training``.

        There is no total where nothing at all is known of what came before: this training's own
        cost could be taken for it.
        """
        total, before = self.total, self.before
        told = before.whole or before.steps > 0
        return {
            "steps": self.own.steps,
            "hours": self.own.hours,
            "total_steps": total.steps if told else 0,
            "total_hours": total.hours if told else 0.0,
            "more_before": not total.whole,
        }


def cost_before(checkpoint: Mapping[str, Any]) -> Cost:
    """What the weights cost that the training of a checkpoint started from."""
    told = checkpoint.get("before")
    if told is not None:
        return Cost(**told)
    # Written before checkpoints told it.
    net = checkpoint["experiment"]["net"]
    return UNKNOWN if net.get("start") or net.get("pretrained") else NOTHING


def cost_on_card(training: Training) -> Cost:
    """What the weights of a card cost, as far as the card tells."""
    if training.total_steps:
        return Cost(
            training.total_steps, training.total_hours * 3600.0, whole=not training.more_before
        )
    return Cost(training.steps, training.hours * 3600.0, whole=False)


def write_cost(model: onnx.ModelProto, cost: Cost) -> None:
    """Put a cost into the metadata of an ONNX file, where a training that goes on finds it."""
    facts = {_STEPS: str(cost.steps), _SECONDS: f"{cost.seconds:.0f}"}
    if not cost.whole:
        facts[_MORE_BEFORE] = "1"
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)


def read_cost(model: onnx.ModelProto) -> Cost | None:
    """The cost in the metadata of an ONNX file, None if there is none.

    :class:`ValueError` where it is no number.
    """
    facts = {entry.key: entry.value for entry in model.metadata_props}
    if _STEPS not in facts or _SECONDS not in facts:
        return None
    return Cost(int(facts[_STEPS]), float(facts[_SECONDS]), whole=facts.get(_MORE_BEFORE) != "1")
