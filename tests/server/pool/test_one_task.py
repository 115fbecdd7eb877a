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


def soft(side: int) -> np.ndarray:
    """A picture that bicubic enlargement makes of its half, near enough."""
    y, x = np.mgrid[:side, :side] / side
    return np.uint8(np.stack([60 + 120 * x, 40 + 150 * y, 100 + 40 * x * y], axis=-1))


def half_hidden(pixels: np.ndarray, colour: int | np.ndarray) -> Picture:
    """Transparent on the left, with ``colour`` under it."""
    pixels, alpha = pixels.copy(), np.full(pixels.shape[:2], 255, np.uint8)
    left = np.s_[:, : pixels.shape[1] // 2]
    pixels[left] = colour
    alpha[left] = 0
    return Picture(pixels, alpha)


def test_a_result_does_not_wait_for_the_disk(do, monkeypatch):
    waited = []
    monkeypatch.setattr(os, "fsync", waited.append)
    do(Picture(np.full((8, 8, 3), 90, np.uint8)))
    # For the picture that goes in, which is saved here.
    assert len(waited) == 1


def test_colour_that_nobody_sees_has_no_say_in_figures(do):
    noise = np.random.default_rng(1).integers(0, 256, (96, 48, 3), np.uint8)
    found = [do(half_hidden(soft(96), colour)) for colour in (noise, 0, 255)]
    for answer in found:
        assert answer.ssim > 0.99
        assert answer.ssim == found[0].ssim
        assert answer.psnr == found[0].psnr
        assert answer.statistics == found[0].statistics
    # Of what is seen, which is brighter than black and darker than white.
    assert 0.4 < found[0].statistics["brightness"] < 0.7


@pytest.mark.parametrize("hiding", ["both", "picture", "reference"])
def test_nor_in_scores_against_a_reference(do, hiding):
    small, large = soft(96)[::2, ::2], soft(96)
    whole = do(Picture(small), Picture(large))
    given = (
        Picture(small) if hiding == "reference" else half_hidden(small, 0),
        Picture(large) if hiding == "picture" else half_hidden(large, 255),
    )
    answer = do(*given)
    assert answer.basis == "reference"
    assert answer.psnr == pytest.approx(whole.psnr, abs=1)
    assert answer.ssim == pytest.approx(whole.ssim, abs=0.01)
