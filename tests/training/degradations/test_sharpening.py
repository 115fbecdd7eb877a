from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from hyperfocal.training.degradations import Sharpen, SharpenRange


@pytest.mark.parametrize(("sigma", "amount"), [(0.4, 2.0), (0.8, 0.5), (2.0, 1.3)])
def test_it_adds_what_a_gaussian_takes_away(sigma: float, amount: float) -> None:
    generator = np.random.default_rng(0)
    pixels = generator.random((40, 33, 3), dtype=np.float32)
    found = Sharpen(sigma, amount).apply(pixels, generator)
    radius = int(np.ceil(3 * sigma))
    blurred = ndimage.gaussian_filter(pixels, (sigma, sigma, 0), mode="reflect", radius=radius)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, pixels + amount * (pixels - blurred), atol=5e-6)


def test_plain_areas_keep_their_tone_and_edges_get_two_rims() -> None:
    pixels = np.full((24, 24, 3), 0.25, np.float32)
    pixels[:, 12:] = 0.75
    made = Sharpen(1.0, 1.0).apply(pixels, np.random.default_rng(0))
    np.testing.assert_allclose(made[:, :8], 0.25, atol=1e-6)
    np.testing.assert_allclose(made[:, 16:], 0.75, atol=1e-6)
    assert made[:, 11].max() < 0.2
    assert made[:, 12].min() > 0.8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"probability": -0.1}, "probability is a probability"),
        ({"sigma": (2.0, 1.0)}, "sigma must rise"),
        ({"amount": (0.0, 1.0)}, "amount must rise and lie in"),
    ],
)
def test_impossible_ranges_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SharpenRange(**changes)  # type: ignore[arg-type]


def test_it_says_what_it_does() -> None:
    assert str(Sharpen(0.75, 1.5)) == "unsharp mask, 150% at 0.75 px"
