"""Choosing a kind of model costs what the squares that are looked at do, whatever the picture."""

import numpy as np
from traced import peak_of

from hyperfocal.imaging.picture import Picture
from hyperfocal.restore.auto import choose


def test_a_large_picture_of_floats_is_not_copied():
    pixels = np.zeros((4000, 2000, 3), np.float32)
    pixels[::7, ::5] = 30.0
    assert peak_of(lambda: choose(Picture(pixels))) < pixels.nbytes / 3


def test_what_is_beyond_counts_as_black_and_white():
    pixels = np.random.default_rng(0).random((300, 280, 3), np.float32) * 3 - 1
    pixels[5, 5] = np.inf
    inside = np.clip(pixels, 0, 1)
    assert choose(Picture(pixels)) == choose(Picture(inside))
