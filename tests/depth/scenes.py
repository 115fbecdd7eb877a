"""Made-up scenes of which it is known how far out of focus they are, and where."""

from __future__ import annotations

import numpy as np
from skimage.filters import gaussian


def boxes(height=160, width=240, seed=0):
    """Rectangles of every brightness over one another: edges of one kind all over. ``uint8``."""
    random = np.random.default_rng(seed)
    made = np.full((height, width, 3), 128.0)
    for _ in range(height * width // 60):
        top, left = random.integers(-8, height), random.integers(-8, width)
        tall, wide = random.integers(6, 24, 2)
        made[max(top, 0) : top + tall, max(left, 0) : left + wide] = random.uniform(20, 235, 3)
    return made.astype(np.uint8)


def blurred(pixels, sigma):
    """As a lens would, all over."""
    made = gaussian(pixels.astype(np.float64), sigma, mode="nearest", channel_axis=2)
    return np.rint(made).astype(np.uint8)


def two_planes(sigma=2.0, height=160, width=240, seed=0):
    """``(picture, depth map)``: the left half is near and sharp, the right one far and blurred."""
    sharp = boxes(height, width, seed)
    picture = sharp.copy()
    picture[:, width // 2 :] = blurred(sharp, sigma)[:, width // 2 :]
    depth = np.ones((height, width), np.float32)
    depth[:, width // 2 :] = 3.0
    return picture, depth
