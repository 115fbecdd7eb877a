from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture(scope="session")
def textured() -> Callable[[int, int], np.ndarray]:
    """``(seed, side)`` to a uint8 picture with edges at many angles."""

    def make(seed: int, side: int) -> np.ndarray:
        generator = np.random.default_rng(seed)
        y, x = np.mgrid[:side, :side].astype(np.float64)
        picture = np.full((side, side, 3), 0.5)
        for _ in range(60):
            angle, offset = generator.uniform(0, np.pi), generator.uniform(-side / 2, side)
            across = np.cos(angle) * x + np.sin(angle) * y - offset
            picture[(across > 0) & (across < side / 5)] = generator.uniform(0.1, 0.9, 3)
        return np.rint(picture * 255.0).astype(np.uint8)

    return make
