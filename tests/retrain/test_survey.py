"""Which of the new pictures are learnt from."""

from __future__ import annotations

import shutil
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
from discs import discs
from PIL import Image, ImageDraw

from hyperfocal.errors import InputMissing
from hyperfocal.evaluate.suites import find_suite
from hyperfocal.quality.evidence import examine, signs
from hyperfocal.retrain.data import survey
from hyperfocal.retrain.sizes import left_out
from hyperfocal.retrain.staging import HELD_BACK, original_of, stage
from hyperfocal.settings import Settings

_LEAST = 48


def sound(number: int) -> list[np.ndarray]:
    """Pictures that nobody would call damaged."""
    drawn = (discs(seed) for seed in count())
    return list(islice((p for p in drawn if not signs(examine(None, p))), number))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """What people send: small and compressed."""
    folder = tmp_path / "kept"
    folder.mkdir()
    for at, picture in enumerate(sound(20)[10:]):
        Image.fromarray(picture).resize((64, 64)).save(folder / f"kept{at}.jpg", quality=20)
    return folder


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    folder = tmp_path / "new"
    folder.mkdir()
    for at, picture in enumerate(sound(10)):
        Image.fromarray(picture).save(folder / f"{at}.png")
    return folder


def test_what_was_sent_to_be_restored_is_no_original(kept: Path) -> None:
    with pytest.raises(InputMissing, match=r"has 0 different .*\(10 are damaged .* --any-quality"):
        survey(kept, 2, _LEAST, Settings())
    taken = survey(kept, 2, _LEAST, Settings(), any_quality=True)
    assert taken.counts()["damaged_left_out"] == 0
    assert sum(len(part) for part in (taken.training, taken.choosing, taken.held_back)) == 10


def test_damaged_ones_are_left_out_of_the_others(kept: Path, originals: Path) -> None:
    for path in kept.iterdir():
        path.rename(originals / path.name)
    parted = survey(originals, 2, _LEAST, Settings())
    assert parted.counts()["damaged_left_out"] == 10
    assert all("kept" in why and "a JPEG of quality 20" in why for why in parted.damaged)
    used = {pair.name for pair in (*parted.training, *parted.choosing, *parted.held_back)}
    assert used == {str(at) for at in range(10)}


def test_what_is_cut_out_is_judged_by_what_is_seen_of_it(originals: Path) -> None:
    noise = np.random.default_rng(0).normal(0.0, 10.0, (96, 96, 3))
    damaged = {originals / "0.png", originals / "1.png"}
    for path in damaged:
        noisy = np.clip(np.asarray(Image.open(path)) + noise, 0, 255).astype(np.uint8)
        cut_out, disc = Image.fromarray(noisy), Image.new("L", (96, 96))
        ImageDraw.Draw(disc).ellipse((24, 24, 72, 72), fill=255)
        cut_out.putalpha(disc)
        cut_out.save(path)
    parted = survey(originals, 2, _LEAST, Settings())
    assert {Path(why.partition(": ")[0]) for why in parted.damaged} == damaged


@pytest.mark.parametrize("degradation", ["bicubic", "real"])
def test_whose_original_each_picture_held_back_is(
    originals: Path, tmp_path: Path, degradation: str
) -> None:
    parted = survey(originals, 2, _LEAST, Settings())
    stage(parted, 2, degradation, tmp_path / "staged", Settings())
    suite = find_suite(tmp_path / "staged" / HELD_BACK, 2)
    found = original_of(parted, degradation)
    assert {pair.name for pair in suite.pairs} == found.keys()
    assert len(set(found.values())) == len(parted.held_back) == 2


def test_several_pictures_of_one_original_are_of_one(originals: Path, tmp_path: Path) -> None:
    high, low = tmp_path / "pairs" / "HR", tmp_path / "pairs" / "LR"
    low.mkdir(parents=True)
    originals.rename(high)
    for path in sorted(high.iterdir()):
        picture = Image.open(path)
        for quality in (60, 90):
            picture.reduce(2).save(low / f"{path.stem}-{quality}.jpg", quality=quality)
            shutil.copy(path, high / f"{path.stem}-{quality}.png")
        path.unlink()
    found = original_of(survey(tmp_path / "pairs", 2, _LEAST, Settings()), "given")
    assert len(found) == 4
    assert len(set(found.values())) == 2
    for name, original in found.items():
        assert found[f"{name.partition('-')[0]}-60"] == original


