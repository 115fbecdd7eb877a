"""What every worker of a Ray cluster does: the training of :func:`hyperfocal.training.fit.fit`."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hyperfocal.errors import HyperfocalError, InputMissing
from hyperfocal.training.checkpoints import LAST
from hyperfocal.training.data import pictures_in
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import Trained, fit
from hyperfocal.training.group import Group
from hyperfocal.training.pictures import judged_on

STARTS = "ray-starts.json"


@dataclass(frozen=True)
class Task:
    """What the workers are to do. ``sign``: a file that whoever asks has put into ``out``."""

    experiment: dict[str, Any]
    out: str
    sign: str
    progress: bool
    tracking: bool | None
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came of it, or what the user has to be told."""

    trained: Trained | None = None
    problem: HyperfocalError | None = None


def work(task: Task) -> Answer:
    """Train as one of the workers that Ray Train has started and connected.

    Goes on from the newest checkpoint there is: what started the workers refuses a folder with
    one that is not to be gone on with, so it is this training's own. An error of the user's is
    an answer, since Ray would try again whatever raises.
    """
    import ray.train
    from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment

    os.environ.update(task.environment)
    context = ray.train.get_context()
    group = Group(
        context.get_world_rank(),
        context.get_world_size(),
        {
            "devices": "auto",
            "plugins": [RayLightningEnvironment()],
            # The only buffers are constants, and all processes have them.
            "strategy": RayDDPStrategy(broadcast_buffers=False),
        },
    )
    out = Path(task.out)
    try:
        experiment = Experiment.checked(task.experiment, out)
        with group.agreed():
            _look(experiment, out, task.sign)
        _note_start(group, out)
        trained = fit(
            experiment,
            out,
            resume=True,
            progress=task.progress,
            tracking=task.tracking,
            group=group,
        )
    except HyperfocalError as problem:
        return Answer(problem=problem)
    return Answer(trained)


def _look(experiment: Experiment, out: Path, sign: str) -> None:
    """:class:`InputMissing` where this machine sees other folders than the one that asked."""
    here = socket.gethostname()
    if not (out / sign).is_file():
        raise InputMissing(
            f"the worker on {here} does not see the folder of the training, {out}: "
            "it must be on a path that all nodes of the cluster share (--out)"
        )
    try:
        pictures_in(Path(experiment.data.train))
        judged_on(experiment)
        start = experiment.net.start
        if start is not None and not Path(start).is_file():
            raise InputMissing(f"there is no file {start}")
    except InputMissing as error:
        raise InputMissing(
            f"the worker on {here} does not see the data: {error}; "
            "they must be on a path that all nodes of the cluster share"
        ) from error


def _note_start(group: Group, out: Path) -> None:
    """Add this start of the workers to ``STARTS``: who they are, and whether it goes on."""
    import torch

    me = {"rank": group.rank, "host": socket.gethostname(), "pid": os.getpid()}
    workers: list[Any] = [None] * group.size
    torch.distributed.all_gather_object(workers, me)
    if not group.leads:
        return
    path = out / STARTS
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    start = {"resumed": (out / LAST).is_file(), "workers": workers}
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps([*earlier, start], indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def work_on(config: dict[str, Any]) -> Answer:
    """:func:`work`, in the shape that Ray Train calls."""
    return work(Task(**config))
