from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from skimage.transform import ProjectiveTransform

from hyperfocal.errors import SettingsError
from hyperfocal.quality import imresize
from hyperfocal.training.data import PatchPool, PatchSettings, bicubic_pair, pictures_in, read_rgb
from hyperfocal.training.degraded import judged_pairs, training_pool
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.reduction import Reduction, reduced, slanted, smaller

WAYS: tuple[Reduction, ...] = get_args(Reduction)


def stripes(period: int) -> np.ndarray:
    """Columns of black and white, ``period`` pixels each."""
    row = np.repeat(np.array([0, 255], np.uint8), period)
    return np.broadcast_to(np.tile(row, 120 // period)[None, :, None], (60, 240, 3)).copy()


@pytest.mark.parametrize("by", WAYS)
def test_a_reduced_picture_shows_the_same_in_the_same_place(by: Reduction) -> None:
    y, x = np.mgrid[:90, :120]
    slope = np.stack([2 * x, 2 * y, x + y], axis=2).astype(np.uint8)
    made = smaller(slope, 1 / 3, by).astype(float)
    assert made.shape == (30, 40, 3)
    # A slope stays one: at the middle of every new pixel, what was there.
    want = slope[1::3, 1::3]
    assert np.abs(made - want)[4:-4, 4:-4].max() <= 2.0


@pytest.mark.parametrize("by", WAYS)
def test_only_without_antialiasing_detail_too_fine_stays(by: Reduction) -> None:
    contrast = smaller(stripes(1), 0.45, by)[:, 10:-10, 0].std()
    assert contrast > 60 if by == "aliased" else contrast < 30


def test_bicubic_is_that_of_the_protocol_but_for_the_borders() -> None:
    picture = np.random.default_rng(5).integers(64, 192, (64, 48, 3), dtype=np.uint8)
    want = imresize(picture.astype(np.float64), 0.5)
    apart = np.abs(reduced(picture, (32, 24), "bicubic") - want)
    # Between rows and columns it is rounded to bytes.
    assert apart[3:-3, 3:-3].max() <= 1.2


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_share_of_reduced_tiles_is_as_asked(photographs: Path, share: float) -> None:
    files = pictures_in(photographs / "train")
    pool = PatchPool(files, PatchSettings(scale=2, patch=16, batch=2, reduced=share))
    pool.refresh(0)
    whole = [
        hr.shape == tile.shape
        for (_, hr), tile in zip(pool.pairs, map(read_rgb, files), strict=True)
    ]
    assert whole == [share == 0.0] * len(files)


@pytest.mark.parametrize("kind", ["bicubic", "real"])
def test_patches_are_reduced_in_the_ways_that_were_asked_for(
    experiment_file: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()

    def watched(pixels: np.ndarray, size: tuple[int, int], by: Reduction) -> np.ndarray:
        seen.add(by)
        return reduced(pixels, size, by)

    for module in ("reduction", "degraded"):
        monkeypatch.setattr(f"hyperfocal.training.{module}.reduced", watched)
    text = f'[data]\ndegradation = "{kind}"\nreduced = 1.0\nreduce_by = ["box", "aliased"]'
    experiment_file.write_text(experiment_file.read_text().replace("[data]", text))
    pool = training_pool(Experiment.read(experiment_file))
    for turn in range(4):
        pool.refresh(turn)
        pool.batch(turn)
    assert seen == {"box", "aliased"}


def test_pictures_are_judged_at_every_size(experiment_file: Path) -> None:
    text = '[data]\njudged_at = [1.0, 0.5]\nreduce_by = ["lanczos", "box"]'
    experiment_file.write_text(experiment_file.read_text().replace("[data]", text))
    experiment = Experiment.read(experiment_file)
    files = pictures_in(Path(experiment.data.validation))
    originals = []
    for index, file in enumerate(files):
        picture = read_rgb(file)
        originals += [picture, smaller(picture, 0.5, "lanczos" if index % 2 else "box")]
    found = judged_pairs(experiment, files)
    for pair, original in zip(found, originals, strict=True):
        for part, want in zip(pair, bicubic_pair(original, 2), strict=True):
            np.testing.assert_array_equal(part, want)


def test_a_picture_that_is_too_small_when_reduced_is_told(experiment_file: Path) -> None:
    text = "[data]\njudged_at = [1.0, 0.05]"
    experiment_file.write_text(experiment_file.read_text().replace("[data]", text))
    experiment = Experiment.read(experiment_file)
    files = pictures_in(Path(experiment.data.validation))
    with pytest.raises(SettingsError, match=r"too few to judge a net by, .* data\.judged_at"):
        judged_pairs(experiment, files)


@pytest.mark.parametrize(
    "setting",
    [
        "reduce_by = []",
        'reduce_by = ["cubic"]',
        "judged_at = []",
        "judged_at = [1.5]",
        "reduced = 2",
        "slanted = -0.1",
    ],
)
def test_what_cannot_be_is_refused(experiment_file: Path, setting: str) -> None:
    text = experiment_file.read_text().replace("[data]", f"[data]\n{setting}")
    experiment_file.write_text(text)
    with pytest.raises(SettingsError, match=setting.split(" ")[0]):
        Experiment.read(experiment_file)


def seen(seed: int, height: int = 200, width: int = 240) -> np.ndarray:
    """Which place ``(x, y)`` of a picture each pixel of a slanted view of it shows."""
    y, x = np.mgrid[:height, :width]
    places = np.stack([x, y, np.zeros_like(x)], axis=2).astype(np.uint8)
    return slanted(places, np.random.default_rng(seed))[..., :2].astype(np.float64)


@pytest.mark.parametrize("seed", range(4))
def test_a_slanted_view_is_what_a_camera_could_see(seed: int) -> None:
    places = seen(seed)
    side = len(places)
    assert places.shape[0] == places.shape[1]
    # Of every point the estimate would take gigabytes.
    some = np.arange(0, side, 9)
    grid = np.stack(np.meshgrid(some, some), axis=2).reshape(-1, 2)
    shown = places[np.ix_(some, some)].reshape(-1, 2)
    camera = ProjectiveTransform.from_estimate(grid, shown)
    assert camera
    assert np.abs(camera.residuals(grid, shown)).max() < 1.0
    # And nothing is left at the corners that the picture does not show.
    assert (places[[0, 0, -1, -1], [0, -1, 0, -1]] > 0).any(axis=1).all()


def test_slanted_views_differ_and_follow_their_seed() -> None:
    middles = [tuple(view[len(view) // 2, len(view) // 2]) for view in map(seen, range(6))]
    assert len(set(middles)) > 3
    edges = [view[len(view) // 2, -1] - view[len(view) // 2, 0] for view in map(seen, range(6))]
    assert np.ptp([np.degrees(np.arctan2(y, x)) for x, y in edges]) > 30
    np.testing.assert_array_equal(seen(3), seen(3))


def test_slanted_views_are_made_smaller(photographs: Path) -> None:
    files = pictures_in(photographs / "train")
    tile = min(min(read_rgb(path).shape[:2]) for path in files)
    settings = PatchSettings(scale=2, patch=16, batch=2, reduced=1.0, slanted=1.0)
    plain = PatchPool(files, replace(settings, slanted=0.0))
    askew = PatchPool(files, settings)
    for pool in (plain, askew):
        pool.refresh(0)
    assert max(max(hr.shape[:2]) for _, hr in askew.pairs) <= 0.8 * tile
    assert max(max(hr.shape[:2]) for _, hr in plain.pairs) > 0.8 * tile


def test_only_some_views_are_slanted(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def watched(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        seen.append(pixels.shape)
        return slanted(pixels, generator)

    monkeypatch.setattr("hyperfocal.training.data.slanted", watched)
    files = pictures_in(photographs / "train")
    settings = PatchSettings(scale=2, patch=16, batch=2, reduced=1.0, slanted=0.5)
    pool = PatchPool(files, settings)
    for turn in range(40):
        pool.refresh(turn)
    share = len(seen) / (40 * len(files))
    assert 0.35 < share < 0.65


def test_a_tile_too_small_for_a_slanted_view_is_taken_as_it_is(photographs: Path) -> None:
    files = pictures_in(photographs / "train")
    side = min(min(read_rgb(path).shape[:2]) for path in files)
    settings = PatchSettings(scale=2, patch=side // 2 - 4, batch=2, reduced=1.0, slanted=1.0)
    pool = PatchPool(files, settings)
    pool.refresh(0)
    least = min(min(hr.shape[:2]) for _, hr in pool.pairs)
    assert least >= 2 * (side // 2 - 3) > 0.8 * side