def test_of_pairs_the_originals_must_be_sound(originals: Path, tmp_path: Path) -> None:
    high, low = tmp_path / "pairs" / "HR", tmp_path / "pairs" / "LR"
    low.mkdir(parents=True)
    originals.rename(high)
    for path in high.iterdir():
        # As compressed as they like.
        Image.open(path).reduce(2).save(low / f"{path.stem}.jpg", quality=60)
    parted = survey(tmp_path / "pairs", 2, _LEAST, Settings())
    assert parted.counts()["damaged_left_out"] == 0
    Image.open(high / "3.png").save(high / "3.jpg", quality=30)
    (high / "3.png").unlink()
    parted = survey(tmp_path / "pairs", 2, _LEAST, Settings())
    assert [why.split(":")[0] for why in parted.damaged] == [str(high / "3.jpg")]


def test_a_picture_smaller_than_the_scale_is_a_small_one(originals: Path) -> None:
    Image.new("RGB", (40, 1)).save(originals / "line.png")
    Image.new("RGB", (30, 30)).save(originals / "icon.png")
    assert survey(originals, 2, _LEAST, Settings()).small == 2


def test_pictures_whose_names_differ_in_the_suffix_are_two(originals: Path) -> None:
    (originals / "0.png").rename(originals / "1.PNG")
    parted = survey(originals, 2, _LEAST, Settings())
    used = (*parted.training, *parted.choosing, *parted.held_back)
    assert {pair.name for pair in used} >= {"1.PNG", "1.png"}
    assert len({pair.high for pair in used}) == 10


def test_one_small_picture_does_not_shrink_the_patches_of_all(
    originals: Path, tmp_path: Path
) -> None:
    parted = survey(originals, 2, _LEAST, Settings(), wanted=96)
    assert parted.tiny == ()
    for at in range(10):
        folder = shutil.copytree(originals, tmp_path / str(at))
        path = folder / f"{at}.png"
        Image.open(path).crop((10, 10, 60, 60)).save(path)
        # Where it trains at all, which what it shows decides.
        parted = survey(folder, 2, _LEAST, Settings(), wanted=96, any_quality=True)
        if parted.tiny:
            break
    assert parted.tiny == (path,)
    assert parted.counts()["smaller_than_patches_left_out"] == 1
    assert path not in {pair.high for pair in parted.training}
    staged = stage(parted, 2, "bicubic", tmp_path / "staged", Settings())
    assert staged == 96
    # It trained before, and is no part of what the model's card tells any more.
    whole = survey(folder, 2, _LEAST, Settings(), any_quality=True)
    assert path in {pair.high for pair in whole.training}
    assert whole.digest != parted.digest


@pytest.mark.parametrize(
    ("sizes", "out"),
    [
        ([(50, 50)] + [(160, 160)] * 7, {0}),
        ([(160, 160)] * 7 + [(50, 160)], {7}),
        # Nearly as large a patch is no reason.
        ([(120, 120)] + [(160, 160)] * 7, set()),
        # Nor are those that are a good part of what is learnt from.
        ([(60, 400), (60, 400), (160, 160), (160, 160)], set()),
        ([(50, 50)] * 4 + [(160, 160)] * 4, set()),
        ([(50, 50), (50, 60)] + [(160, 160)] * 10, {0, 1}),
        ([(50, 50)] * 8, set()),
        ([(50, 50)], set()),
    ],
)
def test_which_are_too_small_for_the_others(sizes: list[tuple[int, int]], out: set[int]) -> None:
    assert left_out(sizes, 128) == out


def test_a_slightly_cropped_copy_is_no_new_picture(originals: Path) -> None:
    before = survey(originals, 2, _LEAST, Settings())
    whole = Image.open(originals / "3.png")
    whole.crop((1, 1, 96, 96)).save(originals / "cropped.png")
    after = survey(originals, 2, _LEAST, Settings(), any_quality=True)
    assert (before.copies, after.copies) == (0, 1)
