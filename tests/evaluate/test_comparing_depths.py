"""Pictures deeper than 8 bits, arrays of either byte order and with transparency, compared."""

import numpy as np
import pytest

from hyperfocal.errors import ArrayError, UsageError
from hyperfocal.evaluate import compare
from hyperfocal.imaging.picture import Picture
from hyperfocal.quality import imresize

ROUNDED = "scored in 8 bits, as the literature does"
NOT_EQUAL = (
    "they are not equal: samples differ by up to {} levels of 8 bits, which the figures do not see"
)


@pytest.fixture
def deep(make_scene):
    return make_scene(1).astype(np.uint16) * 257


def test_what_8_bits_do_not_see_is_told(deep):
    other = np.maximum(deep, 60) - np.uint16(60)
    found = compare(deep, other)
    assert found.mse == 0.0
    assert found.notes == (ROUNDED, NOT_EQUAL.format("0.23"))
    assert found.to_dict()["notes"] == list(found.notes)


def test_what_is_left_out_or_hidden_makes_nothing_differ(deep):
    other = deep.copy()
    other[:3] = np.maximum(other[:3], 60) - 60
    assert compare(deep, other, shave=3).notes == (ROUNDED,)
    alpha = np.full(deep.shape[:2], 65535, np.uint16)
    alpha[:3] = 0
    assert ROUNDED in compare(Picture(deep, alpha), other).notes
    assert not any("not equal" in note for note in compare(Picture(deep, alpha), other).notes)


def test_equal_pictures_are_so_in_any_depth(deep, make_scene):
    plain = make_scene(1)
    floats = plain.astype(np.float32) / 255
    for one, other in ((deep, deep), (deep, plain), (floats, plain), (floats, deep)):
        assert compare(one, other).notes == (ROUNDED,)
    assert compare(plain, plain).notes == ()
    faint = floats.copy()
    faint[5, 5] += 0.001
    assert compare(faint, plain).notes[1].startswith("they are not equal")


def test_consistency_is_not_rounded(deep):
    assert compare(deep, imresize(deep, 0.5)).notes == ()


@pytest.mark.parametrize("kind", ["u2", "f4", "f8"])
def test_the_byte_order_of_arrays_is_no_matter(make_scene, kind):
    scale = 257.0 if kind == "u2" else 1 / 255
    one, other = ((make_scene(seed) * scale).astype(kind) for seed in (1, 2))
    swapped = one.astype(one.dtype.newbyteorder(">"))
    assert compare(swapped, other) == compare(one, other)
    assert compare(imresize(other, 2), swapped) == compare(imresize(other, 2), one)


def test_a_fourth_channel_is_transparency(make_scene):
    a, b = make_scene(1), make_scene(2)
    alpha = np.full((*a.shape[:2], 1), 255, np.uint8)
    assert compare(np.dstack((a, alpha)), b) == compare(a, b)
    alpha[:9] = 0
    given = np.dstack((a, alpha))
    found, expected = compare(given, b), compare(Picture(a, alpha[..., 0]), b)
    assert (found.psnr, found.ssim, found.notes) == (expected.psnr, expected.ssim, expected.notes)
    assert "transparency" in found.notes[0]
    with pytest.raises(ArrayError):
        compare(np.dstack((a, a)), b)


@pytest.mark.parametrize("shave", ["1", 1.5, None, True, -1])
def test_a_shave_that_is_no_number_of_pixels(make_scene, shave):
    with pytest.raises(UsageError):
        compare(make_scene(1), make_scene(2), shave=shave)


def test_a_shave_may_be_of_numpy(make_scene):
    a, b = make_scene(1), make_scene(2)
    assert compare(a, b, shave=np.int64(2)) == compare(a, b, shave=2)
