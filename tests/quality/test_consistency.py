import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio

from hyperfocal.errors import ArrayError
from hyperfocal.quality import DECIBEL_CAP, consistency, degrade, imresize

LEVELS = {"uint8": 255, "uint16": 65535, "float32": 1}


def picture(height, width, dtype="uint8", channels=3, seed=0):
    shape = (height, width, channels) if channels else (height, width)
    values = np.random.default_rng(seed).random(shape)
    return (values * LEVELS[dtype]).astype(dtype)


@settings(max_examples=30)
@given(
    height=st.integers(2, 40),
    width=st.integers(2, 40),
    scale=st.sampled_from([1, 2, 3, 4, 1.7]),
    dtype=st.sampled_from(sorted(LEVELS)),
    channels=st.sampled_from([0, 3]),
)
def test_it_is_the_psnr_of_the_reduced_output(height, width, scale, dtype, channels):
    before = picture(height, width, dtype, channels)
    after = picture(round(height * scale), round(width * scale), dtype, channels, seed=1)
    reduced = imresize(after.astype(np.float64) / LEVELS[dtype], size=(height, width))
    if dtype != "float32":
        reduced = reduced.clip(0, 1)
    np.testing.assert_allclose(degrade(after, (height, width)), reduced, atol=1e-5)
    expected = peak_signal_noise_ratio(before / LEVELS[dtype], reduced, data_range=1)
    assert consistency(after, before) == pytest.approx(expected, abs=1e-3)


def test_the_same_picture_at_two_depths_is_consistent():
    before = picture(30, 20)
    assert consistency(before.astype(np.uint16) * 257, before) > 95
    assert consistency(before, before) == DECIBEL_CAP


@pytest.mark.parametrize("huge", [1e18, 1e20, -3.4e38, np.finfo(np.float32).max])
def test_floats_of_any_size_count_as_far_as_they_reach(huge):
    """The no-data value of a map, for instance; in float32 its square is infinite."""
    before = picture(20, 24, "float32")
    after = before.repeat(2, 0).repeat(2, 1)
    after[:9, :11] = huge
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Each sample in its reach is off by white, and none by more.
        assert consistency(after, before) == pytest.approx(
            -10 * np.log10(5 * 6 / (20 * 24)), abs=2.5
        )
        assert np.isfinite(degrade(after, (20, 24))).all()
    after[30, 30] = np.nan
    with pytest.raises(ArrayError, match="not numbers"):
        consistency(after, before)


@pytest.mark.parametrize("value", [1.0, 5.0, -20.0, 3e38])
def test_a_float_beyond_white_is_off_by_a_part_of_itself(value):
    before = np.full((12, 12), value, np.float32)
    assert consistency(before * np.float32(0.9), before) == pytest.approx(20, abs=1e-3)
    assert consistency(-before, before) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("channels", [0, 3])
@pytest.mark.parametrize("dtype", sorted(LEVELS))
def test_what_is_not_visible_does_not_count(dtype, channels):
    before, after = picture(30, 20, dtype, channels), picture(60, 40, dtype, channels, seed=1)
    visible = np.random.default_rng(2).random((30, 20)) < 0.3
    error = degrade(after, (30, 20)) - before / np.float32(LEVELS[dtype])
    expected = -10 * np.log10(np.mean(error[visible] ** 2))
    assert consistency(after, before, visible) == pytest.approx(expected, abs=1e-3)
    assert consistency(after, before, np.ones_like(visible)) == consistency(after, before)
    assert consistency(after, before, np.zeros_like(visible)) == DECIBEL_CAP


def test_bicubic_is_far_more_consistent_than_another_picture():
    y, x = np.mgrid[0:40, 0:50] / 4.0
    scene = np.uint8(127 + 100 * np.sin(x) * np.cos(y + 1))
    assert consistency(imresize(scene, 2), scene) > 35
    assert consistency(imresize(255 - scene, 2), scene) < 15


def test_overshoot_that_the_input_could_not_hold_does_not_count():
    before = np.zeros((16, 16, 3), np.uint8)
    before[:, 8:] = 255
    after = before.repeat(2, 0).repeat(2, 1)
    assert degrade(after, (16, 16)).min() == 0.0
    assert degrade(after, (16, 16)).max() == 1.0
    # Floating pictures may hold it, so there it stays.
    assert degrade(after / np.float32(255), (16, 16)).max() > 1.0


def test_memory_is_bounded_by_rows():
    after, before = np.zeros((4000, 600, 3), np.uint8), np.zeros((2000, 300, 3), np.uint8)
    consistency(after[:200], before[:100])
    tracemalloc.start()
    try:
        consistency(after, before)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < after.nbytes / 3


@pytest.mark.parametrize(
    ("after", "before", "said"),
    [
        (picture(8, 8), picture(4, 4, channels=0), "grey"),
        (picture(8, 8).astype(np.int32), picture(4, 4), "uint8"),
        (picture(8, 8), picture(4, 4)[..., :2], r"\(H, W\)"),
        (np.full((8, 8), np.nan, np.float32), np.zeros((4, 4), np.float32), "not numbers"),
    ],
)
def test_what_cannot_be_compared_is_refused(after, before, said):
    with pytest.raises(ArrayError, match=said):
        consistency(after, before)


def test_an_array_that_is_no_picture_is_refused():
    with pytest.raises(ArrayError):
        degrade(np.zeros((4, 4, 7), np.uint8), (2, 2))
