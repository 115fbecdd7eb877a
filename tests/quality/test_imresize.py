import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hyperfocal.quality import imresize, resize_picture_array
from hyperfocal.quality.kernel import contributions, cubic
from hyperfocal.quality.resize import strips

sides = st.integers(1, 70)
factors = st.sampled_from([1 / 4, 1 / 3, 0.5, 0.73, 1.0, 1.9, 2.0, 3.0, 4.0])


def noise(*shape, dtype=np.float64, seed=0):
    values = np.random.default_rng(seed).random(shape)
    if np.issubdtype(dtype, np.integer):
        values *= np.iinfo(dtype).max
    return values.astype(dtype)


def by_definition(image, size, scale, antialias=True):
    """The whole resize matrix of each axis, without bands, strips or blocks."""
    work = image.astype(np.float64)
    for axis, factor in enumerate(scale):
        indices, weights = contributions(image.shape[axis], size[axis], factor, antialias=antialias)
        moved = np.moveaxis(work, axis, 0)
        work = np.moveaxis(np.einsum("ot,ot...->o...", weights, moved[indices]), 0, axis)
    return work


@settings(max_examples=40)
@given(height=sides, width=sides, scale=factors, value=st.floats(0, 1))
def test_a_constant_stays_constant(height, width, scale, value):
    made = imresize(np.full((height, width, 3), value), scale)
    np.testing.assert_allclose(made, value, atol=1e-12)


@settings(max_examples=40)
@given(height=sides, width=sides, out_height=sides, out_width=sides, antialias=st.booleans())
def test_bands_and_strips_make_what_the_definition_makes(
    height, width, out_height, out_width, antialias
):
    image, size = noise(height, width, 3), (out_height, out_width)
    scale = out_height / height, out_width / width
    expected = by_definition(image, size, scale, antialias)
    np.testing.assert_allclose(imresize(image, size=size, antialias=antialias), expected, atol=1e-9)
    single = imresize(image.astype(np.float32), size=size, antialias=antialias)
    np.testing.assert_allclose(single, expected, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_scale_one_gives_the_picture_back(dtype):
    image = noise(23, 17, 3, dtype=dtype)
    made = imresize(image, 1.0)
    assert made.dtype == dtype
    np.testing.assert_array_equal(made, image)
    assert not np.shares_memory(made, image)


@pytest.mark.parametrize("scale", [2, 3, 4, 2.5])
def test_a_linear_ramp_is_enlarged_exactly_away_from_the_border(scale):
    ramp = np.broadcast_to(np.arange(40.0), (12, 40))
    made = imresize(ramp, scale)
    expected = (np.arange(made.shape[1]) + 0.5) / scale - 0.5
    inner = slice(int(3 * scale), -int(3 * scale))
    np.testing.assert_allclose(made[:, inner], np.tile(expected, (made.shape[0], 1))[:, inner])


def test_reducing_what_was_enlarged_comes_near_the_original():
    y, x = np.mgrid[0:48, 0:64] / 10.0
    smooth = 0.5 + 0.3 * np.sin(x) * np.cos(y)
    error = imresize(imresize(smooth, 4), 0.25) - smooth
    assert np.abs(error)[2:-2, 2:-2].max() < 2e-3


@pytest.mark.parametrize(("size", "scale"), [((24, 30), 0.5), ((16, 20), 1 / 3), ((96, 120), 2)])
def test_pillow_agrees_away_from_the_border(size, scale):
    # Pillow's bicubic has the same kernel and antialiasing, but cuts the kernel at the border.
    image = noise(48, 60).astype(np.float32)
    pillow = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC))
    edge = 4 if scale < 1 else 8
    inner = (slice(edge, -edge),) * 2
    np.testing.assert_allclose(imresize(image, scale)[inner], pillow[inner], atol=2e-6)


def test_rounding_is_away_from_zero_and_clipped():
    checks = np.array([[0, 255] * 8] * 16, np.uint8)
    assert set(np.unique(imresize(checks, 3))) >= {0, 255}
    # Halves: the mean of 0 and 1 is 0.5 in exact arithmetic, and becomes 1 rather than 0.
    halves = np.tile(np.array([0, 1], np.uint8), (4, 8))
    assert imresize(halves, size=(4, 8))[0, 3] == 1


def test_output_size_is_rounded_up_as_in_matlab():
    assert imresize(noise(7, 10), 0.5).shape == (4, 5)
    assert imresize(noise(7, 10, 4), 1 / 3).shape == (3, 4, 4)


@pytest.mark.parametrize("arguments", [{}, {"scale": 2.0, "size": (3, 3)}])
def test_scale_or_size_but_not_both(arguments):
    with pytest.raises(ValueError, match="either scale or size"):
        imresize(noise(4, 4), **arguments)


def test_one_dimension_is_refused():
    with pytest.raises(ValueError, match="expected"):
        imresize(noise(4), 2.0)


def test_the_kernel_interpolates_and_sums_to_one():
    np.testing.assert_array_equal(cubic(np.array([0.0, 1.0, -1.0, 2.0, 3.0])), [1, 0, 0, 0, 0])
    for offset in (0.1, 0.5, 0.77):
        assert cubic(np.arange(-3, 4) + offset).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("size", [(20, 31), (80, 90), (41, 20), (1, 1)])
def test_pictures_resized_by_strips_agree_with_imresize(dtype, size):
    image = noise(41, 57, 3, dtype=dtype)
    made = resize_picture_array(image, size)
    assert made.dtype == dtype
    tolerance = 1 if np.issubdtype(dtype, np.integer) else 1e-5
    assert np.abs(made.astype(np.float64) - imresize(image, size=size)).max() <= tolerance


def test_strips_cover_the_output_once_in_order():
    image = noise(100, 31, 3, dtype=np.uint8)
    for size in ((50, 15), (100, 31), (230, 99)):
        ends = [(top, top + strip.shape[0]) for top, strip in strips(image, size)]
        assert ends[0][0] == 0
        assert ends[-1][1] == size[0]
        assert all(a[1] == b[0] for a, b in itertools.pairwise(ends))


def test_the_float_copy_is_a_few_rows_whatever_the_picture():
    import tracemalloc

    image = np.zeros((3000, 400, 3), np.uint8)
    resize_picture_array(image[:64], (32, 200))
    tracemalloc.start()
    try:
        made = resize_picture_array(image, (1500, 200))
        peak = tracemalloc.get_traced_memory()[1] - made.nbytes
    finally:
        tracemalloc.stop()
    assert peak < image.size * 4 / 5
