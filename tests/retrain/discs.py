"""Pictures to retrain on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def discs(seed: int, side: int = 96) -> np.ndarray:
    """Sharp discs of many colours: learnable, and different for every seed."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    picture = np.full((side, side, 3), generator.integers(40, 200, 3))
    for _ in range(40):
        centre, radius = generator.uniform(0, side, 2), generator.uniform(3, side / 4)
        inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2
        picture[inside] = generator.integers(10, 245, 3)
    return picture.astype(np.uint8)


def write_pictures(folder: Path, seeds: range) -> Path:
    """``folder`` with one picture for each seed."""
    folder.mkdir(parents=True)
    for seed in seeds:
        Image.fromarray(discs(seed)).save(folder / f"{seed}.png")
    return folder
