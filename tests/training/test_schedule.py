"""What a step does beside following the gradient: rate, loss, moving average."""

from __future__ import annotations

import csv
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit


def trained(
    experiment_file: Path, out: Path, steps: int | None, **schedule: Any
) -> list[dict[str, str]]:
    """The rows of a training that is validated, and so logged, after every step."""
    plan = Experiment.read(experiment_file)
    changes = {"steps": steps, "validate_every": 1, "warmup": 0, **schedule}
    changed = plan.schedule.model_copy(update=changes)
    plan = plan.model_copy(update={"schedule": changed})
    fit(plan, out, progress=False, tracking=False)
    with (out / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def column(rows: list[dict[str, str]], name: str) -> list[float]:
    return [float(row[name]) for row in rows if row[name]]


def test_the_rate_is_warmed_up_and_falls_as_a_cosine(experiment_file: Path, tmp_path: Path) -> None:
    rows = trained(experiment_file, tmp_path / "run", 8, rate=2e-3, final_rate=1e-4, warmup=2)
    want = [1e-4 + 1.9e-3 * 0.5 * (1.0 + math.cos(math.pi * step / 8)) for step in range(8)]
    want[0] *= 0.5
    assert column(rows, "train_lr") == pytest.approx(want, rel=1e-5)


def test_the_last_steps_are_on_squared_errors(experiment_file: Path, tmp_path: Path) -> None:
    rows = trained(experiment_file, tmp_path / "run", 8, mse_finish=0.25, luma_weight=0.0)
    loss, squared = column(rows, "train_loss"), column(rows, "train_mse_loss")
    assert loss[6:] == pytest.approx(squared[6:], rel=1e-4)
    assert all(one > 2.0 * other for one, other in zip(loss[:6], squared[:6], strict=True))


def test_without_such_a_finish_not_even_the_last_step_is(
    experiment_file: Path, tmp_path: Path
) -> None:
    rows = trained(
        experiment_file, tmp_path / "run", None, minutes=1e-6, mse_finish=0.0, luma_weight=0.0
    )
    loss, squared = column(rows, "train_loss"), column(rows, "train_mse_loss")
    assert len(loss) == 1
    assert loss[0] > 2.0 * squared[0]


def test_the_average_follows_the_net_with_a_memory_that_grows(
    experiment_file: Path, tmp_path: Path
) -> None:
    trained(experiment_file, tmp_path / "run", 3)
    states = [
        torch.load(tmp_path / "run" / f"step-{step:07d}.ckpt", weights_only=True)["state_dict"]
        for step in (1, 2, 3)
    ]
    for step, (before, after) in enumerate(pairwise(states), start=2):
        decay = (1 + step) / (10 + step)
        for name in (name for name in after if name.startswith("net.")):
            averaged = name.replace("net.", "average.", 1)
            want = decay * before[averaged] + (1.0 - decay) * after[name]
            torch.testing.assert_close(after[averaged], want)
