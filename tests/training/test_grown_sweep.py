"""A sweep that is given other values knows what it has trained, whatever its number was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hyperfocal.training.experiment import Experiment, SweepSection
from hyperfocal.training.fit import Trained
from hyperfocal.training.sweep import sweep


class Pretended:
    """Trains in no time, unless it is to be cut off at a rate."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, float, bool]] = []
        self.cut_at = 0.0

    def __call__(self, plan: Experiment, folder: Path, resume: bool) -> Trained:
        rate = plan.schedule.rate
        self.runs.append((folder.name, rate, resume))
        if rate == self.cut_at:
            raise KeyboardInterrupt
        return Trained(6, 60.0, 30.0 + 1000 * rate, 30.0)


@pytest.fixture
def experiment(experiment_file: Path) -> Experiment:
    return Experiment.read(experiment_file)


def with_rates(experiment: Experiment, *rates: float) -> Experiment:
    values = SweepSection(values={"schedule": {"rate": list(rates)}})
    return experiment.model_copy(update={"sweep": values})


def test_a_value_in_front_trains_that_alone(experiment: Experiment, tmp_path: Path) -> None:
    train = Pretended()
    sweep(with_rates(experiment, 1e-3, 2e-3), tmp_path, train=train)
    train.runs = []
    trials = sweep(with_rates(experiment, 5e-4, 1e-3, 2e-3), tmp_path, train=train)
    assert train.runs == [("trial-003", 5e-4, False)]
    found = {trial.name: trial.values["schedule.rate"] for trial in trials}
    assert found == {"trial-000": 1e-3, "trial-001": 2e-3, "trial-003": 5e-4}
    assert trials[0].best_psnr == 32.0
    assert Experiment.read(tmp_path / "best.toml").schedule.rate == 2e-3
    told = json.loads((tmp_path / "sweep.json").read_text())
    assert [entry["name"] for entry in told] == ["trial-001", "trial-000", "trial-003"]
    train.runs = []
    sweep(with_rates(experiment, 2e-3, 5e-4), tmp_path, train=train)
    assert train.runs == []


def test_one_that_was_cut_off_goes_on_under_another_number(
    experiment: Experiment, tmp_path: Path
) -> None:
    train = Pretended()
    train.cut_at = 2e-3
    with pytest.raises(KeyboardInterrupt):
        sweep(with_rates(experiment, 1e-3, 2e-3), tmp_path, train=train)
    train.runs, train.cut_at = [], 0.0
    sweep(with_rates(experiment, 2e-3, 1e-3, 3e-3), tmp_path, train=train)
    assert train.runs == [("trial-001", 2e-3, True), ("trial-002", 3e-3, False)]


def test_what_is_done_counts_before_what_was_begun(experiment: Experiment, tmp_path: Path) -> None:
    train = Pretended()
    sweep(with_rates(experiment, 1e-3), tmp_path, train=train)
    (tmp_path / "trial-000").rename(tmp_path / "trial-000.before-1")
    train.cut_at = 3e-3
    with pytest.raises(KeyboardInterrupt):
        sweep(with_rates(experiment, 3e-3), tmp_path, train=train)
    plan = (tmp_path / "trial-000.before-1" / "trial.json").read_bytes()
    (tmp_path / "trial-000" / "trial.json").write_bytes(plan)
    train.runs = []
    trials = sweep(with_rates(experiment, 1e-3), tmp_path, train=train)
    assert (train.runs, trials[0].name) == ([], "trial-000.before-1")
