"""Training patches and validation pictures with real degradations.

Patches are degraded one by one as they are cut, each in its own way: a batch of 16 then holds 16
degradations, where tiles degraded whole and cut afterwards would repeat a few hundred, and at
the size of a patch that costs no more.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from hyperfocal.errors import SettingsError
from hyperfocal.quality.similarity import WINDOW
from hyperfocal.training.data import (
    PatchPool,
    PatchSettings,
    Pixels,
    bicubic_pair,
    pictures_in,
    read_rgb,
)
from hyperfocal.training.degradations import Degradations, Recipe, seed_of
from hyperfocal.training.distillation import Teacher
from hyperfocal.training.experiment import DataSection, Experiment
from hyperfocal.training.given_pairs import PairPool, given_pair
from hyperfocal.training.group import ALONE, Group
from hyperfocal.training.reduction import reduced, smaller

# LR pixels around a patch that are degraded with it and then cut off: half of them so that no
# border effect of a filter reaches the patch, the rest so that the 8x8 blocks of the last JPEG
# lie anywhere in it.
MARGIN = 16
_BLOCK = 8

# A validation picture is cut into this many by this many parts, each with its own degradation.
PARTS = 2


class DegradedPool(PatchPool):
    """As :class:`PatchPool`, with every LR patch degraded in its own way."""

    def __init__(
        self, files: list[Path], settings: PatchSettings, degradations: Degradations
    ) -> None:
        super().__init__(files, replace(settings, patch=settings.patch + MARGIN))
        self.degradations = degradations
        area = np.array([tile.shape[0] * tile.shape[1] for tile in self.tiles], np.float64)
        self._cumulative = np.cumsum(area / area.sum())

    def refresh(self, turn: int) -> None:
        """Nothing to make beforehand: every patch is reduced by a factor of its own."""

    def _crop(self, generator: np.random.Generator) -> tuple[Pixels, Pixels]:
        scale, side = self.settings.scale, self.settings.patch - MARGIN
        high = self._high(generator, self.settings.patch * scale)
        low, high = self._taught(self.degradations.degrade(high, scale, generator), high)
        least = (MARGIN - _BLOCK) // 2
        y, x = (int(at) for at in generator.integers(least, least + _BLOCK, size=2))
        return (
            low[y : y + side, x : x + side],
            high[y * scale : (y + side) * scale, x * scale : (x + side) * scale],
        )

    def _high(self, generator: np.random.Generator, side: int) -> Pixels:
        """A square of a photograph, now and then reduced from a larger one, turned."""
        index = int(np.searchsorted(self._cumulative, generator.random()))
        tile = self.tiles[min(index, len(self.tiles) - 1)]
        taken = side
        if generator.random() < self.settings.reduced:
            most = min(side / self.settings.reduce_from, *tile.shape[:2])
            taken = round(side / generator.uniform(side / most, 1.0))
        y, x = (int(generator.integers(length - taken + 1)) for length in tile.shape[:2])
        square = tile[y : y + taken, x : x + taken]
        if taken != side:
            square = reduced(square, (side, side), self._way(generator))
        square = np.rot90(square, int(generator.integers(4)))
        return np.ascontiguousarray(square[:, ::-1] if generator.integers(2) else square)


def degraded_pair(
    hr: Pixels, name: str, scale: int, multiple: int, degradations: Degradations
) -> tuple[Pixels, Pixels, Recipe]:
    """``(lr, hr, recipe)``, HR cropped to a multiple; ``name`` decides all that is random."""
    step = scale * multiple
    hr = np.ascontiguousarray(hr[: hr.shape[0] // step * step, : hr.shape[1] // step * step])
    generator = np.random.default_rng(seed_of(name))
    recipe = degradations.draw(generator, (hr.shape[0], hr.shape[1]), scale)
    return recipe.apply(hr, generator), hr, recipe


def parts(hr: Pixels, name: str, side: int) -> list[tuple[str, Pixels]]:
    """The picture in :data:`PARTS` by :data:`PARTS` parts, sides multiples of ``side``, named."""
    height, width = (length // PARTS // side * side for length in hr.shape[:2])
    cuts = product(range(PARTS), repeat=2)
    return [
        (part, hr[row * height :, column * width :][:height, :width])
        for part, (row, column) in zip(part_names(name), cuts, strict=True)
    ]


def part_names(name: str) -> list[str]:
    """What the parts of a picture are called, row by row."""
    return [f"{name}-{row}{column}" for row, column in product(range(PARTS), repeat=2)]


def degraded_pairs(
    hr: Pixels, name: str, scale: int, multiple: int = 1
) -> list[tuple[Pixels, Pixels]]:
    """Validation pairs ``(lr, hr)`` of one picture: four parts, degraded by their names.

    By the default ranges, whatever a training was made with, so that the figures of different
    trainings compare.
    """
    return [
        degraded_pair(part, part_name, scale, multiple, Degradations())[:2]
        for part_name, part in parts(hr, name, scale * multiple)
    ]


def _teacher(data: DataSection) -> Teacher | None:
    if not data.teacher:
        return None
    return Teacher(data.teacher, data.teacher_weight, data.teacher_turns)


def training_pool(experiment: Experiment, group: Group = ALONE) -> PatchPool:
    """The training patches of an experiment: this process's share of every batch."""
    data = experiment.data
    files = pictures_in(Path(data.train))[: data.limit]
    settings = PatchSettings(
        scale=experiment.net.scale,
        patch=data.patch,
        batch=group.batch_share(data.batch),
        reduce_from=data.reduce_from,
        reduce_by=data.reduce_by,
        reduced=data.reduced,
        slanted=data.slanted,
        refresh_every=data.refresh_every,
        seed=experiment.seed,
        rank=group.rank,
        teacher=_teacher(data),
    )
    if data.degradation == "real":
        return DegradedPool(files, settings, experiment.degradation or Degradations())
    if data.degradation == "given":
        return PairPool(files, settings)
    return PatchPool(files, settings)


