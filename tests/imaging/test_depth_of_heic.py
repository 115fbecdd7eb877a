"""Depth maps in HEIC files."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pillow_heif")

from heic_files import DEPTH, with_depth

import hyperfocal
from hyperfocal import imaging
from hyperfocal.imaging import embedded_depth
from hyperfocal.imaging.embedded_depth import NOT_WRITTEN, OTHER_SIZE, UNREADABLE

HEIGHT, WIDTH = 96, 160
LEVELS = np.kron(np.arange(12).reshape(3, 4) * 20 + 10, np.ones((16, 20))).astype(np.uint8)
PHOTO = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def assert_map(picture, expected):
    assert picture.depth_map is not None
    assert picture.depth_map.shape == expected.shape
    assert np.abs(picture.depth_map - expected).max() <= 3


@pytest.mark.parametrize("kind", [DEPTH, b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth"])
def test_the_map_of_a_heic_is_read_and_said_not_to_be_written(kind):
    got = imaging.open(with_depth(PHOTO, LEVELS, kind=kind))
    assert_map(got, LEVELS)
    assert NOT_WRITTEN in got.notes
    assert (got.width, got.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("turn_depth", [True, False], ids=["says so itself", "says nothing"])
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_the_map_is_turned_with_the_picture(turn, turn_depth):
    data = with_depth(PHOTO, LEVELS, turn=turn, turn_depth=turn if turn_depth else None)
    got = imaging.open(data)
    assert_map(got, np.rot90(LEVELS, turn))
    upright = imaging.open(with_depth(PHOTO, LEVELS))
    assert np.array_equal(got.pixels, np.rot90(upright.pixels, turn))


def test_a_map_that_is_turned_alone_is_the_map_of_another_picture():
    got = imaging.open(with_depth(PHOTO, LEVELS, turn_depth=1))
    assert got.depth_map is None
    assert OTHER_SIZE in got.notes


def test_a_map_that_is_the_same_all_over_is_none():
    got = imaging.open(with_depth(PHOTO, np.full_like(LEVELS, 7)))
    assert got.depth_map is None
    assert NOT_WRITTEN not in got.notes


def test_a_gain_map_is_no_depth():
    kind = b"urn:com:apple:photo:2020:aux:hdrgainmap"
    got = imaging.open(with_depth(PHOTO, LEVELS, kind=kind))
    assert got.depth_map is None
    assert "further pictures in the file (depth, gain map) were dropped" in got.notes


def test_a_broken_map_costs_a_note_and_not_the_picture():
    whole = with_depth(PHOTO, LEVELS)
    # Its codes are the last of the file. Of some of them the decoder makes something.
    for damaged in (whole[:-1012] + bytes(1012), whole[:-100], whole[:-900]):
        got = imaging.open(damaged)
        assert np.array_equal(got.pixels, imaging.open(whole).pixels)
        assert got.depth_map is None
        assert UNREADABLE in got.notes


def test_a_map_larger_than_any_phone_measures_is_not_decoded(monkeypatch):
    monkeypatch.setattr(embedded_depth, "_PIXELS", LEVELS.size - 1)
    got = imaging.open(with_depth(PHOTO, LEVELS))
    assert got.depth_map is None
    assert UNREADABLE in got.notes


def test_a_restore_model_uses_it():
    result = hyperfocal.Upscaler.load("restore-fast-x2")(imaging.open(with_depth(PHOTO, LEVELS)))
    assert result.depth is not None
    assert result.depth.source == "embedded"
