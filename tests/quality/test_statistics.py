"""Statistics of pictures whose statistics are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import laplace

from hyperfocal.errors import ArrayError
from hyperfocal.quality.statistics import measure


def noisy(sigma, side=512, mean=128.0, seed=0):
    values = np.random.default_rng(seed).normal(mean, sigma, (side, side))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [3, 8, 20])
def test_noise_is_the_standard_deviation_that_was_added(sigma):
    ramp = np.linspace(60, 180, 512)[None, :] * np.ones((512, 1))
    values = ramp + np.random.default_rng(1).normal(0, sigma, ramp.shape)
    found = measure(np.clip(np.rint(values), 0, 255).astype(np.uint8))
    assert found.noise == pytest.approx(sigma / 255, rel=0.1)


def test_edges_are_not_noise():
    blocks = np.random.default_rng(2).integers(0, 256, (16, 16), np.uint8)
    assert measure(blocks.repeat(32, 0).repeat(32, 1)).noise < 0.001


def test_brightness_and_contrast_of_a_small_picture_are_exact():
    pixels = noisy(30, side=100)
    found = measure(pixels)
    assert found.brightness == pytest.approx(pixels.mean() / 255)
    assert found.contrast == pytest.approx(pixels.std() / 255, rel=1e-5)


def test_blur_is_the_variance_of_the_laplacian():
    pixels = noisy(30, side=200)
    expected = laplace(pixels.astype(float) / 255)[1:-1, 1:-1].var()
    assert measure(pixels).blur == pytest.approx(expected, rel=1e-4)


def test_a_sample_stands_for_the_whole():
    pixels = noisy(12, side=1500)
    found = measure(pixels)
    assert found.brightness == pytest.approx(128 / 255, rel=0.01)
    assert found.contrast == pytest.approx(12 / 255, rel=0.05)
    assert found.blur == pytest.approx(20 * (12 / 255) ** 2, rel=0.1)


def test_depths_and_channels_agree():
    grey = noisy(20)
    same = measure(grey)
    for other in (
        grey.astype(np.uint16) * 257,
        grey.astype(np.float32) / 255,
        grey[..., None].repeat(3, 2),
    ):
        assert measure(other).to_dict() == pytest.approx(same.to_dict(), rel=1e-3)


def test_values_that_are_no_numbers_count_as_black():
    pixels = np.full((40, 40), np.nan, np.float32)
    assert measure(pixels).to_dict() == {"brightness": 0, "contrast": 0, "blur": 0, "noise": 0}


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([(), (3,)]))
def test_every_size_has_finite_statistics(height, width, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, *channels), np.uint8)
    found = measure(pixels)
    assert all(np.isfinite(value) and value >= 0 for value in found.to_dict().values())


def test_what_is_no_picture():
    with pytest.raises(ArrayError):
        measure(np.zeros((4, 4, 2), np.uint8))
