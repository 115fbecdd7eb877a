from __future__ import annotations

import numpy as np
import pytest

from hyperfocal.models.anchor import bicubic_anchor, is_anchor, whole_anchor
from hyperfocal.models.openvino_output import in_place

KINDS = [(2, 1), (3, 1), (4, 1), (2, 2), (4, 2), (8, 1)]


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 3), (2, 64)])
def test_blocks_in_place_are_a_pixel_shuffle(scale: int, height: int, width: int) -> None:
    generator = np.random.default_rng(scale)
    blocks = generator.integers(0, 256, (height, width, 3 * scale**2), dtype=np.uint8)
    made = in_place(blocks, scale)
    assert made.shape == (height * scale, width * scale, 3)
    for y, x in np.ndindex(height * scale, width * scale):
        start = 3 * (y % scale * scale + x % scale)
        want = blocks[y // scale, x // scale, start : start + 3]
        np.testing.assert_array_equal(made[y, x], want)


@pytest.mark.parametrize(("scale", "unshuffle"), KINDS)
def test_an_anchor_in_whole_numbers_is_the_anchor(scale: int, unshuffle: int) -> None:
    kernel, _ = bicubic_anchor(scale, unshuffle)
    steps, counts = whole_anchor(kernel)
    assert steps.dtype == np.int8
    assert np.abs(steps.astype(int)).max() <= 127
    assert np.all(counts % 2 == 1)
    # Of equal pixels it makes the same, to the bit.
    np.testing.assert_array_equal(steps.sum(axis=(1, 2, 3), dtype=np.int64), counts)
    assert np.abs(steps / counts[:, None, None, None] - kernel).max() < 0.01
    assert np.all(steps[kernel == 0.0] == 0)


@pytest.mark.parametrize(("scale", "unshuffle"), KINDS)
def test_an_anchor_is_known_by_its_sums(scale: int, unshuffle: int) -> None:
    kernel, _ = bicubic_anchor(scale, unshuffle)
    assert is_anchor(kernel)
    assert not is_anchor(kernel * np.float32(1.001))
    assert not is_anchor(kernel.reshape(len(kernel), -1))
    assert not is_anchor(kernel.astype(np.float64))
    # One that sharpens is not, although its weights sum to one as well.
    sharp = kernel.copy()
    sharp[:, 0, 0, :2] += np.float32([2.0, -2.0])
    assert not is_anchor(sharp)
