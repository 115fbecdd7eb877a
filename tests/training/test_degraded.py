from __future__ import annotations

import os
import tomllib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hyperfocal.errors import (
    InputError,
    InputMissing,
    OutputExists,
    OutputRefused,
    SettingsError,
)
from hyperfocal.quality import imresize, psnr
from hyperfocal.quality.metrics import scores
from hyperfocal.training.data import PatchSettings, bicubic_pair, pictures_in, read_rgb
from hyperfocal.training.degradations import Degradations
from hyperfocal.training.degraded import (
    DegradedPool,
    degraded_pairs,
    judged_pairs,
    parts,
    training_pool,
)
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.preview import contact_sheet, save_sheet
from hyperfocal.training.suite import write_suite


def pool(folder: Path, degradations: Degradations | None = None, **changes: object) -> DegradedPool:
    settings = {"scale": 2, "patch": 16, "batch": 6, "seed": 3, **changes}
    return DegradedPool(
        pictures_in(folder / "train"),
        PatchSettings(**settings),  # type: ignore[arg-type]
        degradations or Degradations(),
    )


def test_batches_have_the_promised_shape(photographs: Path) -> None:
    lr, hr = next(iter(pool(photographs)))
    assert lr.shape == (6, 3, 16, 16)
    assert hr.shape == (6, 3, 32, 32)
    assert lr.dtype == hr.dtype == torch.uint8


def test_clean_patches_of_a_pair_show_the_same(photographs: Path) -> None:
    for low, high in zip(*next(iter(pool(photographs, Degradations(clean=1.0)))), strict=True):
        reduced = imresize(high.numpy().transpose(1, 2, 0).astype(np.float64), 0.5)
        inner = (slice(3, -3), slice(3, -3))
        error = np.abs(reduced[inner] - low.numpy().transpose(1, 2, 0)[inner])
        assert error.max() <= 1.0


def test_degraded_patches_still_belong_to_their_original(photographs: Path) -> None:
    lr, hr = next(iter(pool(photographs, Degradations(clean=0.0), batch=24)))
    figures = []
    for low, high in zip(lr.numpy(), hr.numpy(), strict=True):
        reduced = imresize(high.transpose(1, 2, 0), 0.5).astype(np.uint8)
        figures.append(psnr(low.transpose(1, 2, 0), reduced))
    assert 22.0 < np.median(figures) < 40.0


def test_a_batch_depends_on_the_seed_and_its_number_only(photographs: Path) -> None:
    first, other = pool(photographs), pool(photographs)
    other.batch(0)
    assert torch.equal(first.batch(5)[0], other.batch(5)[0])
    assert not torch.equal(first.batch(5)[0], first.batch(6)[0])
    assert not torch.equal(first.batch(5)[0], pool(photographs, seed=4).batch(5)[0])


def test_pictures_smaller_than_a_patch_and_its_margin_are_named(photographs: Path) -> None:
    with pytest.raises(SettingsError, match=r"0\.png is 96x96"):
        pool(photographs, patch=40)


