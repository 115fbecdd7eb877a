"""Nets small enough to run in numpy, that behave at borders as shipped ones do."""

from itertools import pairwise

import numpy as np
import pytest

from hyperfocal.models.card import ModelCard
from hyperfocal.quality import imresize


class ConvNet:
    """Zero-padded 3x3 convolutions on a pixel-unshuffled picture, added to its enlargement.

    Counts the windows it was given in ``seen``.
    """

    precision = "float"

    def __init__(self, scale=2, unshuffle=1, depth=2, channels=4, seed=0, name=None):
        rng = np.random.default_rng(seed)
        self.unshuffle, self.seen = unshuffle, []
        inputs, outputs = 3 * unshuffle**2, 3 * (scale * unshuffle) ** 2
        sizes = [inputs, *[channels] * (depth - 1), outputs]
        self.kernels = [
            rng.normal(0, 0.6 / np.sqrt(9 * a), (9, a, b)).astype(np.float32)
            for a, b in pairwise(sizes)
        ]
        self.card = ModelCard(
            name=name or f"conv-x{scale}",
            scale=scale,
            input_multiple=unshuffle,
            receptive_radius=depth * unshuffle + unshuffle - 1,
        )

    def run(self, tile):
        self.seen.append(tile.shape[:2])
        assert tile.shape[0] % self.unshuffle == 0
        assert tile.shape[1] % self.unshuffle == 0
        assert tile.flags.c_contiguous
        unit = tile.astype(np.float32) / (255 if tile.dtype == np.uint8 else 1)
        height, width, u = *unit.shape[:2], self.unshuffle
        x = unit.reshape(height // u, u, width // u, u, 3).transpose(0, 2, 1, 3, 4)
        x = x.reshape(height // u, width // u, -1)
        for number, kernel in enumerate(self.kernels):
            padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
            rows, columns = x.shape[:2]
            x = sum(
                padded[k // 3 : k // 3 + rows, k % 3 : k % 3 + columns] @ kernel[k]
                for k in range(9)
            )
            if number < len(self.kernels) - 1:
                x = np.maximum(x, 0)
        side = self.card.scale * u
        x = x.reshape(height // u, width // u, side, side, 3).transpose(0, 2, 1, 3, 4)
        x = x.reshape(height // u * side, width // u * side, 3)
        scale = self.card.scale
        made = np.clip(unit.repeat(scale, 0).repeat(scale, 1) + 0.1 * x, 0, 1)
        if tile.dtype == np.uint8:
            return np.floor(made * 255 + 0.5).astype(np.uint8)
        return made.astype(np.float32)


class Replicate:
    """Every pixel becomes a square. ``change`` may spoil the answer."""

    precision = "float"

    def __init__(self, scale=2, name=None, change=None, multiple=1, radius=0):
        self.change, self.seen = change, []
        self.card = ModelCard(
            name=name or f"replicate-x{scale}",
            scale=scale,
            input_multiple=multiple,
            receptive_radius=radius,
        )

    def run(self, tile):
        self.seen.append(tile.shape[:2])
        made = tile.repeat(self.card.scale, 0).repeat(self.card.scale, 1)
        return made if self.change is None else self.change(made)


@pytest.fixture(scope="session")
def conv_net():
    return ConvNet


@pytest.fixture(scope="session")
def replicate():
    return Replicate


@pytest.fixture(scope="session")
def photo():
    """Smooth colour with some detail, ``(height, width, 3)`` uint8, different for each seed."""

    def make(height, width, seed=0, dtype=np.uint8):
        rng = np.random.default_rng(seed)
        small = rng.uniform(0.15, 0.85, (height // 6 + 2, width // 6 + 2, 3)).astype(np.float32)
        unit = np.clip(imresize(small, size=(height, width)), 0, 1)
        if np.dtype(dtype) == np.float32:
            return unit
        full = np.iinfo(dtype).max
        return np.floor(unit * full + 0.5).astype(dtype)

    return make
