"""What weights cost is carried from a training to those that go on from it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import pytest

from hyperfocal.errors import SettingsError
from hyperfocal.models.card import ModelCard, Training
from hyperfocal.training.cost import (
    NOTHING,
    UNKNOWN,
    Cost,
    History,
    cost_on_card,
    read_cost,
    write_cost,
)
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.export import export
from hyperfocal.training.fit import fit
from hyperfocal.training.graph import build
from hyperfocal.training.nets import build_net
from hyperfocal.training.stored import load_average, read_checkpoint, starting_cost
from hyperfocal.training.weights import fold


def starting(path: Path, start: Path | None, steps: int) -> Experiment:
    """The tiny experiment, from some weights."""
    text = path.read_text().replace("steps = 250", f"steps = {steps}")
    if start is not None:
        text = text.replace("scale = 2", f'scale = 2\nstart = "{start}"')
    changed = path.with_name("changed.toml")
    changed.write_text(text)
    return Experiment.read(changed)


def bare_weights(path: Path, experiment: Experiment) -> Path:
    """A float ONNX file that tells nothing of its cost, as those that shipped first do."""
    onnx.save(build(fold(build_net(experiment))), path)  # type: ignore[arg-type]
    return path


def test_each_training_adds_to_what_was_before(experiment_file: Path, tmp_path: Path) -> None:
    experiment = starting(experiment_file, None, steps=3)
    fit(experiment, tmp_path / "1", progress=False, tracking=False)
    first = load_average(tmp_path / "1" / "last.ckpt")[2]
    assert first.before == NOTHING

    fit(
        starting(experiment_file, tmp_path / "1" / "last.ckpt", steps=4),
        tmp_path / "2",
        progress=False,
        tracking=False,
    )
    second = load_average(tmp_path / "2" / "last.ckpt")[2]
    assert (second.own.steps, second.before) == (4, first.total)
    card = export(tmp_path / "2" / "last.ckpt", tmp_path / "model", calibration=1).card
    assert (card.training.steps, card.training.total_steps) == (4, 7)
    assert not card.training.more_before
    weights = tmp_path / "model" / "tiny-x2.float.onnx"
    told = read_cost(onnx.load(weights))
    assert told is not None
    assert (told.steps, told.whole) == (7, True)
    assert told.seconds == pytest.approx(second.total.seconds, abs=0.5)
    assert read_cost(onnx.load(tmp_path / "model" / "tiny-x2.int8.onnx")) is None

    # From the exported file, which tells it without the card; interrupted and gone on with.
    (tmp_path / "model" / "tiny-x2.toml").unlink()
    for steps in (2, 5):
        experiment = starting(experiment_file, weights, steps)
        fit(experiment, tmp_path / "3", resume=True, progress=False, tracking=False)
    third = load_average(tmp_path / "3" / "last.ckpt")[2]
    assert (third.own.steps, third.before, third.total.steps) == (5, told, 12)


def named_by(weights: Path) -> dict[str, dict[str, str]]:
    """How a card names float weights."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return {"float": {"file": weights.name, "sha256": digest}}


def test_the_card_beside_weights_tells_what_they_do_not(
    experiment_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    weights = bare_weights(folder / "old.float.onnx", starting(experiment_file, None, 1))
    experiment = starting(experiment_file, weights, 1)
    assert starting_cost(experiment) == UNKNOWN

    named = named_by(weights)
    digest = named["float"]["sha256"]
    named["float"]["sha256"] = "0" * 64
    training = {"steps": 10, "hours": 0.5, "total_steps": 70, "total_hours": 2.5}
    values = {"name": "old", "scale": 2, "weights": named, "training": training}
    ModelCard.model_validate(values).write(folder / "old.toml")
    (folder / "another.toml").write_text("no card")
    assert starting_cost(experiment) == UNKNOWN  # A card of other weights.
    named["float"]["sha256"] = digest
    ModelCard.model_validate(values).write(folder / "old.toml")
    assert starting_cost(experiment) == Cost(70, 9000.0)
    training["more_before"] = True
    ModelCard.model_validate(values).write(folder / "old.toml")
    assert starting_cost(experiment) == Cost(70, 9000.0, whole=False)


@pytest.mark.parametrize(
    ("on_card", "expected"), [(70, Cost(70, 9000.0)), (20, Cost(20, 8999.0)), (8, Cost(20, 8999.0))]
)
def test_of_weights_and_card_the_one_that_tells_more_counts(
    on_card: int, expected: Cost, experiment_file: Path, tmp_path: Path
) -> None:
    weights = bare_weights(tmp_path / "old.float.onnx", starting(experiment_file, None, 1))
    model = onnx.load(weights)
    write_cost(model, Cost(20, 8999.0))
    onnx.save(model, weights)
    named = named_by(weights)
    training = {"steps": 10, "hours": 0.5, "total_steps": on_card, "total_hours": 2.5}
    values = {"name": "old", "scale": 2, "weights": named, "training": training}
    ModelCard.model_validate(values).write(tmp_path / "old.toml")
    assert starting_cost(starting(experiment_file, weights, 1)) == expected


def test_what_is_not_known_is_not_told_as_nothing() -> None:
    # A card from before there were totals: its figures are the last training's.
    old = cost_on_card(Training(steps=10, hours=0.5))
    assert old == Cost(10, 1800.0, whole=False)
    own = Cost(5, 360.0)
    assert History(own, old).on_card() == {
        "steps": 5,
        "hours": 0.1,
        "total_steps": 15,
        "total_hours": 0.6,
        "more_before": True,
    }
    alone = Training(**History(own, UNKNOWN).on_card())
    assert alone == Training(steps=5, hours=0.1, more_before=True)
    # Whoever goes on from that has the little that is known.
    assert cost_on_card(alone) == Cost(5, 360.0, whole=False)
    assert Training(**History(own, NOTHING).on_card()).total_steps == 5


@pytest.mark.parametrize(
    ("net", "before"),
    [({}, NOTHING), ({"start": "a.onnx"}, UNKNOWN), ({"pretrained": "some/net"}, UNKNOWN)],
)
def test_checkpoints_from_before_costs_were_kept(net: dict[str, str], before: Cost) -> None:
    checkpoint = {"global_step": 8, "clock": 1.5, "experiment": {"net": net}}
    assert History.of(checkpoint) == History(Cost(8, 1.5), before)


def test_a_cost_that_is_no_number_is_refused(experiment_file: Path, tmp_path: Path) -> None:
    weights = bare_weights(tmp_path / "odd.onnx", starting(experiment_file, None, 1))
    model = onnx.load(weights)
    model.metadata_props.add(key="hyperfocal.training_steps", value="many")
    model.metadata_props.add(key="hyperfocal.training_seconds", value="1")
    onnx.save(model, weights)
    with pytest.raises(SettingsError, match="what it cost cannot be read"):
        starting_cost(starting(experiment_file, weights, 1))


def test_a_resumed_training_keeps_what_its_start_cost_then(
    experiment_file: Path, tmp_path: Path
) -> None:
    weights = bare_weights(tmp_path / "start.onnx", starting(experiment_file, None, 1))
    experiment = starting(experiment_file, weights, 2)
    fit(experiment, tmp_path / "run", progress=False, tracking=False)
    # What lies at that path now is something else.
    weights.write_bytes(b"another")
    longer = starting(experiment_file, weights, 3)
    fit(longer, tmp_path / "run", resume=True, progress=False, tracking=False)
    state = read_checkpoint(tmp_path / "run" / "last.ckpt")
    assert History.of(state) == History(Cost(3, state["clock"]), UNKNOWN, state["hardware"])
