"""Trying values."""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hyperfocal.cli.tuning import _print as print_table
from hyperfocal.errors import SettingsError
from hyperfocal.training.degradations import Degradations
from hyperfocal.training.experiment import Experiment, SweepSection
from hyperfocal.training.fit import Trained
from hyperfocal.training.sweep import Trial, changed, combinations, sweep


def section(**values: Any) -> SweepSection:
    return SweepSection.model_validate(values)


def test_a_grid_is_every_combination() -> None:
    values = {"precision": ["32-true", "bf16-mixed"], "schedule": {"rate": [1e-3, 2e-3, 4e-3]}}
    found = combinations(section(values=values))
    assert len(found) == 6
    assert found[1] == {"precision": "32-true", "schedule.rate": 2e-3}


def test_variants_change_together_and_meet_every_combination() -> None:
    variants = [{"net": {"channels": 48, "depth": 10}}, {"net": {"channels": 32, "depth": 22}}]
    assert combinations(section(values={"seed": [1, 2]}, variants=variants)) == [
        {"net.channels": 48, "net.depth": 10, "seed": 1},
        {"net.channels": 32, "net.depth": 22, "seed": 1},
        {"net.channels": 48, "net.depth": 10, "seed": 2},
        {"net.channels": 32, "net.depth": 22, "seed": 2},
    ]
    assert combinations(section(variants=variants[:1])) == [{"net.channels": 48, "net.depth": 10}]
    with pytest.raises(SettingsError, match=r"net\.depth is both"):
        combinations(section(values={"net": {"depth": [9]}}, variants=variants))
    with pytest.raises(ValueError, match=r"sweep\.variants"):
        section(method="random", trials=2, values={"seed": [1, 2]}, variants=variants)


def test_random_trials_differ_and_follow_the_seed() -> None:
    values = {
        "schedule": {"rate": {"low": 1e-4, "high": 1e-1, "log": True}},
        "net": {"depth": {"low": 1, "high": 4}, "channels": [8, 16]},
    }
    found = combinations(section(method="random", trials=40, values=values))
    assert len(found) == 40
    assert found == combinations(section(method="random", trials=40, values=values))
    assert found != combinations(section(method="random", trials=40, seed=1, values=values))
    rates = sorted(trial["schedule.rate"] for trial in found)
    assert 1e-4 <= rates[0] <= rates[-1] <= 1e-1
    # Evenly in the logarithm: about half lie below the geometric mean.
    assert 10 < sum(rate < 3.16e-3 for rate in rates) < 30
    assert {trial["net.depth"] for trial in found} == {1, 2, 3, 4}


def test_whole_ends_give_whole_numbers_in_a_logarithm_too() -> None:
    values = {"net": {"channels": {"low": 8, "high": 64, "log": True}}}
    found = [
        trial["net.channels"]
        for trial in combinations(section(method="random", trials=30, values=values))
    ]
    assert all(isinstance(channels, int) and 8 <= channels <= 64 for channels in found)
    # The geometric mean is 22.6; evenly drawn, a quarter would lie below.
    assert sum(channels < 23 for channels in found) > 10


def test_random_ends_when_there_is_nothing_new() -> None:
    found = combinations(section(method="random", trials=9, values={"seed": [0, 1, 2]}))
    assert sorted(trial["seed"] for trial in found) == [0, 1, 2]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "no values to try"),
        ({"seed": []}, "sweep.values.seed is empty"),
        ({"seed": 3}, "must be a list"),
        ({"schedule": {"rate": {"low": 1e-4, "high": 1e-2}}}, "needs the method 'random'"),
        ({"schedule": {"rate": {"low": 2, "high": 1}}}, "low must be a number below high"),
        ({"seed": {"low": 0, "high": 1, "log": True}}, "begins above 0"),
        ({"seed": {"low": 0, "high": math.inf}}, "low must be a number"),
        ({"seed": {"low": 0, "high": 1, "step": 1}}, "no 'sweep.values.seed.step'"),
        ({"seed": list(range(101)), "schedule": {"warmup": list(range(10))}}, "1010 trials"),
    ],
)
def test_what_cannot_be_tried_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        combinations(section(values=values))


