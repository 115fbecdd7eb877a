from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hyperfocal.errors import InputError, InputMissing, SettingsError
from hyperfocal.quality import imresize
from hyperfocal.training.data import (
    OneBatch,
    PatchPool,
    PatchSettings,
    ValidationPictures,
    bicubic_pair,
    hold_back,
    pictures_in,
    read_rgb,
)


def pool(folder: Path, **changes: object) -> PatchPool:
    settings = {"scale": 2, "patch": 16, "batch": 5, "seed": 3, **changes}
    return PatchPool(pictures_in(folder / "train"), PatchSettings(**settings))  # type: ignore[arg-type]


def test_batches_have_the_promised_shape(photographs: Path) -> None:
    lr, hr = next(iter(pool(photographs)))
    assert lr.shape == (5, 3, 16, 16)
    assert hr.shape == (5, 3, 32, 32)
    assert lr.dtype == hr.dtype == torch.uint8


def test_patches_of_a_pair_show_the_same(photographs: Path) -> None:
    for lr, hr in islice(pool(photographs), 6):
        for low, high in zip(lr.numpy(), hr.numpy(), strict=True):
            reduced = imresize(high.transpose(1, 2, 0).astype(np.float64), 0.5)
            inner = (slice(3, -3), slice(3, -3))
            error = np.abs(reduced[inner] - low.transpose(1, 2, 0)[inner])
            # Rounding of the LR picture is all the difference there may be.
            assert error.max() <= 0.51


def test_the_seed_decides_everything(photographs: Path) -> None:
    first, again = (next(iter(pool(photographs))) for _ in range(2))
    other = next(iter(pool(photographs, seed=4)))
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], other[0])


def test_tiles_are_reduced_at_random_but_stay_large_enough(photographs: Path) -> None:
    patches = pool(photographs, patch=40)
    sides = set()
    for turn in range(5):
        patches.refresh(turn)
        sides |= {min(hr.shape[:2]) for _, hr in patches.pairs}
    assert len(sides) > 2
    assert min(sides) >= 80


def test_a_batch_is_the_same_wherever_one_begins(photographs: Path) -> None:
    through = list(islice(pool(photographs, refresh_every=3), 8))
    later = pool(photographs, refresh_every=3)
    later.position = 5
    for want, found in zip(through[5:], later, strict=False):
        assert torch.equal(want[0], found[0])
        assert torch.equal(want[1], found[1])
    assert not torch.equal(through[5][0], through[6][0])


def test_patches_are_turned_and_flipped_in_all_eight_ways(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "train" / "only.png")
    _, high = pool(tmp_path, batch=80, reduce_from=1.0).batch(0)
    turned = [np.rot90(side, turns) for side in (picture, picture[:, ::-1]) for turns in range(4)]
    found = {patch.numpy().transpose(1, 2, 0).tobytes() for patch in high}
    assert found == {np.ascontiguousarray(each).tobytes() for each in turned}


def test_one_batch_comes_again_and_again(photographs: Path) -> None:
    patches = OneBatch(pool(photographs))
    first, second = islice(patches, 2)
    assert torch.equal(first[0], second[0])
    lr, hr = patches.pairs()[2]
    assert lr.shape == (16, 16, 3)
    assert np.array_equal(hr.transpose(2, 0, 1), first[1][2].numpy())


@pytest.mark.parametrize(
    ("count", "share", "held"), [(16, 0.25, 4), (2, 0.25, 0), (4, 0.25, 1), (9, 0.5, 4), (8, 0, 0)]
)
def test_a_share_is_held_back(count: int, share: float, held: int) -> None:
    files = [Path(f"{index:02}.png") for index in range(count)]
    kept, test = hold_back(files, share)
    assert len(test) == held
    assert sorted(kept + test) == files


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match="no pictures in"):
        pictures_in(tmp_path)
    with pytest.raises(InputMissing, match="there is no folder"):
        pictures_in(tmp_path / "nowhere")


def test_a_picture_smaller_than_a_patch_is_named(photographs: Path) -> None:
    with pytest.raises(SettingsError, match=r"0\.png is 96x96, .* 1 more; patches need 100x100"):
        pool(photographs, patch=50)


def test_validation_pictures_are_whole_and_follow_the_protocol(photographs: Path) -> None:
    pictures = ValidationPictures(
        [bicubic_pair(read_rgb(path), 3) for path in pictures_in(photographs / "val")]
    )
    lr, hr = pictures[0]
    assert len(pictures) == 2
    assert hr.shape == (3, 96, 96)
    want = imresize(hr.numpy().transpose(1, 2, 0), 1 / 3)
    assert np.abs(want.astype(int) - lr.numpy().transpose(1, 2, 0)).max() <= 1


def test_a_file_that_is_no_picture_is_named(photographs: Path) -> None:
    (photographs / "train" / "zz.jpg").write_text("not a picture")
    with pytest.raises(InputError, match=r"zz\.jpg"):
        pool(photographs)


def test_deep_grey_is_read_as_8_bits(tmp_path: Path) -> None:
    grey = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    want = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(read_rgb(tmp_path / "deep.png"), want)


def test_a_photograph_lying_on_its_side_is_read_upright(tmp_path: Path) -> None:
    image = Image.fromarray(np.repeat(np.arange(40, dtype=np.uint8)[:, None], 30, axis=1))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.convert("RGB").save(tmp_path / "side.png", exif=exif)
    found = read_rgb(tmp_path / "side.png")
    assert found.shape == (30, 40, 3)
    assert found[0, 0, 0] == 39
