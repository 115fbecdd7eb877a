"""The tool by which the nets of the expected gain are trained."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import gain_net
import mishaps
from PIL import Image

from hyperfocal.training.degradations import Degradations


@pytest.fixture
def tile(tmp_path: Path) -> Path:
    path = tmp_path / "tile.png"
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize((400, 400)).save(path)
    return path


def test_pairs_are_of_one_size_and_follow_from_the_seed(tile: Path) -> None:
    ranges = Degradations(clean=0.0)
    made = [gain_net.drawn_pair(tile, np.random.default_rng(at), ranges) for at in range(40)]
    side = gain_net.SIDE
    for original, small in made:
        assert small.shape == (side, side, 3)
        assert original.shape == (side * 2, side * 2, 3)
        assert small.dtype == original.dtype == np.uint8
    again = gain_net.drawn_pair(tile, np.random.default_rng(7), ranges)
    assert np.array_equal(again[1], made[7][1])
    assert len({small.tobytes() for _, small in made}) == len(made)


@pytest.mark.parametrize("at", range(len(mishaps.MISHAPS)))
def test_mishaps_leave_a_picture_of_the_same_size(tile: Path, at: int) -> None:
    picture = Image.open(tile).convert("RGB").crop((0, 0, 90, 70))
    met = list(mishaps.MISHAPS)[at](picture, np.random.default_rng(1))
    assert met.size == (90, 70)
    assert met.mode == "RGB"
    assert met.tobytes() != picture.tobytes()


def test_nets_learn_what_traces_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gain_net, "_NETS", 2)
    monkeypatch.setattr(gain_net, "_EPOCHS", 30)
    found = np.random.default_rng(5).normal(size=(1500, 6)).astype(np.float32)
    gains = (found[:, 0] - 0.5 * found[:, 3]).astype(np.float32)
    net, told = gain_net._learnt(found, gains)
    answers = np.array([net(row) for row in found])
    assert np.corrcoef(answers, gains)[0, 1] > 0.95
    assert "kept apart" in told
