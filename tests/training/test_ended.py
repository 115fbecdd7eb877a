"""A training that has ended does not go on by being resumed; one on a full disk says where."""

from __future__ import annotations

import csv
import errno
import faulthandler
import os
import signal
from pathlib import Path
from typing import Any, Literal

import lightning
import numpy as np
import pytest
import torch
from PIL import Image

from hyperfocal.errors import OutputRefused
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import Trained, fit
from hyperfocal.training.module import Restoration


@pytest.fixture
def experiment(experiment_file: Path) -> Experiment:
    text = experiment_file.read_text().replace("steps = 250", "steps = 30")
    text = text.replace("[data]", '[data]\ntest = "test"')
    (experiment_file.parent / "test").mkdir()
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (48, 48, 3), np.uint8)
    Image.fromarray(noise).save(experiment_file.parent / "test" / "noise.png")
    experiment_file.write_text(text.replace("validate_every = 125", "validate_every = 4"))
    return Experiment.read(experiment_file)


def changed(experiment: Experiment, **values: Any) -> Experiment:
    return experiment.model_copy(update={"schedule": experiment.schedule.model_copy(update=values)})


def trained(experiment: Experiment, out: Path, *, resume: bool = False) -> Trained:
    return fit(experiment, out, resume=resume, progress=False, tracking=False)


def left(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "metrics.csv").open(newline="") as file:
        return [{**row, "epoch_time": ""} for row in csv.DictReader(file)]


def told(one: Trained) -> tuple[object, ...]:
    return one.steps, one.best_psnr, one.final_psnr, one.test


@pytest.mark.parametrize(("steps", "validate_every"), [(8, 4), (6, 4)])
def test_one_that_is_done_is_only_tested(
    experiment: Experiment, tmp_path: Path, steps: int, validate_every: int
) -> None:
    wanted = changed(experiment, steps=steps, validate_every=validate_every)
    first = trained(wanted, tmp_path / "run")
    before = left(tmp_path / "run")
    again = trained(wanted, tmp_path / "run", resume=True)
    assert told(again) == told(first)
    assert left(tmp_path / "run") == before


def test_one_whose_minutes_are_over_is_only_tested(experiment: Experiment, tmp_path: Path) -> None:
    wanted = changed(experiment, steps=None, minutes=1e-4)
    first = trained(wanted, tmp_path / "run")
    before = left(tmp_path / "run")
    assert told(trained(wanted, tmp_path / "run", resume=True)) == told(first)
    assert left(tmp_path / "run") == before


def test_a_budget_between_two_validations_is_no_end_of_patience(
    experiment: Experiment, tmp_path: Path
) -> None:
    trained(changed(experiment, steps=6, patience=1), tmp_path / "run")
    state = torch.load(tmp_path / "run" / "last.ckpt", weights_only=False)
    assert state["ended"] is None
    (patience,) = (held for name, held in state["callbacks"].items() if "Patience" in name)
    assert patience["wait_count"] == 0


@pytest.mark.parametrize(("steps", "timed"), [(3, False), (4, True), (6, True)])
def test_the_time_of_a_step_is_of_whole_epochs(
    experiment: Experiment, tmp_path: Path, steps: int, timed: bool
) -> None:
    made = trained(changed(experiment, steps=steps), tmp_path / "run")
    assert (made.step_seconds is not None) == timed
    if made.step_seconds is not None:
        (first, *_) = (float(row) for row in times(tmp_path / "run"))
        assert made.step_seconds == pytest.approx(first / 4, rel=1e-3)


def times(out: Path) -> list[str]:
    with (out / "metrics.csv").open(newline="") as file:
        return [row["epoch_time"] for row in csv.DictReader(file) if row["epoch_time"]]


