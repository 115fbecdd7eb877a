"""The precision that is told is the one that trains."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from test_resume import rows

from hyperfocal.training import arithmetic
from hyperfocal.training.arithmetic import precision_here
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit
from hyperfocal.training.mlflow_server import Server
from hyperfocal.training.module import Restoration
from hyperfocal.training.nets.fused import has_bfloat16

PRECISIONS = ["32-true", "bf16-mixed", "16-mixed"]
MIXED = "bf16-mixed" if has_bfloat16() else "32-true"
"""What this machine trains in without a GPU."""


@pytest.fixture
def experiment(experiment_file: Path) -> Experiment:
    text = experiment_file.read_text().replace("steps = 250", "steps = 16")
    text = text.replace('"32-true"', '"16-mixed"')
    experiment_file.write_text(text.replace("validate_every = 125", "validate_every = 8"))
    return Experiment.read(experiment_file)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.filterwarnings("ignore:.*fp16 is not supported on CPU.*")
def test_it_is_what_lightning_takes(
    experiment: Experiment, precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = experiment.model_copy(update={"precision": precision})
    trainer = lightning.Trainer(
        accelerator="auto", devices=1, precision=precision, logger=False, enable_checkpointing=False
    )
    monkeypatch.setattr(arithmetic, "has_bfloat16", lambda: True)
    assert precision_here(asked) == trainer.precision


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU trains in both")
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_processor_without_bfloat16_trains_in_float32(
    experiment: Experiment, precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False, raising=False)
    asked = experiment.model_copy(update={"precision": precision})
    assert precision_here(asked) == "32-true"


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_gpu_trains_in_what_was_asked_for(
    experiment: Experiment, precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    asked = experiment.model_copy(update={"precision": precision})
    assert precision_here(asked) == precision


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU trains in float16")
def test_an_experiment_in_float16_trains_and_resumes_on_a_cpu(
    experiment: Experiment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = fit(experiment, tmp_path / "whole", progress=False, tracking=False)
    assert whole.steps == 16
    notices = [record for record in caplog.records if record.levelno >= logging.WARNING]
    (notice,) = (record.getMessage() for record in notices)
    assert f"'{MIXED}' rather than '16-mixed'" in notice

    bfloat = experiment.model_copy(update={"precision": MIXED})
    caplog.clear()
    fit(bfloat, tmp_path / "bfloat", progress=False, tracking=False)
    assert not caplog.records
    assert rows(tmp_path / "whole") == rows(tmp_path / "bfloat")

    usual = Restoration.on_train_batch_end
    with pytest.MonkeyPatch.context() as patched:

        def stop(self: Any, *arguments: Any) -> None:
            usual(self, *arguments)
            if self.global_step == 12:
                raise RuntimeError("power cut")

        patched.setattr(Restoration, "on_train_batch_end", stop)
        with pytest.raises(RuntimeError, match="power cut"):
            fit(experiment, tmp_path / "cut", progress=False, tracking=False)
    # What it is to train in on another machine is still what was asked for.
    assert Experiment.read(tmp_path / "cut" / "experiment.toml").precision == "16-mixed"
    fit(experiment, tmp_path / "cut", resume=True, progress=False, tracking=False)
    want, found = (
        torch.load(tmp_path / name / "last.ckpt", weights_only=True) for name in ("whole", "cut")
    )
    torch.testing.assert_close(found["state_dict"], want["state_dict"], rtol=0, atol=0)
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")


def test_the_mlflow_run_says_what_trained(
    experiment: Experiment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    with_database: Callable[[Path], None],
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    out = tmp_path / "runs" / "half"
    with_database(out.parent)
    trained = fit(experiment, out, progress=False, tracking=True)
    run = Server.of(out).client().get_run(trained.run_id)
    on_gpu = torch.cuda.is_available()
    assert run.data.params["precision"] == ("16-mixed" if on_gpu else MIXED)
