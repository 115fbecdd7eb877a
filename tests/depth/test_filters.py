"""The small filters, against SciPy's."""

import numpy as np
import pytest
from scipy import ndimage

from hyperfocal.depth.filters import BINOMIAL_3, BINOMIAL_5, extreme, padded, smooth


@pytest.mark.parametrize("taps", [BINOMIAL_3, BINOMIAL_5])
@pytest.mark.parametrize("step", [1, 2, 4])
@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3)])
def test_smoothing_is_what_scipy_gives(taps, step, shape):
    plane = np.random.default_rng(0).random(shape, np.float32)
    reach = step * (len(taps) // 2)
    gaps = np.zeros(step * (len(taps) - 1) + 1)
    gaps[::step] = taps
    expected = ndimage.convolve1d(ndimage.convolve1d(plane, gaps, axis=0), gaps, axis=1)
    inner = (slice(reach, -reach), slice(reach, -reach))
    np.testing.assert_allclose(smooth(plane, taps, step), expected[inner], atol=1e-6)


@pytest.mark.parametrize(("taps", "variance"), [(BINOMIAL_3, 0.5), (BINOMIAL_5, 1.0)])
def test_the_variance_of_the_taps_is_as_said(taps, variance):
    at = np.arange(len(taps)) - len(taps) // 2
    assert sum(taps) == 1
    assert (np.array(taps) * at**2).sum() == variance


@pytest.mark.parametrize(
    ("of", "scipys"), [(np.minimum, ndimage.minimum_filter), (np.maximum, ndimage.maximum_filter)]
)
def test_extremes_are_what_scipy_gives(of, scipys):
    plane = np.random.default_rng(0).random((30, 40), np.float32)
    np.testing.assert_array_equal(extreme(plane, 3, of), scipys(plane, 7)[3:-3, 3:-3])


def test_padding_repeats_the_border():
    plane = np.arange(6, dtype=np.float32).reshape(2, 3)
    expected = np.pad(plane, ((1, 2), (3, 3)), mode="edge")
    np.testing.assert_array_equal(padded(plane, 1, 2, 3), expected)
