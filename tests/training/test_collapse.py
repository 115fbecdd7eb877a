"""A training that loses what it had learnt is told and ended; what it had is kept."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from hyperfocal.training.checkpoints import Checkpoints
from hyperfocal.training.collapse import Collapse
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit
from hyperfocal.training.module import Restoration


def stopped_after(psnrs: list[float], best: float, callback: Collapse | None = None) -> int | None:
    """The number of the validation that ended it, from 1."""
    keeper = SimpleNamespace(best_psnr=best)
    callback = callback or Collapse(keeper)  # type: ignore[arg-type]
    trainer = SimpleNamespace(should_stop=False, global_step=7, is_global_zero=True)
    for number, psnr in enumerate(psnrs, start=1):
        trainer.callback_metrics = {"val_psnr": psnr}
        callback.on_validation_end(trainer, SimpleNamespace())  # type: ignore[arg-type]
        if trainer.should_stop:
            return number
    return None


def test_two_validations_far_below_the_best_end_it() -> None:
    assert stopped_after([33.9, 31.0, 31.0], best=34.0) == 3
    assert stopped_after([math.nan, math.nan], best=34.0) == 2
    assert stopped_after([math.nan, math.nan], best=-math.inf) == 2


def test_without_a_number_before_no_checkpoint_is_called_good(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert stopped_after([math.nan, math.nan], best=-math.inf) == 2
    assert "no validation so far came to a number" in caplog.text
    assert "best.ckpt" not in caplog.text


def test_what_comes_back_does_not() -> None:
    assert stopped_after([31.0, 33.0, 31.0, 33.0], best=34.0) is None
    assert stopped_after([32.1] * 9, best=34.0) is None
    assert stopped_after([30.0] * 9, best=-math.inf) is None


def test_the_count_outlives_a_resume() -> None:
    keeper: Any = SimpleNamespace(best_psnr=34.0, anew=False)
    before, after = Collapse(keeper), Collapse(keeper)
    assert stopped_after([30.0], 34.0, before) is None
    after.load_state_dict(before.state_dict())
    assert stopped_after([30.0], 34.0, after) == 1


def test_weights_that_are_no_numbers_end_it_and_the_best_is_kept(
    experiment_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = experiment_file.read_text().replace("validate_every = 125", "validate_every = 5")
    experiment_file.write_text(text)
    average = Restoration.on_train_batch_end

    def spoilt(self: Restoration, *args: Any) -> None:
        if self.global_step == 12:
            with torch.no_grad():
                for weights in self.net.parameters():
                    weights.fill_(math.nan)
        average(self, *args)

    monkeypatch.setattr(Restoration, "on_train_batch_end", spoilt)
    with caplog.at_level(logging.WARNING):
        trained = fit(
            Experiment.read(experiment_file), tmp_path / "run", progress=False, tracking=False
        )
    assert trained.steps == 20
    assert math.isfinite(trained.best_psnr)
    assert "stopped at step 20" in caplog.text
    assert "best.ckpt" in caplog.text
    state = torch.load(tmp_path / "run" / "best.ckpt", weights_only=True)["state_dict"]
    assert all(bool(torch.isfinite(values).all()) for values in state.values() if values.ndim > 1)


def test_what_is_no_number_is_last_in_the_order(tmp_path: Path) -> None:
    keeper = Checkpoints(tmp_path, count=2)
    trainer: Any = SimpleNamespace(
        save_checkpoint=lambda path, weights_only: path.write_text(str(trainer.global_step)),
        is_global_zero=True,
        strategy=SimpleNamespace(barrier=lambda name: None),
    )
    for step, psnr in enumerate([math.nan, 30.0, math.nan, 31.0, math.nan], start=1):
        trainer.global_step, trainer.callback_metrics = step, {"val_psnr": psnr}
        keeper.save(trainer)
    assert [name for _, name in keeper.kept] == ["step-0000004.ckpt", "step-0000002.ckpt"]
    assert (tmp_path / "best.ckpt").read_text() == "4"
    assert (tmp_path / "last.ckpt").read_text() == "5"
