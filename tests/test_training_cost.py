"""What the models cost, found in a history of git and told on the page about the models."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("torch", reason="the training extra is not installed")

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from model_pages import trained
from training_cost import SHIPPED, Repository

from hyperfocal.models.card import ModelCard, Training

Layers = list[npt.NDArray[np.float32]]


def begun(seed: int) -> Layers:
    generator = np.random.default_rng(seed)
    layers = [generator.normal(size=(4, 4, 3, 3)).astype(np.float32) for _ in range(5)]
    for layer in layers:
        layer[np.arange(4), np.arange(4), 1, 1] += 9.0  # What all nets have in common.
    return layers


def trained_on(layers: Layers, seed: int) -> Layers:
    return [a + 0.3 * (b - a) for a, b in zip(layers, begun(seed), strict=True)]


class Project:
    """A checkout whose models are shipped again and again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q")

    def git(self, *words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *words], cwd=self.root, check=True)

    def ship(
        self, name: str, layers: Layers, start: str | None, *, commit: bool = True, **training: Any
    ) -> None:
        """Write weights, card and experiment of a training of ``steps`` steps, 36 s each."""
        kernels = [
            numpy_helper.from_array(layer, f"conv{index}.weight")
            for index, layer in enumerate(layers)
        ]
        ends = [
            helper.make_tensor_value_info(end, TensorProto.FLOAT, [1]) for end in ("image", "out")
        ]
        graph = helper.make_graph(
            [helper.make_node("Relu", ["image"], ["out"])], "g", ends[:1], ends[1:], kernels
        )
        data = helper.make_model(graph).SerializeToString()
        folder = self.root / SHIPPED
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}.float.onnx"
        file.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        experiment = training.pop("experiment", f"experiments/{name}.toml")
        card = {
            "name": name,
            "scale": 2,
            "weights": {"float": {"file": file.name, "sha256": digest}},
            "training": {
                "experiment": experiment,
                "hours": training["steps"] / 100.0,
                "hardware": "a machine",
                **training,
            },
        }
        ModelCard.model_validate(card).write(folder / f"{name}.toml")
        path = self.root / "experiments" / Path(experiment).name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'[net]\nstart = "{start}"\n' if start else "[net]\n")
        if commit:
            self.git("add", ".")
            self.git("commit", "-q", "-m", f"{name}: {training['steps']} steps")

    def total(self, name: str) -> tuple[int, float, bool]:
        """What the card says when the tool has written it, and written it again."""
        for _ in range(2):
            Repository(self.root).write()
        training = ModelCard.read(self.root / SHIPPED / f"{name}.toml").training
        return training.total_steps, training.total_hours, training.more_before


@pytest.fixture
def project(tmp_path: Path) -> Project:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    return Project(tmp_path)


def shipped(name: str) -> str:
    return f"../{SHIPPED}/{name}.float.onnx"


def test_trainings_add_up_along_what_they_started_from(project: Project) -> None:
    first = begun(1)
    project.ship("a-x2", first, None, steps=1)
    second = trained_on(first, 2)
    project.ship("a-x2", second, shipped("a-x2"), steps=10)
    project.ship("b-x2", trained_on(second, 3), shipped("a-x2"), steps=100)
    # Later ones are not what b went on from, and a, begun anew, has none of the earlier ones.
    project.ship("a-x2", begun(4), None, steps=1000)
    assert project.total("b-x2") == (111, 1.11, True)
    assert project.total("a-x2") == (1000, 10.0, True)


def test_weights_that_never_shipped_are_bridged_and_the_weights_have_the_last_word(
    project: Project,
) -> None:
    first = begun(1)
    project.ship("a-x2", first, None, steps=1)
    second = trained_on(first, 2)
    project.ship("a-x2", second, "../runs/a/best.ckpt", steps=10)
    # The experiment says from nothing; the weights know better.
    third = trained_on(second, 3)
    project.ship("a-x2", third, None, steps=100)
    # And the other way round.
    project.ship("b-x2", begun(9), shipped("a-x2"), steps=7)
    assert project.total("a-x2")[0] == 111
    assert project.total("b-x2")[0] == 7
    # Not committed yet, and its figures are those of two trainings together.
    both = "experiments/a-x2.toml, then more.toml"
    project.ship("a-x2", trained_on(third, 5), None, commit=False, steps=150, experiment=both)
    assert project.total("a-x2")[0] == 150


def test_what_shipped_before_the_run_it_went_on_from(project: Project) -> None:
    first = begun(1)
    project.ship("a-x2", first, None, steps=1)
    run = trained_on(first, 2)
    project.ship(
        "a-x2",
        trained_on(run, 3),
        "../runs/long/best.ckpt",
        steps=10,
        experiment="experiments/end.toml",
    )
    # The run itself ships: it did not go on from its own end.
    project.ship("a-x2", run, shipped("a-x2"), steps=100, experiment="experiments/long.toml")
    assert project.total("a-x2")[0] == 101


def test_a_total_that_an_export_told_is_believed(project: Project) -> None:
    first = begun(1)
    project.ship("a-x2", first, None, steps=1)
    told = {"steps": 10, "total_steps": 99, "total_hours": 3.0}
    project.ship("a-x2", trained_on(first, 2), shipped("a-x2"), **told)
    assert project.total("a-x2") == (99, 3.0, False)


def test_hours_of_different_machines_are_added(project: Project) -> None:
    first = begun(1)
    project.ship("a-x2", first, None, steps=1, hardware="another machine")
    project.ship("a-x2", trained_on(first, 2), shipped("a-x2"), steps=10)
    assert project.total("a-x2")[0] == 11


def test_the_page_tells_the_last_training_and_all_of_them() -> None:
    last = {"data": "tiles", "steps": 3500, "hours": 0.44, "hardware": "a machine"}
    text = trained(Training(**last, total_steps=37000, total_hours=4.5))
    assert "3,500 steps in 0.44 hours on a machine" in text
    assert text.endswith("In all: 37,000 steps in 4.5 hours.")
    text = trained(Training(**last, total_steps=37000, total_hours=4.5, more_before=True))
    assert text.endswith("In all: at least 37,000 steps and 4.5 hours.")
    text = trained(Training(**last, more_before=True))
    assert text.endswith("There was more before, of which nothing is known.")
    assert "In all" not in trained(Training(**last))
