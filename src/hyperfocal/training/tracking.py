"""Telling MLflow about a training: parameters, figures, files.

A tracker that is down costs a warning, never the training.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger

from hyperfocal.training import facts
from hyperfocal.training.arithmetic import precision_here
from hyperfocal.training.checkpoints import BEST
from hyperfocal.training.curves import FILE as CURVES
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.mlflow_server import RUN_FILE, Server, refuse_another_place, run_of
from hyperfocal.training.module import OPTIMIZERS, Restoration
from hyperfocal.training.outbox import Outbox
from hyperfocal.training.samples import FOLDER as SAMPLES

_DIGEST = "data_digest"
_EXPERIMENT = "hyperfocal"
_log = logging.getLogger(__name__)


class _Deleted(Exception):
    """Nothing can be written to what is tracked; asking again would not help."""

    error_code = "RESOURCE_DOES_NOT_EXIST"


class Tracking(Logger):
    """Lightning's figures to a run of MLflow. ``run_id`` is None until MLflow has answered."""

    def __init__(self, server: Server, out: Path, *, resumed: bool = False) -> None:
        super().__init__()
        self._server = server
        self._out = out
        self._outbox = Outbox(f"MLflow ({server.uri})")
        self._client: Any = None
        self._sent: set[Path] = set()
        self.run_id = run_of(out, server) if resumed else None
        self._continues = self.run_id is not None

    @property
    def name(self) -> str:
        """Lightning wants one."""
        return "mlflow"

    @property
    def version(self) -> str:
        """Lightning wants one."""
        return self.run_id or ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: :meth:`begin` tells the parameters."""

    def begin(
        self, experiment: Experiment, module: Restoration, data: Mapping[str, list[Path]]
    ) -> None:
        """Open the run, with everything that is known before the first step."""
        self._outbox.put(lambda: self._open(experiment.name), needed=True)
        told = experiment.model_dump(exclude={"data": {"teacher"}})
        values = {**facts.flat(told), **_parameters(experiment, module)}
        self._outbox.put(lambda: self._set_parameters(values))
        texts = {"experiment.toml": experiment.to_toml()}
        listing, digest = facts.manifest(data)
        if not self._continues:
            texts |= {
                "gpu-info.txt": facts.machine(),
                "model_summary.txt": facts.net_summary(module),
            }
            self._outbox.put(lambda: self._set_tags({"kind": "training"}))
        self._outbox.put(lambda: self._set_data(listing, digest))
        self._outbox.put(lambda: self._texts(texts))
        _system_figures()  # so that the first ones cover the first epoch
        self._outbox.send()

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Queue figures, and send them when an epoch is over."""
        figures = {k: v for k, v in metrics.items() if k != "epoch" and math.isfinite(v)}
        over = "epoch_time" in figures or "test_psnr" in figures
        if "epoch_time" in figures:
            figures |= _system_figures()
        self._queue(figures, step or 0)
        if over:
            self._queue_samples()
            self._outbox.send()

    def finish(self, out: Path, module: Restoration) -> None:
        """Tell what the finished training left."""
        epochs = math.ceil(module.batches / module.experiment.schedule.validate_every)
        self._outbox.put(lambda: self._set_parameters({"epochs": epochs}))
        self._queue_samples()
        for name in (BEST, CURVES):
            self._file(out / name, "checkpoints" if name == BEST else "")

    def end(self, status: str) -> None:
        """Close the run as FINISHED, FAILED or KILLED, and say what MLflow did not hear."""
        self._outbox.put(lambda: self._client.set_terminated(self.run_id, status))
        self._outbox.close()

    def _open(self, name: str) -> None:
        if self._client is None:
            self._client = self._server.client()
        if self._continues:
            self._client.update_run(self.run_id, status="RUNNING")
            return
        group = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
        found = self._client.get_experiment_by_name(group)
        if found is not None and found.lifecycle_stage == "deleted":
            raise _Deleted(
                f"its experiment '{group}' was deleted, so the training is not tracked: bring it "
                f"back (mlflow experiments restore -x {found.experiment_id}), or name another one "
                "(MLFLOW_EXPERIMENT_NAME)"
            )
        key = (
            found.experiment_id
            if found is not None
            else self._client.create_experiment(group, self._server.artifacts)
        )
        self.run_id = self._client.create_run(key, run_name=name).info.run_id
        text = json.dumps({"uri": self._server.uri, "run_id": self.run_id}, indent=2)
        (self._out / RUN_FILE).write_text(text + "\n", encoding="utf-8")

    def _set_parameters(self, values: Mapping[str, Any]) -> None:
        """MLflow lets no parameter change: a tag of its name says what holds since the training
        went on otherwise.
        """
        from mlflow.entities import Param, RunTag

        told = self._client.get_run(self.run_id).data
        texts = {key: str(value)[:5000] for key, value in values.items()}
        params = [Param(key, text) for key, text in texts.items() if key not in told.params]
        tags = [
            RunTag(key, text)
            for key, text in texts.items()
            if text != told.tags.get(key, told.params.get(key, text))
        ]
        self._client.log_batch(self.run_id, params=params, tags=tags)

    def _set_tags(self, values: Mapping[str, str]) -> None:
        for key, value in values.items():
            self._client.set_tag(self.run_id, key, value)

    def _set_data(self, listing: str, digest: str) -> None:
        """The data that is read, and, where a training goes on with other, what was before."""
        before = self._client.get_run(self.run_id).data.tags.get(_DIGEST, "")
        digests = [*before.split(), digest]
        if digest in digests[:-1]:
            return
        name = "data-manifest.txt" if not before else f"data-manifest-{len(digests)}.txt"
        self._texts({name: listing})
        self._set_tags({_DIGEST: " ".join(digests)})

    def _texts(self, texts: Mapping[str, str]) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            for name, text in texts.items():
                (Path(scratch) / name).write_text(text, encoding="utf-8")
            self._client.log_artifacts(self.run_id, scratch)

    def _queue(self, figures: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)

        def send() -> None:
            from mlflow.entities import Metric

            metrics = [Metric(key, float(value), now, step) for key, value in figures.items()]
            self._client.log_batch(self.run_id, metrics=metrics)

        self._outbox.put(send)

    def _queue_samples(self) -> None:
        for path in sorted((self._out / SAMPLES).glob("*.png")):
            if path not in self._sent:
                self._sent.add(path)
                self._file(path, SAMPLES)

    def _file(self, path: Path, folder: str) -> None:
        self._outbox.put(lambda: self._client.log_artifact(self.run_id, str(path), folder or None))


