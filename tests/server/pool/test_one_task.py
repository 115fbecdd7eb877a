"""What a worker does with one task, without a process around it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from hyperfocal import imaging
from hyperfocal.errors import HyperfocalError
from hyperfocal.imaging import Picture
from hyperfocal.server.errors import SpoolFull, SpoolUnusable, WorkerMemory
from hyperfocal.server.pool import Answer, Options, Task, work
from hyperfocal.server.pool.estimate import Rates
from hyperfocal.server.pool.models import Models
from hyperfocal.server.pool.worker import _as_ours
from hyperfocal.settings import Settings

# So little that the result is kept in a file.
_SCARCE = 1_000_000


@pytest.fixture
def do(tmp_path: Path):
    """``do(picture, …)``: the answer to a task of enlarging it twice."""

    def done(picture: Picture, reference: Picture | None = None, **given) -> Answer:
        settings = Settings(threads=1, **given)
        task = Task(tmp_path / "in", tmp_path / "out", Options(scale=2, format="png"))
        imaging.save(picture, task.source, format="png")
        if reference is not None:
            task = Task(task.source, task.output, task.options, tmp_path / "reference")
            imaging.save(reference, task.reference, format="png")
        models = Models(("bicubic-x2",), settings)
        return work.do(work.Job(task, models, settings, lambda _: None, lambda: False, Rates()))

    return done


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, SpoolFull),
        (errno.EDQUOT, SpoolFull),
        (errno.EFBIG, SpoolFull),
        (errno.EACCES, SpoolUnusable),
        (errno.ENOMEM, WorkerMemory),
    ],
)
def test_a_large_result_that_finds_no_room_is_the_services_trouble(
    do, tmp_path, monkeypatch, number, kind
):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    with pytest.raises(HyperfocalError) as error:
        do(Picture(np.full((40, 60, 3), 9, np.uint8)), memory=_SCARCE)
    told = _as_ours(error.value)
    assert type(told) is kind
    assert str(tmp_path) not in str(told)
