"""Tracking, against a real MLflow server with SQLite."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bound import bound

pytest.importorskip("mlflow", reason="MLflow is not installed")

from mlflow.tracking import MlflowClient

from hyperfocal.training.experiment import Experiment
from hyperfocal.training.export import export
from hyperfocal.training.fit import fit
from hyperfocal.training.mlflow_server import Server
from hyperfocal.training.module import Restoration
from hyperfocal.training.registration import register

pytestmark = pytest.mark.tracking

PARAMETERS = {
    "optimizer_name": "AdamW",
    "lr": "0.004",
    "betas": "(0.9, 0.99)",
    "epochs": "3",
    "weight_decay": "0.01",
    "precision": "32-true",
    "data.teacher": "bicubic-x2, bicubic-x4",
    "net.channels": "16",
    "schedule.steps": "20",
}
METRICS = {
    "train_mse_loss",
    "train_mean_grad_norm",
    "train_lr",
    "val_mse_loss",
    "val_psnr",
    "val_ssim",
    "val_snr",
    "test_loss",
    "test_psnr",
    "test_ssim",
    "test_snr",
    "epoch_time",
    "system/cpu_utilization_percentage",
    "system/process_memory_usage_megabytes",
}
ARTIFACTS = {
    "checkpoints",
    "samples",
    "gpu-info.txt",
    "model_summary.txt",
    "data-manifest.txt",
    "experiment.toml",
    "metrics.csv",
}


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=30) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    for _ in range(3):
        folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
        url = f"http://127.0.0.1:{port}"
        server = start_server(folder, port)
        try:
            ends = time.monotonic() + 240
            while server.poll() is None and not alive(url):
                assert time.monotonic() < ends, (folder / "log").read_text()
                time.sleep(0.2)
            # Else somebody took the port just before it did.
            if server.poll() is None:
                yield url
                return
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    raise AssertionError((folder / "log").read_text())


def start_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = bound(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1")
    command += ["--port", str(port), "--workers", "1", "--serve-artifacts"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    # Its job runner alone would take two gigabytes.
    quiet = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            command, env={**os.environ, **quiet}, stdout=log, stderr=log, start_new_session=True
        )


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)


@pytest.fixture
def experiment(experiment_file: Path) -> Experiment:
    others = experiment_file.parent / "test"
    others.mkdir()
    for path in (experiment_file.parent / "train").iterdir():
        Image.open(path).rotate(90).save(others / path.name)
    text = experiment_file.read_text().replace("steps = 250", "steps = 20")
    text = text.replace("[data]", '[data]\ntest = "test"\nteacher = ["bicubic-x2", "bicubic-x4"]')
    text += 'optimizer = "adamw"\nbeta2 = 0.99\nweight_decay = 0.01\n'
    experiment_file.write_text(text.replace("validate_every = 125", "validate_every = 8"))
    return Experiment.read(experiment_file)


def test_a_training_is_told_and_its_model_registered(
    experiment: Experiment, tmp_path: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    out = tmp_path / "run"
    trained = fit(experiment, out, progress=False)
    made = export(out / "best.ckpt", tmp_path / "model", calibration=2)
    version = register(made.card, tmp_path / "model", out)

    client = Server(mlflow_server).client()
    run = client.get_run(trained.run_id)
    assert run.info.status == "FINISHED"
    assert PARAMETERS.items() <= run.data.params.items()
    assert int(run.data.params["trainable_parameters"]) > 10_000
    assert run.data.metrics.keys() >= METRICS
    assert run.data.metrics["test_psnr"] == pytest.approx(trained.test["test_psnr"])
    history = client.get_metric_history(trained.run_id, "val_psnr")
    assert [entry.step for entry in history] == [7, 15, 19]
    assert max(entry.value for entry in history) == pytest.approx(trained.best_psnr)
    assert {item.path for item in client.list_artifacts(trained.run_id)} >= ARTIFACTS | {"model"}
    assert len(client.list_artifacts(trained.run_id, "samples")) == 3

    def fetched(name: str) -> bytes:
        return Path(client.download_artifacts(trained.run_id, name, str(tmp_path))).read_bytes()

    assert fetched("checkpoints/best.ckpt") == (out / "best.ckpt").read_bytes()
    assert run.data.tags["data_digest"] == hashlib.sha256(fetched("data-manifest.txt")).hexdigest()
    assert "cores available" in fetched("gpu-info.txt").decode()
    assert "PlainNet" in fetched("model_summary.txt").decode()
    (tmp_path / "told.toml").write_bytes(fetched("experiment.toml"))
    assert Experiment.read(tmp_path / "told.toml") == experiment

    assert version == "1"
    registered = client.get_model_version("tiny-x2", version)
    assert registered.run_id == trained.run_id
    assert made.card.to_toml() in registered.description
    assert registered.tags["sha256.int8"] == made.card.weights["int8"].sha256
    weights = fetched("model/tiny-x2.int8.onnx")
    assert hashlib.sha256(weights).hexdigest() == registered.tags["sha256.int8"]
    assert register(made.card, tmp_path / "model", out) == "2"


def test_a_resumed_training_goes_on_in_its_run(
    experiment: Experiment, tmp_path: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    stopped = pytest.MonkeyPatch()
    usual = Restoration.on_train_batch_end

    def stop(self: Any, *arguments: Any) -> None:
        usual(self, *arguments)
        if self.global_step == 12:
            raise RuntimeError("power cut")

    stopped.setattr(Restoration, "on_train_batch_end", stop)
    with pytest.raises(RuntimeError, match="power cut"):
        fit(experiment, tmp_path / "run", progress=False)
    stopped.undo()
    client = Server(mlflow_server).client()
    (first,) = client.search_runs(
        [client.get_experiment_by_name("hyperfocal").experiment_id], "status = 'FAILED'"
    )
    trained = fit(experiment, tmp_path / "run", resume=True, progress=False)
    assert trained.run_id == first.info.run_id
    run = client.get_run(trained.run_id)
    assert (run.info.status, run.data.params["epochs"]) == ("FINISHED", "3")


def test_what_has_changed_when_a_training_goes_on_is_told(
    experiment: Experiment,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    with_database: Callable[[Path], None],
) -> None:
    """MLflow lets no parameter change: tags of their names say what holds."""
    out = tmp_path / "runs" / "one"
    with_database(out.parent)
    fit(experiment, out, progress=False)
    for steps, epochs in ((28, "4"), (36, "5")):
        schedule = experiment.schedule.model_copy(update={"steps": steps})
        longer = experiment.model_copy(update={"schedule": schedule})
        trained = fit(longer, out, resume=True, progress=False)
        data = Server.of(out).client().get_run(trained.run_id).data
        assert (data.params["epochs"], data.tags["epochs"]) == ("3", epochs)
        assert (data.params["schedule.steps"], data.tags["schedule.steps"]) == ("20", str(steps))
        assert "lr" not in data.tags
    artifacts = tmp_path / "runs" / "mlartifacts" / str(trained.run_id) / "artifacts"
    assert Experiment.read(artifacts / "experiment.toml") == longer
    assert "refused" not in caplog.text


def test_a_dead_server_costs_a_warning(
    experiment: Experiment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with contextlib.closing(socket.socket()) as taken:
        # Nobody listens there, nor can.
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        trained = fit(experiment, tmp_path / "run", progress=False)
        assert (trained.steps, trained.run_id) == (20, None)
        assert "does not answer" in caplog.text
        assert "was not told the last" in caplog.text
        made = export(tmp_path / "run" / "best.ckpt", tmp_path / "model", calibration=2)
        assert register(made.card, tmp_path / "model", tmp_path / "run") is None


def test_without_a_server_all_lies_beside_the_run(experiment: Experiment, tmp_path: Path) -> None:
    trained = fit(experiment, tmp_path / "runs" / "one", progress=False)
    assert (tmp_path / "runs" / "mlflow.db").is_file()
    artifacts = tmp_path / "runs" / "mlartifacts" / str(trained.run_id) / "artifacts"
    assert {path.name for path in artifacts.iterdir()} == ARTIFACTS


def test_a_deleted_experiment_is_told_once(
    experiment: Experiment,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    with_database: Callable[[Path], None],
) -> None:
    with_database(tmp_path)
    fit(experiment, tmp_path / "one", progress=False)
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    client.delete_experiment(client.get_experiment_by_name("hyperfocal").experiment_id)
    caplog.clear()
    trained = fit(experiment, tmp_path / "two", progress=False)
    assert (trained.steps, trained.run_id) == (20, None)
    (told,) = [record.message for record in caplog.records if "MLflow" in record.message]
    assert "was deleted, so the training is not tracked: bring it back" in told


def test_tracking_can_be_switched_off(experiment: Experiment, tmp_path: Path) -> None:
    fit(experiment, tmp_path / "runs" / "one", progress=False, tracking=False)
    quiet = experiment.model_copy(update={"tracking": False})
    fit(quiet, tmp_path / "runs" / "two", progress=False)
    assert not (tmp_path / "runs" / "mlflow.db").exists()
