from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperfocal.errors import TooLarge, UsageError
from hyperfocal.restore.target import Target


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target(scale=2), (200, 300)),
        (Target(scale=1), (100, 150)),
        (Target(scale=1.5), (150, 225)),
        (Target(size=(600, 600)), (400, 600)),
        (Target(size=(None, 250)), (250, 375)),
        (Target(size=(300, None)), (200, 300)),
        (Target(long_edge=450), (300, 450)),
        (Target(megapixels=0.06), (200, 300)),
        (Target(), (400, 600)),
    ],
)
def test_sizes(target, expected):
    assert target.resolve(100, 150, default=4.0) == expected


@settings(max_examples=200)
@given(
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.floats(1, 8),
)
def test_proportions_are_kept_to_half_a_pixel(height, width, scale):
    rows, columns = Target(scale=scale).resolve(height, width, default=2.0)
    assert abs(rows - height * scale) <= 0.5
    assert abs(columns - width * scale) <= 0.5


@settings(max_examples=200)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 24000))
def test_a_long_edge_is_met_exactly_or_refused(height, width, edge):
    longest = max(height, width)
    if longest <= edge <= 8 * longest:
        assert max(Target(long_edge=edge).resolve(height, width, default=2.0)) == edge
    elif edge < longest - 1 or edge > 8 * longest + 1:
        with pytest.raises(UsageError):
            Target(long_edge=edge).resolve(height, width, default=2.0)


@pytest.mark.parametrize(
    "given",
    [
        {"scale": 0.5},
        {"scale": 8.1},
        {"scale": float("nan")},
        {"scale": -2},
        {"scale": 2, "long_edge": 100},
        {"size": (None, None)},
        {"size": (0, 10)},
        {"long_edge": 0},
        {"megapixels": -1},
        {"megapixels": float("inf")},
        {"scale": "2"},
        {"scale": True},
        {"size": 100},
        {"size": ("300", "200")},
        # More than floats hold, and more than Python writes out.
        {"long_edge": 10**400},
        {"long_edge": 10**5000},
        {"scale": 10**400},
        {"size": (10**400, None)},
        {"megapixels": Fraction(10**400)},
    ],
)
def test_targets_that_make_no_sense(given):
    with pytest.raises(UsageError):
        Target(**given)


def test_reduction_is_refused_with_the_factor():
    with pytest.raises(UsageError, match=r"200x100 .* 0\.5 .*enlarged 1 to 8"):
        Target(long_edge=100).resolve(100, 200, default=2.0)


def test_too_many_pixels():
    with pytest.raises(TooLarge, match="max_output_pixels"):
        Target(scale=4).resolve(1000, 1000, default=2.0, max_pixels=15_000_000)


@pytest.mark.parametrize("edge", [8.0, 8.4, 8.5])
def test_nothing_is_enlarged_more_than_eight_times(edge):
    assert Target(long_edge=edge).resolve(1, 1, default=2.0) == (8, 8)
