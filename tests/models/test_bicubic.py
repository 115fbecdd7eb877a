import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hyperfocal.models as models
from hyperfocal.quality.resize import imresize


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_is_imresize(scale):
    tile = np.random.default_rng(0).integers(0, 256, (13, 9, 3), np.uint8)
    model = models.load(f"bicubic-x{scale}")
    assert model.runtime == "builtin"
    made = model.run(tile)
    # Halves may round either way: float32 here, float64 there.
    assert np.abs(made.astype(int) - imresize(tile, scale)).max() <= 1
    fine = model.run(tile.astype(np.float32) / 255)
    assert fine.dtype == np.float32
    assert np.abs(fine * 255 - made).max() < 0.501


@settings(max_examples=25)
@given(
    scale=st.sampled_from([2, 3, 4]),
    height=st.integers(12, 30),
    cut=st.integers(0, 6),
    seed=st.integers(0, 9),
)
def test_the_radius_makes_tiles_exact(scale, height, cut, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (height, 11, 3), np.uint8)
    model = models.load(f"bicubic-x{scale}")
    halo = model.card.receptive_radius
    whole = model.run(picture)[(cut + halo) * scale :]
    tile = model.run(picture[cut:])[halo * scale :]
    np.testing.assert_array_equal(tile, whole)
