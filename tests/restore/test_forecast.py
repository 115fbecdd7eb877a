"""What restoring would take, told before it is done."""

import pytest

from hyperfocal.models.card import ModelCard
from hyperfocal.restore.forecast import forecast_of
from hyperfocal.restore.route import Shape
from hyperfocal.restore.shelf import Shelf
from hyperfocal.restore.target import Target
from hyperfocal.settings import Settings

PLENTY = Settings(memory=64 * 10**9, max_output_pixels=10**9)


def memory(height, width, scale, native, **shape):
    card = ModelCard(name=f"m-x{native}", kind="builtin", scale=native)
    shelf = Shelf({native: card}, load=lambda name: pytest.fail(f"{name} was loaded"))
    return forecast_of(Shape(height, width, **shape), Target(scale), shelf, PLENTY).memory


@pytest.mark.parametrize("sample_bytes", [1, 2, 4])
def test_transparency_takes_a_copy_of_the_picture_as_well(sample_bytes):
    plain = memory(4000, 4000, 2, 2, sample_bytes=sample_bytes)
    found = memory(4000, 4000, 2, 2, sample_bytes=sample_bytes, has_alpha=True)
    copy, alpha, larger = 4000 * 4000 * 3, 4000 * 4000, 8000 * 8000
    assert found - plain == (copy + alpha + larger) * sample_bytes


def test_what_is_reduced_in_the_end_is_held_until_then():
    whole, reduced = (memory(1000, 1000, scale, 4) for scale in (4, 3))
    assert reduced - whole == 3000 * 3000 * 3
