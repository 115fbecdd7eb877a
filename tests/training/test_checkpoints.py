"""What a training leaves on disk."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hyperfocal.errors import InputMissing, ModelBroken
from hyperfocal.training import checkpoints as module
from hyperfocal.training.checkpoints import Checkpoints
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit
from hyperfocal.training.samples import grid, hardest
from hyperfocal.training.stored import load_average


class FakeTrainer:
    """Writes its step as its state."""

    def __init__(self) -> None:
        self.global_step = 0
        self.callback_metrics = {"val_psnr": 0.0}
        self.is_global_zero = True
        self.strategy = SimpleNamespace(barrier=lambda name: None)

    def save_checkpoint(self, path: Path, weights_only: bool) -> None:
        path.write_text(str(self.global_step))


def run(folder: Path, psnrs: list[float], keeper: Checkpoints | None = None) -> Checkpoints:
    keeper, trainer = keeper or Checkpoints(folder), FakeTrainer()
    for step, psnr in enumerate(psnrs, start=1):
        trainer.global_step, trainer.callback_metrics = step, {"val_psnr": psnr}
        keeper.on_validation_end(trainer, None)  # type: ignore[arg-type]
        keeper.on_train_epoch_end(trainer, None)  # type: ignore[arg-type]
    return keeper


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_the_top_three_the_best_and_the_last_are_kept(tmp_path: Path) -> None:
    keeper = run(tmp_path, [30.0, 33.0, 31.0, 34.0, 29.0, 32.0])
    assert texts(tmp_path) == {
        "best.ckpt": "4",
        "last.ckpt": "6",
        "step-0000002.ckpt": "2",
        "step-0000004.ckpt": "4",
        "step-0000006.ckpt": "6",
    }
    assert (keeper.best_psnr, keeper.psnr) == (34.0, 32.0)


def test_names_are_copies_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(module.os, "link", refuse)
    run(tmp_path, [30.0, 29.0])
    assert texts(tmp_path)["best.ckpt"] == "1"
    assert texts(tmp_path)["last.ckpt"] == "2"


def test_the_ranking_outlives_a_resume(tmp_path: Path) -> None:
    state = run(tmp_path, [33.0, 34.0, 31.0]).state_dict()
    later = Checkpoints(tmp_path)
    later.load_state_dict(state)
    trainer = SimpleNamespace(
        global_step=4,
        callback_metrics={"val_psnr": 32.0},
        save_checkpoint=lambda path, weights_only: path.write_text("4"),
        is_global_zero=True,
        strategy=SimpleNamespace(barrier=lambda name: None),
    )
    later.save(trainer)  # type: ignore[arg-type]
    assert texts(tmp_path)["best.ckpt"] == "2"
    assert "step-0000003.ckpt" not in texts(tmp_path)


def test_an_epoch_without_a_validation_is_not_judged_by_an_old_one(tmp_path: Path) -> None:
    keeper = Checkpoints(tmp_path)
    keeper.on_train_epoch_end(FakeTrainer(), None)  # type: ignore[arg-type]
    assert texts(tmp_path) == {}


def test_patience_ends_a_training_that_gets_no_better(
    experiment_file: Path, tmp_path: Path
) -> None:
    text = experiment_file.read_text().replace("rate = 4e-3", "rate = 1e-12\npatience = 2")
    experiment_file.write_text(text.replace("validate_every = 125", "validate_every = 5"))
    trained = fit(Experiment.read(experiment_file), tmp_path / "a", progress=False, tracking=False)
    # At such a rate only the first validation is better than none.
    assert trained.steps < 50


def test_samples_show_input_bicubic_output_and_original(
    experiment_file: Path, tmp_path: Path
) -> None:
    text = experiment_file.read_text().replace("steps = 250", "steps = 6")
    experiment_file.write_text(text.replace("validate_every = 125", "validate_every = 3"))
    fit(Experiment.read(experiment_file), tmp_path / "run", progress=False, tracking=False)
    files = sorted((tmp_path / "run" / "samples").iterdir())
    assert [path.name for path in files] == ["step-0000003.png", "step-0000006.png"]
    sheet = np.asarray(Image.open(files[-1]))
    # Two pictures of 48x48, twice as large: four columns of 96 with gaps.
    assert sheet.shape == (16 + 2 * 96 + 3 * 4, 4 * 96 + 5 * 4, 3)
    first = slice(16, 16 + 96)
    columns = [sheet[first, 4 + at * 100 : 4 + at * 100 + 96].astype(float) for at in range(4)]
    photograph = np.asarray(Image.open(experiment_file.parent / "val" / "4.png"))
    assert np.array_equal(columns[3], photograph)
    assert np.array_equal(columns[0][::2], columns[0][1::2])
    assert 0 < np.abs(columns[1] - columns[2]).mean() < 20


def test_the_window_is_where_bicubic_fails() -> None:
    hr = np.full((128, 128, 3), 100, np.uint8)
    hr[64:, 64:][::2] = 200
    lr = np.full((64, 64, 3), 100, np.uint8)
    assert hardest(lr, hr, 32) == (slice(32, 64), slice(32, 64))
    assert hardest(lr, hr, 500, multiple=2) == (slice(0, 64), slice(0, 64))


def test_pictures_of_different_sizes_fit_on_a_sheet() -> None:
    rows = [tuple(np.zeros((side, side + 2, 3), np.uint8) for _ in range(4)) for side in (10, 20)]
    assert grid(rows).size == (4 * 22 + 5 * 4, 16 + 30 + 3 * 4)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(ModelBroken, match="is no checkpoint"):
        load_average(tmp_path / "x.ckpt")


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(1)}, tmp_path / "x.ckpt")
    with pytest.raises(ModelBroken, match="was not written by"):
        load_average(tmp_path / "x.ckpt")


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match="there is no checkpoint"):
        load_average(tmp_path / "x.ckpt")


def resumed(folder: Path, state: dict[str, Any], psnr: float) -> Checkpoints:
    """A training that goes on from ``state`` after three steps, and is validated at the fourth."""
    keeper, trainer = Checkpoints(folder), FakeTrainer()
    keeper.load_state_dict(state)
    keeper.on_train_start(trainer, None)  # type: ignore[arg-type]
    trainer.global_step, trainer.callback_metrics = 4, {"val_psnr": psnr}
    keeper.save(trainer)  # type: ignore[arg-type]
    return keeper


@pytest.mark.parametrize(("psnr", "best"), [(32.0, "2"), (35.0, "4")])
def test_the_best_stays_the_best_where_its_other_name_is_gone(
    tmp_path: Path, psnr: float, best: str
) -> None:
    state = run(tmp_path, [33.0, 34.0, 31.0]).state_dict()
    for path in tmp_path.glob("step-*.ckpt"):
        path.unlink()
    keeper = resumed(tmp_path, state, psnr)
    found = texts(tmp_path)
    assert found["best.ckpt"] == best
    assert {name for _, name in keeper.kept} == {"step-0000002.ckpt", "step-0000004.ckpt"}
    assert found["step-0000002.ckpt"] == "2"


def test_the_best_gets_its_name_back(tmp_path: Path) -> None:
    state = run(tmp_path, [33.0, 34.0, 31.0]).state_dict()
    (tmp_path / "best.ckpt").unlink()
    resumed(tmp_path, state, 32.0)
    assert texts(tmp_path)["best.ckpt"] == "2"


def test_where_only_the_last_state_is_left_the_next_is_the_best(tmp_path: Path) -> None:
    state = run(tmp_path, [33.0, 34.0, 31.0]).state_dict()
    for path in (*tmp_path.glob("step-*.ckpt"), tmp_path / "best.ckpt"):
        path.unlink()
    resumed(tmp_path, state, 32.0)
    assert texts(tmp_path)["best.ckpt"] == "4"