@contextlib.contextmanager
def track(
    experiment: Experiment,
    out: Path,
    module: Restoration,
    data: Mapping[str, list[Path]],
    *,
    resumed: bool,
) -> Iterator[Tracking | None]:
    """A run of MLflow for as long as the training lasts; None where MLflow is not installed.

    ``data``: every picture file, by what it is for. :class:`SettingsError` where MLflow would put
    its database elsewhere than beside ``out``.
    """
    try:
        import mlflow  # noqa: F401
    except ImportError:
        _log.warning("MLflow is not installed: the training is not tracked")
        yield None
        return
    refuse_another_place(out)
    tracking = Tracking(Server.of(out), out, resumed=resumed)
    tracking.begin(experiment, module, data)
    try:
        yield tracking
    except BaseException as error:
        tracking.end("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    tracking.end("FINISHED")


def _parameters(experiment: Experiment, module: Restoration) -> dict[str, Any]:
    """The usual parameters under their usual names."""
    schedule, teacher = experiment.schedule, experiment.data.teacher
    return {
        # By its name alone where it is one, as when it could be no more.
        **({"data.teacher": ", ".join(teacher)} if teacher else {}),
        "optimizer_name": OPTIMIZERS[schedule.optimizer].__name__,
        "lr": schedule.rate,
        "betas": (schedule.beta1, schedule.beta2),
        "weight_decay": schedule.weight_decay,
        "precision": precision_here(experiment),
        "trainable_parameters": facts.trainable(module.net),
    }


def _system_figures() -> dict[str, float]:
    """Load and memory since the last call, under MLflow's own names for them."""
    try:
        import psutil
    except ImportError:
        return {}
    memory = psutil.virtual_memory()
    figures = {
        "system/cpu_utilization_percentage": psutil.cpu_percent(),
        "system/system_memory_usage_megabytes": memory.used / 1e6,
        "system/system_memory_usage_percentage": memory.percent,
        "system/process_memory_usage_megabytes": psutil.Process().memory_info().rss / 1e6,
    }
    import torch

    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        figures["system/gpu_0_memory_usage_megabytes"] = (total - free) / 1e6
        figures["system/gpu_0_memory_usage_percentage"] = 100.0 * (1.0 - free / total)
    return figures
