"""Pictures of stripes, and what may happen to them."""

from __future__ import annotations

import numpy as np


def stripes(generator: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Stripes at many angles, in [0, 1]."""
    side = max(height, width)
    y, x = np.mgrid[:height, :width].astype(float)
    made = np.full((height, width, 3), 0.5)
    for _ in range(40):
        angle, offset = generator.uniform(0, np.pi), generator.uniform(-side / 2, side)
        across = np.cos(angle) * x + np.sin(angle) * y - offset
        made[(across > 0) & (across < side / 5)] = generator.uniform(0.1, 0.9, 3)
    return made


def noisy(reference: np.ndarray, sigma: float = 12.0) -> np.ndarray:
    added = np.rint(np.random.default_rng(9).normal(0, sigma, reference.shape))
    return np.clip(reference + added, 0, 255).astype(np.uint8)


def blurred(reference: np.ndarray) -> np.ndarray:
    levels = reference.astype(int)
    total = levels + np.roll(levels, 1, 0) + np.roll(levels, 1, 1) + np.roll(levels, 2, 1)
    return (total // 4).astype(np.uint8)


def redder(reference: np.ndarray) -> np.ndarray:
    made = reference.copy()
    made[..., 0] = np.clip(made[..., 0] + 30.0, 0, 255).astype(np.uint8)
    return made


def darker(reference: np.ndarray) -> np.ndarray:
    return (255 * (reference / 255) ** 1.3).astype(np.uint8)
