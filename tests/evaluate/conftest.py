"""Folders of small pictures."""

import numpy as np
import pytest
from PIL import Image

from hyperfocal.quality import imresize


def scene(seed, height=48, width=60, *, grey=False):
    """Smooth shapes with some detail, different for every seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((5, 6) if grey else (5, 6, 3))
    large = (
        imresize(coarse, size=(height, width))
        + 0.05 * rng.random((height, width, 1))[(..., 0) if grey else ...]
    )
    return np.uint8(np.clip(large * 220 + 10, 0, 255))


@pytest.fixture
def make_scene():
    return scene


@pytest.fixture
def originals(tmp_path):
    """Three originals, written in another order than that of their names."""
    folder = tmp_path / "Small"
    folder.mkdir()
    for name, seed, size in (("b", 2, (49, 61)), ("c", 3, (40, 40)), ("a", 1, (48, 60))):
        Image.fromarray(scene(seed, *size)).save(folder / f"{name}.png")
    (folder / "readme.txt").write_text("no picture")
    return folder


@pytest.fixture
def paired(originals, tmp_path):
    """The same originals with low-resolution pictures of their own, in DIV2K's layout."""
    folder = tmp_path / "Paired"
    (folder / "HR").mkdir(parents=True)
    (folder / "LR_bicubic" / "X2").mkdir(parents=True)
    for path in originals.glob("*.png"):
        high = np.asarray(Image.open(path))
        Image.fromarray(high).save(folder / "HR" / path.name)
        high = high[: high.shape[0] // 2 * 2, : high.shape[1] // 2 * 2]
        low = Image.fromarray(imresize(high, 0.5))
        low.save(folder / "LR_bicubic" / "X2" / f"{path.stem}x2.png")
    return folder
