"""Training patches and validation pictures, held decoded in memory.

Training never waits for a disk or a decoder: the tiles are decoded once, kept as uint8, and
now and then reduced by a fresh random factor, which removes what JPEG left in them and makes
more data out of the same photographs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from hyperfocal.quality.resize import imresize

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
Pixels = npt.NDArray[np.uint8]


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder, sorted by name."""
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES)
    if not found:
        raise FileNotFoundError(f"no pictures in {folder}")
    return found


def read_rgb(path: Path) -> Pixels:
    """A picture as ``(H, W, 3)`` uint8."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def bicubic_pair(hr: Pixels, scale: int, multiple: int = 1) -> tuple[Pixels, Pixels]:
    """``(lr, hr)`` with HR cropped to a multiple of ``scale * multiple`` and LR by imresize."""
    step = scale * multiple
    hr = hr[: hr.shape[0] // step * step, : hr.shape[1] // step * step]
    lr = imresize(hr.astype(np.float32), 1.0 / scale)
    return np.clip(np.rint(lr), 0, 255).astype(np.uint8), hr


@dataclass(frozen=True)
class PatchSettings:
    """What a training batch looks like. ``patch`` is the LR side in pixels."""

    scale: int
    patch: int
    batch: int
    reduce_from: float = 0.5
    refresh_every: int = 1500
    seed: int = 0


class PatchPool(IterableDataset[tuple[Tensor, Tensor]]):
    """Endless batches ``(lr, hr)``, uint8 ``(N, 3, h, w)``, flipped and turned at random.

    Every ``refresh_every`` batches each tile gets a new random reduction (half of them none).
    """

    def __init__(self, files: list[Path], settings: PatchSettings) -> None:
        super().__init__()
        self.settings = settings
        self.tiles = [read_rgb(path) for path in files]
        self.generator = np.random.default_rng(settings.seed)
        self.pairs: list[tuple[Pixels, Pixels]] = []

    def _reduced(self, tile: Pixels) -> Pixels:
        smallest = (self.settings.patch + 1) * self.settings.scale
        low = max(self.settings.reduce_from, smallest / min(tile.shape[:2]))
        if low >= 1.0 or self.generator.random() < 0.5:
            return tile
        factor = float(self.generator.uniform(low, 1.0))
        return np.clip(np.rint(imresize(tile.astype(np.float32), factor)), 0, 255).astype(np.uint8)

    def refresh(self) -> None:
        """Make new HR-LR pairs of all tiles."""
        self.pairs = [bicubic_pair(self._reduced(tile), self.settings.scale) for tile in self.tiles]
        # Larger pictures are drawn more often, so every pixel is as likely as every other.
        area = np.array([lr.shape[0] * lr.shape[1] for lr, _ in self.pairs], dtype=np.float64)
        self._cumulative = np.cumsum(area / area.sum())

    def _crop(self) -> tuple[Pixels, Pixels]:
        index = int(np.searchsorted(self._cumulative, self.generator.random()))
        lr, hr = self.pairs[min(index, len(self.pairs) - 1)]
        side, scale = self.settings.patch, self.settings.scale
        y = int(self.generator.integers(lr.shape[0] - side + 1))
        x = int(self.generator.integers(lr.shape[1] - side + 1))
        low = lr[y : y + side, x : x + side]
        high = hr[y * scale : (y + side) * scale, x * scale : (x + side) * scale]
        turns, flip = int(self.generator.integers(4)), bool(self.generator.integers(2))
        low, high = np.rot90(low, turns), np.rot90(high, turns)
        return (low[:, ::-1], high[:, ::-1]) if flip else (low, high)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        drawn = 0
        while True:
            if drawn % self.settings.refresh_every == 0:
                self.refresh()
            drawn += 1
            crops = [self._crop() for _ in range(self.settings.batch)]
            yield tuple(  # type: ignore[misc]
                torch.from_numpy(np.stack([crop[i].transpose(2, 0, 1) for crop in crops]))
                for i in (0, 1)
            )


class ValidationPictures(Dataset[tuple[Tensor, Tensor]]):
    """Whole pictures ``(lr, hr)``, uint8 ``(3, h, w)``, by the bicubic protocol."""

    def __init__(self, files: list[Path], scale: int, multiple: int = 1) -> None:
        self.pairs = [bicubic_pair(read_rgb(path), scale, multiple) for path in files]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        lr, hr = self.pairs[index]
        return tuple(  # type: ignore[return-value]
            torch.from_numpy(np.ascontiguousarray(a.transpose(2, 0, 1))) for a in (lr, hr)
        )
