"""Colour under transparent pixels of pictures that are far wider than high."""

import numpy as np
import pytest
from traced import peak_of

from hyperfocal.restore.alpha import bleed


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("grey", [False, True])
def test_pieces_do_not_show(monkeypatch, dtype, grey):
    rng = np.random.default_rng(3)
    alpha = np.where(rng.random((60, 90)) < 0.02, 255, 0).astype(dtype)
    pixels = (rng.random((60, 90) if grey else (60, 90, 3)) * 255).astype(dtype)
    whole = bleed(pixels, alpha)
    monkeypatch.setattr("hyperfocal.restore.alpha._ROWS", 7)
    monkeypatch.setattr("hyperfocal.restore.alpha._COLUMNS", 11)
    assert np.array_equal(bleed(pixels, alpha), whole)


def test_the_memory_of_a_wide_picture_is_that_of_a_piece():
    pixels = np.zeros((40, 60_000, 3), np.uint8)
    alpha = np.zeros((40, 60_000), np.uint8)
    alpha[::3, ::2] = 255
    assert peak_of(lambda: bleed(pixels, alpha)) < pixels.nbytes + alpha.nbytes + 25_000_000
