from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import torch

from hyperfocal.quality import imresize
from hyperfocal.training.data import PatchPool, PatchSettings, ValidationPictures, pictures_in


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
    patches.refresh()
    sides = {min(hr.shape[:2]) for _, hr in patches.pairs}
    for _ in range(4):
        patches.refresh()
        sides |= {min(hr.shape[:2]) for _, hr in patches.pairs}
    assert len(sides) > 2
    assert min(sides) >= 80


def test_validation_pictures_are_whole_and_follow_the_protocol(photographs: Path) -> None:
    pictures = ValidationPictures(pictures_in(photographs / "val"), scale=3)
    lr, hr = pictures[0]
    assert len(pictures) == 2
    assert hr.shape == (3, 96, 96)
    want = imresize(hr.numpy().transpose(1, 2, 0), 1 / 3)
    assert np.abs(want.astype(int) - lr.numpy().transpose(1, 2, 0)).max() <= 1