def judged_pairs(experiment: Experiment, files: list[Path]) -> list[tuple[Pixels, Pixels]]:
    """Pairs to judge a net by, as its experiment says: bicubic, degraded the same always, given.

    :class:`SettingsError` for a picture too small to be judged.
    """
    return [pair for index, path in enumerate(files) for pair in _judged(experiment, path, index)]


def _judged(experiment: Experiment, path: Path, index: int) -> list[tuple[Pixels, Pixels]]:
    net, data = experiment.net, experiment.data
    kind = data.degradation
    step = net.scale * net.unshuffle
    if kind == "given":
        pair = given_pair(path, net.scale, net.unshuffle)
        refuse_small(path, pair[1], 1, step, net.scale)
        return [pair]
    hr, pairs = read_rgb(path), []
    for number, factor in enumerate(data.judged_at):
        # Every way in turn, so that a few pictures show all of them.
        by = data.reduce_by[(index + number) % len(data.reduce_by)]
        original = hr if factor == 1.0 else smaller(hr, factor, by)
        refuse_small(path, original, PARTS if kind == "real" else 1, step, net.scale, factor)
        if kind == "real":
            pairs += degraded_pairs(original, path.stem, net.scale, net.unshuffle)
        else:
            pairs.append(bicubic_pair(original, net.scale, net.unshuffle))
    return pairs


def refuse_small(
    path: Path, hr: Pixels, cuts: int, step: int, shave: int, factor: float = 1.0
) -> None:
    """:class:`SettingsError` for an original too small for SSIM.

    Its sides are cut into ``cuts`` parts, to multiples of ``step``, and shaved. ``factor``: by
    which it was reduced for that.
    """
    # The protocol leaves out as many pixels along every border as the scale.
    least = -(-(WINDOW + 2 * shave) // step) * step * cuts
    height, width = hr.shape[:2]
    if min(height, width) < least:
        small = f"reduced to {factor:g}, {path}" if factor != 1.0 else str(path)
        raise SettingsError(
            f"{small} has {width}x{height} pixels, too few to judge a net by, which takes "
            f"{least}x{least}; leave the picture out"
            + (f", or {factor:g} of data.judged_at" if factor != 1.0 else "")
        )
