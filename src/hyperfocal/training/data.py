"""Training patches and validation pictures, held decoded in memory.

Training never waits for a disk or a decoder: the tiles are decoded once, kept as uint8, and
now and then reduced by a fresh random factor, which removes what JPEG left in them and makes
more data out of the same photographs.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from hyperfocal import imaging, paths
from hyperfocal.errors import InputMissing, SettingsError
from hyperfocal.imaging.formats import is_listed
from hyperfocal.quality.luma import to_8_bit
from hyperfocal.quality.resize import imresize
from hyperfocal.restore.alpha import bleed
from hyperfocal.training.distillation import Teacher
from hyperfocal.training.headers import Size, refuse_more_than_memory, sizes, some
from hyperfocal.training.reduction import Reduction, slanted, smaller

Pixels = npt.NDArray[np.uint8]
# To what share of its size a slanted view is reduced at least, being a little soft.
SLANTED_AT_MOST = 0.8


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder, sorted by name; :class:`InputMissing` if there are none.

    As for a suite: whatever is read here by its suffix, without the dot files that some systems
    put beside pictures.
    """
    if not paths.is_folder(folder):
        raise InputMissing(f"there is no folder {folder}")
    found = sorted(filter(is_listed, folder.iterdir()))
    if not found:
        raise InputMissing(f"no pictures in {folder}")
    return found


def read_rgb(path: Path) -> Pixels:
    """A picture as ``(H, W, 3)`` uint8, upright; :class:`InputError` where it is none.

    Colour that transparency hides is replaced by that around it, as it is where pictures are
    enlarged or judged.
    """
    picture = imaging.open(path)
    visible = picture.pixels if picture.alpha is None else bleed(picture.pixels, picture.alpha)
    pixels = to_8_bit(visible)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def hold_back(files: list[Path], share: float) -> tuple[list[Path], list[Path]]:
    """Validation pictures and those held back for the test: every so many-th, none of too few."""
    if share <= 0.0 or len(files) * share < 1.0:
        return files, []
    # Spread over the listing, which often has pictures of one source side by side.
    count = int(len(files) * share)
    chosen = {round((index + 0.5) * len(files) / count - 0.5) for index in range(count)}
    return (
        [path for index, path in enumerate(files) if index not in chosen],
        [path for index, path in enumerate(files) if index in chosen],
    )


