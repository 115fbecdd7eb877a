"""The verbs of ``hyperfocal train`` as they are typed."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from hyperfocal.cli.app import build
from hyperfocal.evaluate import measure_speed
from hyperfocal.models.card import ModelCard

Run = Callable[..., Result]


@pytest.fixture
def run(
    experiment_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """In the folder of ``tiny.toml``, a training of nine steps with three validations."""
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYPERFOCAL_CACHE", str(tmp_path / "cache"))
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    text = experiment_file.read_text().replace("steps = 250", "steps = 9")
    experiment_file.write_text(text.replace("validate_every = 125", "validate_every = 3"))

    def call(*words: str) -> Result:
        result = CliRunner().invoke(build(), ["train", *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def facts(result: Result) -> dict[str, str]:
    """What the end of a verb tells: names and values."""
    lines = (re.split(r" {2,}", line, maxsplit=1) for line in result.stdout.splitlines())
    return {parts[0]: parts[1] for parts in lines if len(parts) == 2}


def test_a_training_tells_each_validation_and_what_came_of_it(run: Run, tmp_path: Path) -> None:
    result = run("fit", "tiny.toml", "--no-tracking")
    assert result.exit_code == 0
    # No terminal: a line a validation instead of a bar.
    told = [line for line in result.stderr.splitlines() if line.startswith("step ")]
    assert [line.split(",")[0] for line in told] == ["step 3", "step 6", "step 9"]
    assert re.fullmatch(r"step 9, \d+\.\d min: \d+\.\d{3} dB, SSIM 0\.\d{4}", told[-1])
    found = facts(result)
    assert found["steps"] == "9"
    assert found["best validation PSNR"].endswith(" dB")
    assert Path(found["checkpoint"]) == Path("runs/tiny-x2/best.ckpt")

    again = run("fit", "tiny.toml", "--no-tracking")
    assert again.exit_code == 1
    assert "--resume" in again.stderr

    drawn = run("curves", "runs/tiny-x2", "-o", "curves.png")
    assert drawn.exit_code == 0
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG"


def test_going_on_from_nothing_is_told(run: Run) -> None:
    result = run("fit", "tiny.toml", "--out", "new", "--resume", "--no-tracking", "--quiet")
    assert result.exit_code == 0
    assert "there is no checkpoint in new to go on from; the training starts anew" in result.stderr
    assert "step 3" not in result.stderr
    more = run("fit", "tiny.toml", "--out", "new", "--resume", "--no-tracking", "--quiet")
    assert more.exit_code == 0
    assert "anew" not in more.stderr


def test_a_checkpoint_becomes_a_measured_model(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # Of a real picture of that size, not twenty times.
    monkeypatch.setattr("hyperfocal.evaluate.measure_speed", partial(measure_speed, runs=2))
    assert run("fit", "tiny.toml", "--no-tracking", "--quiet").exit_code == 0
    result = run("export", "runs/tiny-x2/best.ckpt", "-o", "model", "--suite", "val:1")
    assert result.exit_code == 0
    assert "measured val" in result.stderr
    card = ModelCard.read(Path("model/tiny-x2.toml"))
    told = {(q.suite, q.precision, q.images): q for q in card.quality}
    assert list(told) == [
        ("val", "float", 1),
        ("val", "int8", 1),
        ("validation", "float", 2),
        ("validation", "int8", 2),
    ]
    for (suite, precision, images), entry in told.items():
        shown = facts(result)[f"{suite} ({images}), {precision}"]
        assert shown == f"{entry.psnr:.3f} dB, {entry.ssim:.4f}"
    assert [(s.precision, s.side) for s in card.speed] == [("float", 512), ("int8", 512)]
    assert facts(result)["512x512, int8"] == f"{card.speed[1].median:.1f} ms"
    taken = run("export", "runs/tiny-x2/best.ckpt", "-o", "two", "--suite", "validation:1")
    assert (taken.exit_code, "another name" in taken.stderr) == (2, True)
    assert not Path("two").exists()
    mean = run("export", "runs/tiny-x2/best.ckpt", "-o", "mean", "--no-bench",
               "--average", "model/tiny-x2.float.onnx")  # fmt: skip
    assert mean.exit_code == 0
    digest = card.weights["float"].sha256[:16]
    assert ModelCard.read(Path("mean/tiny-x2.toml")).training.averaged_with == (
        f"tiny-x2.float.onnx (sha256 {digest})"
    )
    other = run("export", "runs/tiny-x2/best.ckpt", "-o", "other", "--average", "tiny.toml")
    assert (other.exit_code, "tiny.toml holds no plain net" in other.stderr) == (2, True)
    assert not Path("other").exists()
    missing = run("export", "nowhere.ckpt")
    assert (missing.exit_code, "nowhere.ckpt" in missing.stderr) == (3, True)


def test_a_tracked_training_ends_with_a_registered_model_unless_told_not_to(
    run: Run, with_database: Callable[[Path], None]
) -> None:
    with_database(Path("runs"))
    result = run("fit", "tiny.toml", "--quiet")
    assert result.exit_code == 0
    card = ModelCard.read(Path("runs/tiny-x2/model/tiny-x2.toml"))
    assert card.weights.keys() == {"float", "int8"}
    assert facts(result)["registered"] == "tiny-x2, version 1"
    without = run("fit", "tiny.toml", "--quiet", "--no-export", "-o", "runs/second")
    assert without.exit_code == 0
    assert "MLflow run" in facts(without)
    assert not Path("runs/second/model").exists()


def test_a_sweep_is_told_trial_by_trial(run: Run) -> None:
    with Path("tiny.toml").open("a") as file:
        file.write('[sweep]\nmethod = "grid"\nvalues.schedule.rate = [1e-3, 2e-3]\n')
    result = run("sweep", "tiny.toml", "--no-tracking")
    assert result.exit_code == 0
    assert "1 of 2: schedule.rate 0.001" in result.stderr
    assert "the best experiment: runs/tiny-x2-sweep/best.toml" in result.stderr
    assert result.stdout.splitlines()[0].split()[:2] == ["trial", "schedule.rate"]
    table = json.loads(run("sweep", "tiny.toml", "--no-tracking", "--json").stdout)
    assert sorted(trial["values"]["schedule.rate"] for trial in table) == [1e-3, 2e-3]
    assert table[0]["best_psnr"] >= table[1]["best_psnr"]


def test_quick_looks(run: Run) -> None:
    found = facts(run("lr-find", "tiny.toml", "-o", "rates.png", "--steps", "60"))
    assert 1e-6 <= float(found["suggested rate"]) <= 1e-1
    assert Path("rates.png").is_file()
    assert facts(run("fit", "tiny.toml", "--fast-dev-run"))["steps"] == "1"
    assert not Path("runs").exists()
    found = facts(run("fit", "tiny.toml", "--overfit-one-batch", "--quiet"))
    assert float(found["PSNR of the batch, net"].split()[0]) > 10.0
    both = run("fit", "tiny.toml", "--fast-dev-run", "--overfit-one-batch")
    assert (both.exit_code, "exclude each other" in both.stderr) == (2, True)


def test_what_an_experiment_must_not_say_is_a_usage_error(run: Run) -> None:
    Path("tiny.toml").write_text(Path("tiny.toml").read_text().replace("rate =", "rat ="))
    result = run("fit", "tiny.toml")
    assert result.exit_code == 2
    assert "did you mean 'rate'" in result.stderr


def test_a_file_where_a_folder_should_be(run: Run) -> None:
    assert run("fit", "tiny.toml", "--no-tracking", "--quiet").exit_code == 0
    Path("mine").write_text("text")
    best = "runs/tiny-x2/best.ckpt"
    for words in (
        ("fit", "tiny.toml", "--out", "mine", "--no-tracking"),
        ("export", best, "--out", "mine"),
        ("degrade-suite", "val", "mine"),
    ):
        result = run(*words)
        assert result.exit_code == 1
        assert "mine is a file" in result.stderr
    assert Path("mine").read_text() == "text"
    result = run("curves", best)
    assert (result.exit_code, "is no metrics.csv" in result.stderr) == (3, True)


def test_no_space_for_a_checkpoint_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, trainer: object) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/tiny-x2/last.ckpt.partial")

    monkeypatch.setattr("hyperfocal.training.checkpoints.Checkpoints._write", full)
    result = run("fit", "tiny.toml", "--no-tracking", "--quiet")
    assert result.exit_code == 1
    assert "no room for the training in runs/tiny-x2" in result.stderr
    assert "No space left on device; no checkpoint was saved yet" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("curves", "runs/tiny-x2"),
        ("lr-find", "tiny.toml"),
    ],
)
@pytest.mark.parametrize(
    ("out", "told"), [(".", "is a folder"), ("a", "must end in"), ("a.xyz", "must end in")]
)
def test_a_picture_of_curves_gets_the_name_that_was_given(
    run: Run, words: tuple[str, ...], out: str, told: str
) -> None:
    """Told before the work: nothing is there to be drawn."""
    before = sorted(Path().rglob("*"))
    result = run(*words, "-o", out)
    assert result.exit_code == 1
    assert told in result.stderr
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_training_that_does_not_fit_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("hyperfocal.training.module.Restoration.training_step", fail)
    for words in (
        ("fit", "tiny.toml", "--no-tracking", "--quiet"),
        ("fit", "tiny.toml", "--fast-dev-run"),
    ):
        result = run(*words)
        assert result.exit_code == 2
        assert "make data.batch, data.patch or the net smaller" in result.stderr


def test_a_bug_is_not_taken_for_a_lack_of_memory(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("hyperfocal.training.module.Restoration.training_step", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        run("fit", "tiny.toml", "--no-tracking", "--quiet")
