"""Range test, curves and the presets: quick looks at a training."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyperfocal.errors import (
    InputError,
    InputMissing,
    OutputExists,
    OutputRefused,
    SettingsError,
)
from hyperfocal.training.curves import COLUMNS, CurveFile, draw, read_curves
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.lr_find import lr_find, steepest
from hyperfocal.training.presets import dev_run, overfit_one_batch


@pytest.fixture
def experiment(experiment_file: Path) -> Experiment:
    return Experiment.read(experiment_file)


def test_the_suggestion_is_where_the_loss_falls_fastest() -> None:
    rates = list(np.geomspace(1e-5, 1e-1, 81))
    # A fall around 1e-3, then divergence with a steep fall in the middle of it.
    losses = [1.0 - 0.8 / (1.0 + (1e-3 / rate) ** 3) for rate in rates]
    losses = [loss if rate < 2e-2 else 5.0 for loss, rate in zip(losses, rates, strict=True)]
    losses[-1] = 1.0
    assert 5e-4 < steepest(rates, losses) < 5e-3


def test_a_loss_that_only_rises_suggests_nothing() -> None:
    with pytest.raises(SettingsError, match="does not fall at any rate"):
        steepest([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0])
    with pytest.raises(SettingsError, match="lower ones"):
        steepest([], [])


def test_the_range_test_trains_and_is_drawn(experiment: Experiment, tmp_path: Path) -> None:
    found = lr_find(experiment, steps=40, low=1e-5, high=1e-1)
    assert found.rates[0] == pytest.approx(1e-5)
    assert len(found.rates) == len(found.losses)
    assert 1e-5 <= found.suggestion <= 1e-1
    assert found.losses[0] == 1.0
    assert min(found.losses) < 0.99
    assert found == lr_find(experiment, steps=40, low=1e-5, high=1e-1)
    found.draw(tmp_path / "curve.png")
    assert Image.open(tmp_path / "curve.png").size[0] > 300


def test_batches_that_are_harder_than_others_do_not_decide(experiment: Experiment) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    for name, picture in (("0", noise), ("1", noise // 64 + 100), ("2", noise // 64 + 50)):
        Image.fromarray(picture).save(Path(experiment.data.train) / f"{name}.png")
    data = experiment.data.model_copy(update={"batch": 1})
    # Such rates move nothing: whatever the loss does below 1e-6 is the batches' doing.
    uneven = experiment.model_copy(update={"data": data})
    assert lr_find(uneven, steps=60, low=1e-9, high=1e-1).suggestion > 1e-6


@pytest.mark.parametrize("given", [{"steps": 5}, {"low": 1.0, "high": 0.1}, {"low": 0.0}])
def test_an_impossible_range_is_refused(experiment: Experiment, given: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="a range test needs"):
        lr_find(experiment, **given)  # type: ignore[arg-type]


def test_a_sound_net_learns_one_batch_by_heart(experiment: Experiment, tmp_path: Path) -> None:
    learnt = overfit_one_batch(experiment, tmp_path / "one", steps=200, progress=False)
    assert learnt.sound
    assert learnt.steps == 200
    assert learnt.net > learnt.bicubic + 0.5


def test_a_net_that_cannot_learn_is_found_out(experiment: Experiment, tmp_path: Path) -> None:
    stuck = experiment.schedule.model_copy(update={"rate": 1e-12})
    plan = experiment.model_copy(update={"schedule": stuck})
    assert not overfit_one_batch(plan, tmp_path / "one", steps=20, progress=False).sound


def test_a_dev_run_touches_everything_and_writes_nothing(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    (tmp_path / "held").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "held" / "noise.png")
    held = experiment.model_copy(
        update={"data": experiment.data.model_copy(update={"test": str(tmp_path / "held")})}
    )
    seen = dev_run(held)
    assert seen.steps == 1
    assert seen.test.keys() == {"test_loss", "test_psnr", "test_ssim", "test_snr"}
    assert not list((tmp_path / "empty").iterdir())


def log(folder: Path, *, until: int | None = None, steps: tuple[int, ...] = (9, 19)) -> CurveFile:
    folder.mkdir(exist_ok=True)
    curves = CurveFile(folder, until)
    for step in steps:
        curves.log_metrics({"epoch": 0, "train_loss": 1.0 / (step + 1)}, step)
        curves.log_metrics({"epoch": 0}, step)
        curves.log_metrics({"epoch": 0, "val_psnr": 30.0 + step}, step)
    return curves


def test_curves_are_read_back(tmp_path: Path) -> None:
    log(tmp_path / "run")
    curves = read_curves(tmp_path / "run")
    assert curves == {
        "train_loss": ([10.0, 20.0], [0.1, 0.05]),
        "val_psnr": ([10.0, 20.0], [39.0, 49.0]),
    }
    with (tmp_path / "run" / "metrics.csv").open() as file:
        assert tuple(next(csv.reader(file))) == COLUMNS


def test_rows_after_the_last_checkpoint_are_dropped_when_going_on(tmp_path: Path) -> None:
    path = log(tmp_path / "run", steps=(9, 19, 29)).path
    with path.open("a") as file:
        file.write("0,39,0.5")  # cut off in the middle of a line
    log(tmp_path / "run", until=20, steps=(24,))
    assert read_curves(path)["val_psnr"][0] == [10.0, 20.0, 25.0]


def test_a_new_training_begins_a_new_file(tmp_path: Path) -> None:
    log(tmp_path / "run")
    log(tmp_path / "run", steps=(4,))
    assert read_curves(tmp_path / "run")["val_psnr"][0] == [5.0]


def test_runs_are_drawn_into_one_picture(tmp_path: Path) -> None:
    log(tmp_path / "one")
    log(tmp_path / "two", steps=(5, 10, 15))
    draw([tmp_path / "one"], tmp_path / "one.png")
    draw([tmp_path / "one", tmp_path / "two" / "metrics.csv"], tmp_path / "both.png")
    one, both = (np.asarray(Image.open(tmp_path / name)) for name in ("one.png", "both.png"))
    assert one.shape == both.shape
    assert (one != both).any()
    draw([tmp_path / "one"], tmp_path / "one.svg")
    assert "<svg" in (tmp_path / "one.svg").read_text()
    draw([tmp_path / "one"], tmp_path / "one.webp")
    assert (tmp_path / "one.webp").read_bytes()[8:12] == b"WEBP"


def test_a_run_without_curves_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match="no curves"):
        draw([tmp_path], tmp_path / "a.png")
    CurveFile(tmp_path)
    with pytest.raises(InputMissing, match="no figures yet"):
        draw([tmp_path], tmp_path / "a.png")


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    log(tmp_path / "run")
    for name, told in (("nowhere/a.png", "cannot be written"), ("a.unknown", "must end in")):
        with pytest.raises(OutputRefused, match=told):
            draw([tmp_path / "run"], tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_quick_look_leaves_a_training_alone(experiment: Experiment, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "last.ckpt").write_bytes(b"hours of work")
    with pytest.raises(OutputExists, match="holds a training already"):
        overfit_one_batch(experiment, run, steps=6, progress=False)
    assert [path.name for path in run.iterdir()] == ["last.ckpt"]


def test_a_quick_look_is_kept_where_it_is_told_to_be(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    overfit_one_batch(experiment, steps=6, progress=False)
    assert not list((tmp_path / "empty").iterdir())
    overfit_one_batch(experiment, tmp_path / "one", steps=6, progress=False)
    assert (tmp_path / "one" / "metrics.csv").is_file()


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04\xff\xfe\x80 not text\n", b"step,val_psnr\nmany,30\n"]
)
def test_another_kind_of_file_has_no_curves(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "best.ckpt").write_bytes(content)
    with pytest.raises(InputError, match=r"best\.ckpt is no metrics\.csv"):
        draw([tmp_path / "best.ckpt"], tmp_path / "a.png")