@pytest.fixture
def experiment(experiment_file: Path) -> Experiment:
    text = experiment_file.read_text().replace("steps = 250", "steps = 6")
    text = text.replace("validate_every = 125", "validate_every = 3")
    experiment_file.write_text(text + "\n[sweep.values]\nschedule.rate = [1e-3, 1e-9, 4e-3]\n")
    return Experiment.read(experiment_file)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"schedule.rte": 1e-3}, "no 'schedule.rte'; did you mean 'rate'"),
        ({"shedule.rate": 1e-3}, "no 'shedule.rate' to try"),
        ({"net.channels": "many"}, "net.channels"),
    ],
)
def test_values_are_checked_as_those_of_a_file(
    experiment: Experiment, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        changed(experiment, values, "the sweep")


def test_ranges_of_degradations_need_no_table_to_begin_with(experiment: Experiment) -> None:
    values = {"data.degradation": "real", "degradation.noise.probability": 0.2}
    found = changed(experiment, values, "the sweep").degradation
    usual = Degradations()
    assert found == replace(usual, noise=replace(usual.noise, probability=0.2))


def test_one_budget_replaces_the_other(experiment: Experiment) -> None:
    assert changed(experiment, {"schedule.minutes": 2.0}, "").schedule.steps is None


class Pretended:
    """Trains in no time; the rate decides how well, and 1e-9 fails."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, bool]] = []
        self.broken = True

    def __call__(self, plan: Experiment, folder: Path, resume: bool) -> Trained:
        self.runs.append((folder.name, resume))
        if plan.schedule.rate == 1e-9 and self.broken:
            raise FloatingPointError("diverged")
        psnr = 30.0 + 1000 * plan.schedule.rate
        return Trained(6, 60.0, psnr, psnr - 0.1, step_seconds=0.5, test={"test_psnr": psnr - 1})


def test_the_best_comes_first_and_is_written(experiment: Experiment, tmp_path: Path) -> None:
    train, told = Pretended(), []
    trials = sweep(
        experiment, tmp_path, train=train, on_trial=lambda *given: told.append(given[1:])
    )
    assert [trial.name for trial in trials] == ["trial-002", "trial-000", "trial-001"]
    assert trials[0].best_psnr == 34.0
    assert (trials[0].step_milliseconds, trials[0].minutes) == (500.0, 1.0)
    assert trials[2].error == "FloatingPointError: diverged"
    assert told == [(1, 3), (2, 3), (3, 3)]
    best = Experiment.read(tmp_path / "best.toml")
    assert (best.schedule.rate, best.sweep) == (4e-3, None)
    table = json.loads((tmp_path / "sweep.json").read_text())
    assert next(entry["values"] for entry in table) == {"schedule.rate": 4e-3}


def test_a_stopped_sweep_goes_on(experiment: Experiment, tmp_path: Path) -> None:
    train = Pretended()
    sweep(experiment, tmp_path, train=train)
    train.runs, train.broken = [], False
    trials = sweep(experiment, tmp_path, train=train)
    # Only the one that failed is run again, from its last state.
    assert train.runs == [("trial-001", True)]
    assert not any(trial.error for trial in trials)


def test_other_values_are_trained_anew(experiment: Experiment, tmp_path: Path) -> None:
    train = Pretended()
    sweep(experiment, tmp_path, train=train)
    train.runs = []
    other = experiment.model_copy(update={"sweep": section(values={"seed": [5]})})
    sweep(other, tmp_path, train=train)
    assert train.runs == [("trial-000", False)]


def test_a_sweep_that_grows_keeps_what_is_done(experiment: Experiment, tmp_path: Path) -> None:
    train = Pretended()
    for count, anew in ((10, range(10)), (11, [10])):
        train.runs = []
        seeds = section(values={"seed": list(range(count))})
        sweep(experiment.model_copy(update={"sweep": seeds}), tmp_path, train=train)
        assert train.runs == [(f"trial-{index:03}", False) for index in anew]


def test_without_a_table_there_is_nothing_to_sweep(experiment: Experiment, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no \[sweep\] table"):
        sweep(experiment.model_copy(update={"sweep": None}), tmp_path)


def test_precisions_are_compared_by_time_and_quality(
    experiment: Experiment, tmp_path: Path
) -> None:
    both = section(values={"precision": ["32-true", "bf16-mixed"]})
    trials = sweep(experiment.model_copy(update={"sweep": both}), tmp_path, tracking=False)
    assert {trial.values["precision"] for trial in trials} == {"32-true", "bf16-mixed"}
    for trial in trials:
        assert trial.error == ""
        assert trial.step_milliseconds is not None
        assert trial.final_psnr is not None
    told = tomllib.loads((tmp_path / "best.toml").read_text())
    assert told["data"]["patch"] == 20


@pytest.mark.parametrize(("method", "trials"), [("random", None), ("grid", 3)])
def test_trials_are_for_random_only(method: str, trials: int | None) -> None:
    with pytest.raises(ValueError, match=r"sweep\.trials"):
        section(method=method, trials=trials, values={"seed": [1]})


def test_the_table_takes_variants_of_different_values(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(
        [Trial("trial-000", {"seed": 1}, best_psnr=30.0), Trial("trial-001", {"net.depth": 2})]
    )
    heading, one, two = capsys.readouterr().out.splitlines()
    assert heading.split()[:4] == ["trial", "seed", "net.depth", "best"]
    assert one.split()[:3] == ["trial-000", "1", "30.000"]
    assert two.split()[:3] == ["trial-001", "2", "-"]


def test_results_of_another_plan_do_not_count(experiment: Experiment, tmp_path: Path) -> None:
    train = Pretended()
    train.broken = False
    sweep(experiment, tmp_path, train=train)
    left = Path("trial-000", "step-0000003.ckpt")
    (tmp_path / left).write_bytes(b"of the plan before")
    schedule = experiment.schedule.model_copy(update={"steps": 60})
    longer = experiment.model_copy(update={"schedule": schedule})
    train.runs = []
    sweep(longer, tmp_path, train=train)
    assert train.runs == [(f"trial-{index:03}", False) for index in range(3)]
    # Put aside: it may have cost days.
    assert not (tmp_path / left).exists()
    assert (tmp_path / "trial-000.before-1" / left.name).read_bytes() == b"of the plan before"
    train.runs = []
    sweep(longer, tmp_path, train=train)
    assert train.runs == []
    # And known where it was put.
    trials = sweep(experiment, tmp_path, train=train)
    assert train.runs == []
    assert {trial.name for trial in trials} == {f"trial-{n:03}.before-1" for n in range(3)}


def test_what_a_sweep_is_called_does_not_matter(experiment: Experiment, tmp_path: Path) -> None:
    train = Pretended()
    train.broken = False
    sweep(experiment, tmp_path, train=train)
    train.runs = []
    data = experiment.data.model_copy(update={"description": "the same tiles"})
    other = experiment.model_copy(update={"purpose": "another", "file": "b.toml", "data": data})
    sweep(other, tmp_path, train=train)
    assert train.runs == []
    # What an older version wrote lacks what has its default value.
    plan = tmp_path / "trial-000" / "trial.json"
    stored = json.loads(plan.read_text())
    del stored["net"]["consistent"]
    plan.write_text(json.dumps(stored))
    sweep(other, tmp_path, train=train)
    assert train.runs == []


def test_a_folder_of_something_else_is_left_alone(experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "trial-000").mkdir()
    (tmp_path / "trial-000" / "last.ckpt").write_text("mine")
    train = Pretended()
    for purpose in ("one", "one", "another"):
        trials = sweep(experiment.model_copy(update={"purpose": purpose}), tmp_path, train=train)
        (failed,) = (trial for trial in trials if trial.name == "trial-000")
        assert "trial-000 holds something else" in failed.error
    assert not [run for run in train.runs if run[0] == "trial-000"]
    assert [path.name for path in (tmp_path / "trial-000").iterdir()] == ["last.ckpt"]
    assert (tmp_path / "trial-000" / "last.ckpt").read_text() == "mine"