def test_one_whose_patience_is_at_an_end_goes_on_with_more(
    experiment: Experiment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "run"
    # At such a rate only the first validation is better than none.
    patient = changed(experiment, rate=1e-12, patience=1)
    first = trained(patient, out)
    assert first.steps < 30
    before = left(out)
    assert told(trained(patient, out, resume=True)) == told(first)
    assert left(out) == before
    assert "its patience was at an end: it is tested" in caplog.text
    # Not for less, either.
    assert trained(changed(patient, seed=3), out, resume=True).steps == first.steps
    assert trained(changed(patient, patience=2), out, resume=True).steps == first.steps + 4
    assert trained(changed(patient, patience=2, steps=29), out, resume=True).steps > first.steps + 4
    assert trained(changed(patient, patience=None), out, resume=True).steps == 30


def test_one_that_collapsed_goes_on_with_another_budget_only(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Restoration.on_train_batch_end

    def spoilt(self: Restoration, *args: Any) -> None:
        if self.global_step == 6:
            with torch.no_grad():
                for weights in self.net.parameters():
                    weights.fill_(float("nan"))
        usual(self, *args)

    monkeypatch.setattr(Restoration, "on_train_batch_end", spoilt)
    out = tmp_path / "run"
    assert trained(experiment, out).steps == 12
    before = left(out)
    assert trained(changed(experiment, patience=9), out, resume=True).steps == 12
    assert left(out)["last.ckpt"] == before["last.ckpt"]
    assert trained(changed(experiment, steps=40), out, resume=True).steps == 16


def test_older_states_that_tell_nothing_go_on(experiment: Experiment, tmp_path: Path) -> None:
    out = tmp_path / "run"
    patient = changed(experiment, rate=1e-12, patience=1)
    first = trained(patient, out)
    state = torch.load(out / "last.ckpt", weights_only=True)
    for name in ("ended", "epoch"):
        del state[name]
    for name in ("psnr", "saved_at"):
        del state["callbacks"]["Checkpoints"][name]
    torch.save(state, out / "last.ckpt")
    assert trained(patient, out, resume=True).steps == first.steps + 4


def test_means_of_an_epoch_that_was_interrupted_are_of_all_of_it(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = changed(experiment, steps=8)
    trained(short, tmp_path / "whole")
    usual = Restoration.on_train_batch_end

    def stop(self: Restoration, *args: Any) -> None:
        usual(self, *args)
        if self.global_step == 6:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(Restoration, "on_train_batch_end", stop)
        with pytest.raises(KeyboardInterrupt):
            trained(short, tmp_path / "stopped")
    trained(short, tmp_path / "stopped", resume=True)
    whole = rows(tmp_path / "whole")
    assert rows(tmp_path / "stopped") == whole
    assert sum(1 for row in whole if row["train_mse_loss"] and row["train_mean_grad_norm"]) == 2


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_named_and_what_is_saved_goes_on(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    short = changed(experiment, steps=8)
    usual = lightning.Trainer.save_checkpoint

    def second_is_full(self: lightning.Trainer, path: Path, **given: Any) -> None:
        if self.global_step > 4:
            Path(path).write_bytes(b"half")
            full()
        usual(self, path, **given)

    with monkeypatch.context() as patched:
        patched.setattr(lightning.Trainer, "save_checkpoint", full)
        with pytest.raises(OutputRefused, match="no checkpoint was saved yet"):
            trained(short, out)
    with monkeypatch.context() as patched:
        patched.setattr(lightning.Trainer, "save_checkpoint", second_is_full)
        with pytest.raises(OutputRefused, match=r"in .*run.*is whole, and --resume goes on"):
            trained(short, out)
    assert not list(out.glob("*.partial"))
    assert torch.load(out / "last.ckpt", weights_only=True)["global_step"] == 4
    assert trained(short, out, resume=True).steps == 8


def test_another_error_of_the_system_stays_itself(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(lightning.Trainer, "save_checkpoint", failing)
    with pytest.raises(OSError, match="broken"):
        trained(changed(experiment, steps=4), tmp_path / "run")


def test_samples_that_cannot_be_written_cost_a_warning(
    experiment: Experiment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Image.Image, "save", full)
    assert trained(changed(experiment, steps=4), tmp_path / "run").steps == 4
    assert (tmp_path / "run" / "last.ckpt").is_file()
    assert f"step-0000004.png cannot be written: {os.strerror(errno.ENOSPC)}" in caplog.text


def caught() -> str:
    """The signals that this process, Python or not, has a handler of (proc(5))."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line for line in lines if line.startswith("SigCgt"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
@pytest.mark.parametrize("preset", [None, "dev-run"])
def test_signals_that_others_have_taken_stay_theirs(
    experiment: Experiment, tmp_path: Path, preset: Literal["dev-run"] | None
) -> None:
    with (tmp_path / "trace").open("w") as file:
        # Set as its handlers of a crash are, and not by Python's own signal.
        faulthandler.register(signal.SIGUSR2, file=file)
        try:
            before = caught()
            for resume in (False, True):
                fit(
                    changed(experiment, steps=3),
                    tmp_path / "run",
                    resume=resume,
                    preset=preset,
                    progress=False,
                    tracking=False,
                )
                assert caught() == before
        finally:
            faulthandler.unregister(signal.SIGUSR2)
