import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperfocal.errors import UsageError
from hyperfocal.restore.passes import choose_passes


@pytest.mark.parametrize(
    ("needed", "native", "expected"),
    [
        (1, (2, 4), (2,)),
        (1, (1, 2, 4), (1,)),
        (2, (2, 4), (2,)),
        (2.001, (2, 4), (2,)),  # a target in whole pixels, rounded up
        (3, (2, 4), (4,)),
        (3, (2, 3, 4), (3,)),
        (3, (2,), (2, 2)),
        (5, (2, 4), (4, 2)),
        (8, (2, 4), (4, 2)),
        (8, (2,), (2, 2, 2)),
        (8, (4,), (4, 4)),
        (5, (2, 3, 4), (3, 2)),
    ],
)
def test_choices(needed, native, expected):
    assert choose_passes(needed, native) == expected


@given(st.floats(1, 8), st.sets(st.integers(2, 4), min_size=1))
def test_any_scale_is_reached(needed, native):
    chain = choose_passes(needed, native)
    assert set(chain) <= native
    assert math.prod(chain) >= needed * 0.99


def test_a_model_that_does_not_enlarge_cannot():
    with pytest.raises(UsageError, match="do not reach"):
        choose_passes(2, (1,))