def bicubic_pair(hr: Pixels, scale: int, multiple: int = 1) -> tuple[Pixels, Pixels]:
    """``(lr, hr)`` with HR cropped to a multiple of ``scale * multiple`` and LR by imresize."""
    step = scale * multiple
    hr = hr[: hr.shape[0] // step * step, : hr.shape[1] // step * step]
    lr = imresize(hr.astype(np.float32), 1.0 / scale)
    return np.clip(np.rint(lr), 0, 255).astype(np.uint8), hr


@dataclass(frozen=True)
class PatchSettings:
    """What a training batch looks like. ``patch`` is the LR side in pixels.

    ``rank``: which of several processes draws it; each draws other patches of the same tiles.
    ``reduced``: the share of tiles that get a new size, by one of ``reduce_by``, and at least
    ``reduce_from`` of the one they have. ``slanted``: the share of those that are seen askew before
    that. ``teacher``: has a say in what the originals are.
    """

    scale: int
    patch: int
    batch: int
    reduce_from: float = 0.5
    reduce_by: tuple[Reduction, ...] = ("bicubic",)
    reduced: float = 0.5
    slanted: float = 0.0
    refresh_every: int = 1500
    seed: int = 0
    rank: int = 0
    teacher: Teacher | None = None


class PatchPool(IterableDataset[tuple[Tensor, Tensor]]):
    """Endless batches ``(lr, hr)``, uint8 ``(N, 3, h, w)``, flipped and turned at random.

    Every ``refresh_every`` batches each tile gets a new random reduction, or none.
    A batch depends on the seed, the rank and its number only, so a training can go on with
    batch ``position`` as if it had never stopped.
    """

    def __init__(self, files: list[Path], settings: PatchSettings) -> None:
        super().__init__()
        self.settings = settings
        found = sizes(files)
        self._refuse_small(files, found)
        refuse_more_than_memory(found, self._bytes_a_pixel())
        self.tiles: list[Pixels] = []
        self.pairs: list[tuple[Pixels, Pixels]] = []
        self.position = 0
        self._turn = -1
        self._decode(files)

    def _refuse_small(self, files: list[Path], found: list[Size]) -> None:
        needed = self.settings.patch * self.settings.scale
        small = [
            f"{path} is {width}x{height}"
            for path, (height, width) in zip(files, found, strict=True)
            if min(height, width) < needed
        ]
        if small:
            those = "the picture" if len(small) == 1 else f"those {len(small)} pictures"
            raise SettingsError(
                f"{some(small)}; patches need {needed}x{needed}: make data.patch smaller or leave "
                f"{those} out"
            )

    def _bytes_a_pixel(self) -> float:
        """Of tiles and of their pairs, where an original that is not made smaller is the tile."""
        made = self.settings.reduced if self.settings.teacher is None else 1.0
        return 3.0 * (1.0 + made + 1.0 / self.settings.scale**2)

    def _decode(self, files: list[Path]) -> None:
        self.tiles = [read_rgb(path) for path in files]

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.default_rng((self.settings.seed, *key))

    def _reduced(self, tile: Pixels, generator: np.random.Generator) -> Pixels:
        low, high = self._least(tile), 1.0
        if low >= high or generator.random() >= self.settings.reduced:
            return tile
        if self.settings.slanted and generator.random() < self.settings.slanted:
            view = slanted(tile, generator)
            if self._least(view) < SLANTED_AT_MOST:
                tile, low, high = view, self._least(view), SLANTED_AT_MOST
        factor = float(generator.uniform(low, high))
        return smaller(tile, factor, self._way(generator))

    def _least(self, tile: Pixels) -> float:
        """The least factor by which a tile may be made smaller."""
        smallest = (self.settings.patch + 1) * self.settings.scale
        return max(self.settings.reduce_from, smallest / min(tile.shape[:2]))

    def _way(self, generator: np.random.Generator) -> Reduction:
        ways = self.settings.reduce_by
        return ways[int(generator.integers(len(ways)))]

    def _taught(self, lr: Pixels, hr: Pixels) -> tuple[Pixels, Pixels]:
        teacher = self.settings.teacher
        return (lr, hr) if teacher is None else (lr, teacher.target(lr, hr))

    def refresh(self, turn: int) -> None:
        """Make the HR-LR pairs of all tiles for the ``turn``-th time."""
        if turn == self._turn:
            return
        generator = self._generator(0, turn)
        # Of none, until all are made: what ends this halfway leaves pairs of two turns.
        self._turn = -1
        for index, tile in enumerate(self.tiles):
            pair = self._taught(*bicubic_pair(self._reduced(tile, generator), self.settings.scale))
            # One by one in place: all of two turns would take twice the memory.
            self.pairs[index : index + 1] = [pair]
        # Larger pictures are drawn more often, so every pixel is as likely as every other.
        area = np.array([lr.shape[0] * lr.shape[1] for lr, _ in self.pairs], dtype=np.float64)
        self._cumulative = np.cumsum(area / area.sum())
        self._turn = turn

    def _crop(self, generator: np.random.Generator) -> tuple[Pixels, Pixels]:
        index = int(np.searchsorted(self._cumulative, generator.random()))
        lr, hr = self.pairs[min(index, len(self.pairs) - 1)]
        side, scale = self.settings.patch, self.settings.scale
        y = int(generator.integers(lr.shape[0] - side + 1))
        x = int(generator.integers(lr.shape[1] - side + 1))
        low = lr[y : y + side, x : x + side]
        high = hr[y * scale : (y + side) * scale, x * scale : (x + side) * scale]
        turns, flip = int(generator.integers(4)), bool(generator.integers(2))
        low, high = np.rot90(low, turns), np.rot90(high, turns)
        return (low[:, ::-1], high[:, ::-1]) if flip else (low, high)

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """The batch of that number, counted from 0."""
        self.refresh(number // self.settings.refresh_every)
        # The tiles are those of every rank; what is cut from them is not.
        rank = self.settings.rank
        generator = self._generator(1, number, *([rank] if rank else []))
        crops = [self._crop(generator) for _ in range(self.settings.batch)]
        return tuple(  # type: ignore[return-value]
            torch.from_numpy(np.stack([crop[i].transpose(2, 0, 1) for crop in crops]))
            for i in (0, 1)
        )

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return map(self.batch, itertools.count(self.position))


class OneBatch(IterableDataset[tuple[Tensor, Tensor]]):
    """The first batch of a pool again and again: what any sound net learns by heart."""

    def __init__(self, pool: PatchPool) -> None:
        super().__init__()
        self.position = 0
        self.batch = pool.batch(0)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return itertools.repeat(self.batch)

    def pairs(self) -> list[tuple[Pixels, Pixels]]:
        """Its patches as validation pictures."""
        lr, hr = (part.numpy().transpose(0, 2, 3, 1) for part in self.batch)
        return list(zip(lr, hr, strict=True))


class ValidationPictures(Dataset[tuple[Tensor, Tensor]]):
    """Whole pictures ``(lr, hr)``, uint8 ``(3, h, w)``."""

    def __init__(self, pairs: list[tuple[Pixels, Pixels]]) -> None:
        self.pairs = pairs

    @property
    def digest(self) -> str:
        """SHA-256 of all of them in their order: figures of the same pictures compare."""
        seen = hashlib.sha256()
        for picture in itertools.chain.from_iterable(self.pairs):
            seen.update(repr(picture.shape).encode())
            seen.update(np.ascontiguousarray(picture).data)
        return seen.hexdigest()

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        lr, hr = self.pairs[index]
        return tuple(  # type: ignore[return-value]
            torch.from_numpy(np.ascontiguousarray(a.transpose(2, 0, 1))) for a in (lr, hr)
        )
