import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hyperfocal.errors import ArrayError
from hyperfocal.restore.samples import Samples, round_into

shapes = st.one_of(
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3)),
)


@given(hnp.arrays(st.sampled_from([np.uint8, np.uint16]), shapes))
def test_integers_come_back_as_they_were(pixels):
    samples = Samples.of(pixels)
    seen = samples.to_net(pixels)
    assert seen.shape == (*pixels.shape[:2], 3)
    assert seen.dtype == (np.uint8 if pixels.dtype == np.uint8 else np.float32)
    assert seen.flags.c_contiguous
    assert np.array_equal(samples.from_net(seen, pixels), pixels)


@given(hnp.arrays(np.float32, shapes, elements=st.floats(-3, 60, width=32)))
def test_a_net_sees_floats_within_the_unit_range_and_the_rest_comes_back(pixels):
    samples = Samples.of(pixels)
    seen = samples.to_net(pixels)
    assert np.array_equal(seen, np.clip(pixels.reshape(*pixels.shape[:2], -1), 0, 1) + 0 * seen)
    assert np.allclose(samples.from_net(seen, pixels), pixels, atol=64 * 2e-7)


@pytest.mark.parametrize("low", [-1e20, -3.4e38])
def test_one_huge_sample_moves_no_limit(low):
    """Beside such a number, 1 is lost in a sum."""
    samples = Samples.of(np.array([[low, 1.5]], np.float32))
    assert samples.limits == (np.float32(low), 1.5)


def test_floats_within_range_are_not_touched():
    pixels = np.random.default_rng(0).random((5, 5, 3), np.float32)
    assert np.array_equal(Samples.of(pixels).to_net(pixels), pixels)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(bad):
    pixels = np.zeros((3, 3), np.float32)
    pixels[1, 1] = bad
    with pytest.raises(ArrayError, match="not finite"):
        Samples.of(pixels)


def test_grey_is_the_mean_of_what_the_net_makes():
    given = np.zeros((1, 1), np.uint8)
    samples = Samples.of(given)
    assert samples.from_net(np.array([[[255, 255, 254]]], np.uint8), given)[0, 0] == 255
    assert samples.from_net(np.array([[[0, 1, 0]]], np.uint8), given)[0, 0] == 0


def test_rounding_clips():
    values = np.array([-3.0, 0.49, 0.5, 254.6, 300.0], np.float32)
    assert round_into(values, np.empty(5, np.uint8)).tolist() == [0, 0, 1, 255, 255]
    values = np.array([-3.0, 0.5, 3.0], np.float32)
    assert round_into(values, np.empty(3, np.float32), (-1, 2)).tolist() == [-1, 0.5, 2]
