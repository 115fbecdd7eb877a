"""Which of the new pictures are learnt from."""

from __future__ import annotations

from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
from discs import discs
from PIL import Image

from hyperfocal.errors import InputMissing
from hyperfocal.quality.evidence import judge
from hyperfocal.retrain.data import survey
from hyperfocal.settings import Settings

_LEAST = 48


def sound(number: int) -> list[np.ndarray]:
    """Pictures that nobody would call damaged."""
    drawn = (discs(seed) for seed in count())
    return list(islice((p for p in drawn if judge(None, p)[0] == "photo"), number))


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


def test_a_slightly_cropped_copy_is_no_new_picture(originals: Path) -> None:
    before = survey(originals, 2, _LEAST, Settings())
    whole = Image.open(originals / "3.png")
    whole.crop((1, 1, 96, 96)).save(originals / "cropped.png")
    after = survey(originals, 2, _LEAST, Settings(), any_quality=True)
    assert (before.copies, after.copies) == (0, 1)
