"""The experiments of this repository: what is linked from cards can be run."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from hyperfocal.models.registry import SHIPPED
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.stored import starting_net

ROOT = Path(__file__).parent.parent.parent
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.toml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_can_begin(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERFOCAL_DATA", "data")
    net = starting_net(Experiment.read(path))
    assert any(parameter.requires_grad for parameter in net.parameters())


def test_every_card_names_an_experiment_that_is_there() -> None:
    from hyperfocal.models.card import ModelCard

    named = {ModelCard.read(card).training.experiment for card in SHIPPED.glob("*.toml")}
    assert named - {""} <= {f"experiments/{path.name}" for path in EXPERIMENTS}