def degraded(files: list[Path]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [pair for path in files for pair in degraded_pairs(read_rgb(path), path.stem, 2)]


def test_validation_is_the_same_for_every_run(photographs: Path) -> None:
    files = pictures_in(photographs / "val")
    first, again = degraded(files), degraded(files)
    assert len(first) == 4 * len(files)
    for (low, high), (low_again, high_again) in zip(first, again, strict=True):
        assert low.shape == (24, 24, 3)
        assert high.shape == (48, 48, 3)
        np.testing.assert_array_equal(low, low_again)
        np.testing.assert_array_equal(high, high_again)
    # By the name, not by the place in the folder.
    alone = degraded(files[1:])
    np.testing.assert_array_equal(alone[0][0], first[4][0])


def test_parts_cover_the_picture_and_fit_the_scale() -> None:
    picture = np.arange(50 * 70 * 3, dtype=np.uint32).astype(np.uint8).reshape(50, 70, 3)
    cut = parts(picture, "a", 4)
    assert [name for name, _ in cut] == ["a-00", "a-01", "a-10", "a-11"]
    assert {part.shape for _, part in cut} == {(24, 32, 3)}
    np.testing.assert_array_equal(cut[3][1], picture[24:48, 32:64])


def real(experiment_file: Path, table: str = "") -> Experiment:
    text = experiment_file.read_text().replace("batch = 4", 'batch = 4\ndegradation = "real"')
    experiment_file.write_text(text + table)
    return Experiment.read(experiment_file)


def test_an_experiment_chooses_its_degradations(experiment_file: Path) -> None:
    plain = Experiment.read(experiment_file)
    assert not isinstance(training_pool(plain), DegradedPool)
    files = pictures_in(Path(plain.data.validation))
    low, high = judged_pairs(plain, files)[0]
    np.testing.assert_array_equal(low, bicubic_pair(read_rgb(files[0]), 2)[0])

    experiment = real(
        experiment_file, "\n[degradation]\nclean = 1.0\n[degradation.blur]\nsigma = [0.2, 0.4]\n"
    )
    data = experiment.data.model_copy(update={"refresh_every": 70})
    made = training_pool(experiment.model_copy(update={"data": data}))
    assert isinstance(made, DegradedPool)
    assert made.settings.refresh_every == 70
    assert made.degradations.clean == 1.0
    assert made.degradations.blur.sigma == (0.2, 0.4)
    assert made.degradations.noise == Degradations().noise
    # Judged by the default ranges all the same, so that trainings compare.
    want = degraded(files)
    for (low, high), (low_want, high_want) in zip(
        judged_pairs(experiment, files), want, strict=True
    ):
        np.testing.assert_array_equal(low, low_want)
        np.testing.assert_array_equal(high, high_want)


RANGES = [name for name, value in asdict(Degradations()).items() if isinstance(value, dict)]


@pytest.mark.parametrize("name", RANGES)
def test_what_a_table_leaves_out_stays_as_it_is(experiment_file: Path, name: str) -> None:
    experiment = real(experiment_file, f"\n[degradation.{name}]\nprobability = 0.77\n")
    assert experiment.degradation is not None
    want = asdict(Degradations())
    want[name]["probability"] = 0.77
    assert asdict(experiment.degradation) == want


def test_ranges_survive_a_checkpoint_and_a_file(experiment_file: Path) -> None:
    experiment = real(experiment_file, "\n[degradation]\nsecond = 0.5\n")
    assert Experiment.model_validate(experiment.model_dump()) == experiment
    assert Experiment.model_validate(tomllib.loads(experiment.to_toml())) == experiment


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[degradation]\ncleen = 0.1", "no 'degradation.cleen'; did you mean 'clean'"),
        (
            "[degradation.blur]\nsigmas = [0.1, 1]",
            "'degradation.blur.sigmas'; did you mean 'sigma'",
        ),
        ("[degradation]\nclean = 1.5", "degradation.*clean is a probability"),
        ("[degradation.noise]\nlevel = [9, 1]", "level must rise"),
    ],
)
def test_impossible_ranges_are_refused(experiment_file: Path, table: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        real(experiment_file, f"\n{table}\n")


def test_ranges_without_degradation_are_refused(experiment_file: Path) -> None:
    experiment_file.write_text(experiment_file.read_text() + "\n[degradation]\nclean = 0.1\n")
    with pytest.raises(SettingsError, match=r"\[degradation\] is for data.degradation = 'real'"):
        Experiment.read(experiment_file)


def test_a_contact_sheet_shows_original_clean_and_degraded(
    photographs: Path, tmp_path: Path
) -> None:
    files = pictures_in(photographs / "val")
    sheet = contact_sheet(files, 2, Degradations(clean=0.0), side=64)
    array = np.asarray(sheet)
    assert sheet.mode == "RGB"
    original = read_rgb(files[0])[16:80, 16:80]
    np.testing.assert_array_equal(array[20:84, 6:70], original)
    clean, degraded = array[20:84, 76:140], array[20:84, 146:210]
    np.testing.assert_array_equal(clean[::2, ::2], bicubic_pair(original, 2)[0])
    assert (clean != degraded).any()
    save_sheet(sheet, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as read:
        assert read.size == sheet.size
    with pytest.raises(OutputRefused, match=r"sheet\.png cannot be written"):
        save_sheet(sheet, tmp_path / "nowhere" / "sheet.png")


def test_a_suite_is_written_once(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "suite"
    assert write_suite(photographs / "val", out, 2) == 8
    want = degraded(pictures_in(photographs / "val"))
    for (low, high), path in zip(want, pictures_in(out / "LR"), strict=True):
        np.testing.assert_array_equal(read_rgb(path), low)
        np.testing.assert_array_equal(read_rgb(out / "HR" / path.name), high)
    said = tomllib.loads((out / "recipes.toml").read_text())
    assert said["scale"] == 2
    assert sorted(said["recipes"]) == [path.stem for path in pictures_in(out / "LR")]
    with pytest.raises(OutputExists, match="is not empty"):
        write_suite(photographs / "val", out, 2)
    with pytest.raises(InputMissing, match="no folder"):
        write_suite(photographs / "nowhere", tmp_path / "other", 2)


def test_a_suite_of_a_picture_whose_name_is_no_text(photographs: Path, tmp_path: Path) -> None:
    pictures = photographs / "val"
    (pictures / "4.png").rename(pictures / os.fsdecode(b"caf\xe9.png"))
    (pictures / "5.png").unlink()
    assert write_suite(pictures, tmp_path / "suite", 2) == 4
    recipes = tomllib.loads((tmp_path / "suite" / "recipes.toml").read_text())["recipes"]
    assert sorted(recipes) == [f"caf\\udce9-{part}" for part in ("00", "01", "10", "11")]


def test_a_suite_of_namesakes_is_refused(photographs: Path, tmp_path: Path) -> None:
    Image.open(photographs / "val" / "4.png").save(photographs / "val" / "4.JPG")
    with pytest.raises(SettingsError, match=r"4\.JPG and 4\.png would get the same name"):
        write_suite(photographs / "val", tmp_path / "suite", 2)
    assert not (tmp_path / "suite").exists()


@pytest.mark.parametrize("is_there", [False, True])
def test_a_suite_is_written_whole_or_not_at_all(
    photographs: Path, tmp_path: Path, is_there: bool
) -> None:
    # Its header is sound.
    whole = (photographs / "val" / "5.png").read_bytes()
    (photographs / "val" / "9.png").write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "suites" / "real"
    if is_there:
        out.mkdir(parents=True)
    with pytest.raises(InputError, match=r"9\.png"):
        write_suite(photographs / "val", out, 2)
    assert list((tmp_path / "suites").rglob("*")) == ([out] if is_there else [])
    (photographs / "val" / "9.png").unlink()
    assert write_suite(photographs / "val", out, 2) == 8
    assert sorted(path.name for path in out.iterdir()) == ["HR", "LR", "recipes.toml"]


def test_a_file_is_no_place_for_a_suite(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("text")
    with pytest.raises(OutputRefused, match="mine is a file"):
        write_suite(photographs / "val", tmp_path / "mine", 2)
    assert (tmp_path / "mine").read_text() == "text"


@pytest.mark.parametrize(("kind", "least"), [("bicubic", 16), ("real", 32)])
def test_a_picture_too_small_to_be_judged_is_named(
    experiment_file: Path, kind: str, least: int
) -> None:
    """11 pixels of SSIM's window, two at every border, and a multiple of the scale."""
    folder = experiment_file.parent / "val"
    experiment = real(experiment_file) if kind == "real" else Experiment.read(experiment_file)
    for side, fits in ((least, True), (least - 1, False), (1, False)):
        Image.effect_noise((40, side), 30).convert("RGB").save(folder / "small.png")
        if fits:
            low, high = judged_pairs(experiment, [folder / "small.png"])[-1]
            scores(imresize(low, 2.0).astype(np.uint8), high, shave=2)
        else:
            with pytest.raises(SettingsError, match=rf"small\.png has 40x{side} .*{least}x{least}"):
                judged_pairs(experiment, [folder / "small.png"])
