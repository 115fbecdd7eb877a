"""Samples of either byte order are the same picture."""

import numpy as np
import pytest

import hyperfocal
from hyperfocal.imaging.picture import Picture
from hyperfocal.restore.upscaler import Upscaler


@pytest.fixture(params=["u2", "f4"])
def samples(request):
    unit = np.random.default_rng(0).random((24, 30, 4))
    return unit.astype("f4") if request.param == "f4" else np.uint16(unit * 65535)


def swapped(array):
    return array.astype(array.dtype.newbyteorder(">" if array.dtype.isnative else "="))


def test_a_picture_holds_the_machines_own(samples):
    colour, alpha = samples[..., :3], samples[..., 3]
    for pixels, shown in ((swapped(colour), alpha), (colour, swapped(alpha))):
        picture = Picture(pixels, shown)
        assert picture.pixels.dtype.isnative
        assert picture.alpha.dtype.isnative
        np.testing.assert_array_equal(picture.pixels, colour)
        np.testing.assert_array_equal(picture.alpha, alpha)


def test_what_is_in_order_is_not_copied(samples):
    assert Picture(samples[..., :3]).pixels.base is samples


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_files_are_the_same(samples, suffix, tmp_path):
    colour = np.ascontiguousarray(samples[..., :3])
    for name, pixels in (("one", colour), ("other", swapped(colour))):
        Picture(pixels).save(tmp_path / f"{name}.{suffix}")
    one, other = (hyperfocal.open(tmp_path / f"{name}.{suffix}") for name in ("one", "other"))
    np.testing.assert_array_equal(one.pixels, other.pixels)


def test_results_are_the_same(samples):
    upscaler = Upscaler.load("bicubic-x2")
    one, other = (upscaler(Picture(pixels[..., :3]), 1.5) for pixels in (samples, swapped(samples)))
    np.testing.assert_array_equal(one.picture.pixels, other.picture.pixels)
    assert one.fidelity == other.fidelity
