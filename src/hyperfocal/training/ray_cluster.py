"""One training by several workers of a Ray cluster.

Ray Train starts the workers, connects them, and starts all of them anew when one dies; they then
go on from the last checkpoint. It keeps nothing itself: the folder of the training is the one
that :func:`hyperfocal.training.fit.fit` would have written, and all nodes must see it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hyperfocal.errors import HyperfocalError, RuntimeMissing, SettingsError, UsageError
from hyperfocal.paths import made_folder
from hyperfocal.terminating import kept_handler
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import Trained, refuse_another
from hyperfocal.training.group import Group

LOCAL = "local"

# Nothing large goes through Ray's store of objects; this is close to the least it accepts.
_STORE_BYTES = 80 * 1024**2
_CONNECT_SECONDS = 10.0

# Set before Ray is loaded, unless the user has. By itself it waits a quarter of an hour for a
# port that is open and says nothing, reports home, and sends workers to another folder.
_ENVIRONMENT = {
    "RAY_NUM_REDIS_GET_RETRIES": "1",
    "RAY_py_gcs_connect_timeout_s": "10",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}

# What workers on other machines are told of this one's environment: no secrets, which Ray would
# show on its dashboard.
_PASSED_ON = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME")


def fit_on_ray(
    experiment: Experiment,
    out: Path,
    *,
    address: str,
    workers: int,
    restarts: int = 3,
    resume: bool = False,
    progress: bool = True,
    tracking: bool | None = None,
) -> Trained:
    """Train as :func:`hyperfocal.training.fit.fit` does, on a cluster; the same files come of it.

    ``address``: "local" starts a cluster in this process, "auto" joins the one of this machine,
    HOST:PORT another one, of which this machine is a node. Every worker takes ``1/workers`` of
    each batch, on a GPU of its own if the cluster has any. When a worker dies all are started
    again from the last checkpoint, ``restarts`` times at most.

    :class:`RuntimeMissing` without Ray; :class:`SettingsError` where the batch cannot be split,
    the cluster cannot be reached or is too small; :class:`InputMissing` where a worker does not
    see the data or ``out``; :class:`HyperfocalError` when workers failed once too often;
    :class:`KeyboardInterrupt` when told to stop.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    needs_ray()
    if workers < 1:
        raise UsageError(f"{workers} workers cannot train anything")
    Group(size=workers).batch_share(experiment.data.batch)
    if not resume:
        refuse_another(out)
    out = made_folder(out).resolve()
    with (
        cluster(address),
        _sign(out) as sign,
        # Ray Train takes Ctrl-C for itself and keeps it.
        kept_handler(signal.SIGINT),
    ):
        import ray

        each = resources_each([n["Resources"] for n in ray.nodes() if n["Alive"]], workers)
        task = {
            "experiment": experiment.model_dump(),
            "out": str(out),
            "sign": sign,
            "progress": progress,
            "tracking": tracking,
            "environment": {k: os.environ[k] for k in _PASSED_ON if k in os.environ},
        }
        return _trained(task, out, workers, each, restarts)


def needs_ray() -> None:
    """:class:`RuntimeMissing` where the extra is not installed."""
    if find_spec("ray") is None:
        raise RuntimeMissing(
            "training on a cluster needs Ray; install it with: pip install 'hyperfocal[train,ray]'"
        )


@contextlib.contextmanager
def cluster(address: str) -> Iterator[None]:
    """Connected to a cluster; to the one this process is connected to already, if it is.

    :class:`SettingsError` where none answers, within a minute.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {"logging_level": "warning", "log_to_driver": True}
    try:
        if address == LOCAL:
            ray.init(
                address=LOCAL,
                include_dashboard=False,
                object_store_memory=_STORE_BYTES,
                **quiet,
            )
        else:
            _knock(address)
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        ray.shutdown()
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
        raise SettingsError(f"there is no Ray cluster at '{address}': {reason}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """:class:`SettingsError` where nothing listens, sooner than Ray would say so."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise SettingsError(
            f"'{address}' is no address of a Ray cluster: write local, auto or HOST:PORT. From a "
            "machine that is not a node of it, submit the training as a job"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise SettingsError(f"there is no Ray cluster at '{address}': {error}") from error


def resources_each(nodes: Sequence[Mapping[str, float]], workers: int) -> dict[str, float]:
    """What a worker gets: the most CPUs that let all of them run at once, and a GPU if there are.

    ``nodes``: the resources of each. :class:`SettingsError` where it is too little.
    """
    cpus = [int(node.get("CPU", 0)) for node in nodes]
    gpus = sum(int(node.get("GPU", 0)) for node in nodes)
    if gpus:
        if gpus < workers:
            raise SettingsError(f"the cluster has {gpus} GPUs, too few for {workers} workers")
        # A GPU's worker has to be where the GPU is.
        places = [(int(n.get("CPU", 0)), int(n.get("GPU", 0))) for n in nodes]
    else:
        places = [(count, workers) for count in cpus]
    for each in range(max(cpus, default=0), 0, -1):
        if sum(min(count // each, most) for count, most in places) >= workers:
            return {"CPU": each, **({"GPU": 1} if gpus else {})}
    raise SettingsError(f"the cluster has {sum(cpus)} CPUs, too few for {workers} workers")


@contextlib.contextmanager
def _sign(out: Path) -> Iterator[str]:
    """The name of a file in ``out`` for as long as the workers may look for it."""
    path = out / f".ray-{uuid.uuid4().hex}"
    path.touch()
    try:
        yield path.name
    finally:
        path.unlink(missing_ok=True)


def _trained(
    task: dict[str, Any], out: Path, workers: int, each: dict[str, float], restarts: int
) -> Trained:
    from ray.train import (
        FailureConfig,
        LoggingConfig,
        RunConfig,
        ScalingConfig,
        TrainingFailedError,
    )
    from ray.train.torch import TorchTrainer

    from hyperfocal.training.ray_worker import work_on

    notes = out / ".ray"
    trainer = TorchTrainer(
        work_on,
        train_loop_config=task,
        scaling_config=ScalingConfig(
            num_workers=workers, use_gpu="GPU" in each, resources_per_worker=each
        ),
        run_config=RunConfig(
            name=task["sign"].strip("."),
            storage_path=str(notes),
            failure_config=FailureConfig(max_failures=restarts),
            logging_config=LoggingConfig("WARNING"),
        ),
    )
    try:
        answer = trainer.fit().return_value
    except TrainingFailedError as error:
        raise HyperfocalError(_told(error, restarts)) from error
    except SystemExit as stopped:
        # What Ray makes of Ctrl-C, and of a request to terminate.
        raise KeyboardInterrupt from stopped
    finally:
        shutil.rmtree(notes, ignore_errors=True)
    if answer.problem is not None:
        raise answer.problem
    return answer.trained


def _told(error: Any, restarts: int) -> str:
    """What the first worker that failed said, in a sentence."""
    failures = getattr(error, "worker_failures", None) or {0: error}
    rank = min(failures)
    lines = [line for line in str(failures[rank]).strip().splitlines() if line.strip()]
    return (
        f"the workers failed, the last time after {restarts} restarts; worker {rank}: "
        f"{lines[-1].strip() if lines else type(failures[rank]).__name__}; "
        "--resume goes on from the last checkpoint"
    )
