"""Training patches and validation pictures with real degradations.

Patches are degraded one by one as they are cut, each in its own way: a batch of 16 then holds 16
degradations, where tiles degraded whole and cut afterwards would repeat a few hundred, and at
the size of a patch that costs no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from hyperfocal.training.given_pairs import PairPool, given_pair, refuse_mismatched
from hyperfocal.training.group import ALONE, Group
from hyperfocal.training.headers import sizes, some
from hyperfocal.training.reduction import reduced, smaller

# LR pixels around a patch that are degraded with it and then cut off: half of them so that no
# border effect of a filter reaches the patch, the rest so that the 8x8 blocks of the last JPEG
# lie anywhere in it.
MARGIN = 16
_BLOCK = 8

# LR pixels, or cells of what is not shuffled, that a kernel is laid upon.
_OBSERVED = 3

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

    def _bytes_a_pixel(self) -> float:
        return 3.0

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
    hr: Pixels, name: str, scale: int, multiple: int = 1, degradations: Degradations | None = None
) -> list[tuple[Pixels, Pixels]]:
    """Pairs ``(lr, hr)`` of one picture: four parts, degraded by their names.

    By the default ranges where no others are given: so are validation pictures, whatever a training
    was made with, so that the figures of different trainings compare.
    """
    return [
        degraded_pair(part, part_name, scale, multiple, degradations or Degradations())[:2]
        for part_name, part in parts(hr, name, scale * multiple)
    ]


def _teacher(data: DataSection) -> Teacher | None:
    if not data.teacher:
        return None
    return Teacher(data.teacher, data.teacher_weight, data.teacher_turns)


def learnt_from(experiment: Experiment) -> list[Path]:
    """The files that an experiment trains on."""
    return pictures_in(Path(experiment.data.train))[: experiment.data.limit]


def training_pool(experiment: Experiment, group: Group = ALONE) -> PatchPool:
    """The training patches of an experiment: this process's share of every batch."""
    data = experiment.data
    files = learnt_from(experiment)
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

    Raises what :func:`refuse_unjudged` does.
    """
    refuse_unjudged(experiment, files)
    return [
        pair
        for index, path in enumerate(files)
        for made in _made(experiment, path, index, Degradations())
        for pair in made
    ]


def refuse_unjudged(experiment: Experiment, files: list[Path]) -> None:
    """Looks at the headers of pictures that a net is to be judged by.

    :class:`SettingsError` for those too small for that; :class:`InputError` for what is no picture,
    or no pair.
    """
    net, data = experiment.net, experiment.data
    step, factors = net.scale * net.unshuffle, data.judged_at
    if data.degradation == "given":
        refuse_mismatched(files, net.scale)
        factors = (1.0,)
    refuse_small(files, _cuts(experiment), step, net.scale, factors)


def observed_pairs(experiment: Experiment, path: Path) -> list[tuple[Pixels, Pixels]]:
    """Pairs of a training picture, to see what a net makes of those it learns from.

    Made as those it is judged by, but degraded as in the training. Nothing is scored: sizes of
    ``judged_at`` are left out where a net can hardly look at what they leave of the picture.
    """
    degradations = experiment.degradation or Degradations()
    least = _OBSERVED * experiment.net.unshuffle
    return [pair for made in _made(experiment, path, 0, degradations, least) for pair in made]


def _made(
    experiment: Experiment, path: Path, index: int, degradations: Degradations, least: int = 1
) -> Iterator[list[tuple[Pixels, Pixels]]]:
    """Pairs of the ``index``-th picture at each size, but where LR sides are under ``least``."""
    net, data = experiment.net, experiment.data
    if data.degradation == "given":
        lr, hr = given_pair(path, net.scale, net.unshuffle)
        if min(lr.shape[:2]) >= least:
            yield [(lr, hr)]
        return
    hr = read_rgb(path)
    for number, factor in enumerate(data.judged_at):
        # Every way in turn, so that a few pictures show all of them.
        by = data.reduce_by[(index + number) % len(data.reduce_by)]
        original = hr if factor == 1.0 else smaller(hr, factor, by)
        if min(original.shape[:2]) < least * net.scale * _cuts(experiment):
            continue
        if data.degradation == "real":
            yield degraded_pairs(original, path.stem, net.scale, net.unshuffle, degradations)
        else:
            yield [bicubic_pair(original, net.scale, net.unshuffle)]


def _cuts(experiment: Experiment) -> int:
    """Into how many parts a side of a picture is cut."""
    return PARTS if experiment.data.degradation == "real" else 1


def least_judged(step: int, shave: int) -> int:
    """The side of the smallest original for SSIM: a multiple of ``step``, that is shaved."""
    # The protocol leaves out as many pixels along every border as the scale.
    return -(-(WINDOW + 2 * shave) // step) * step


def refuse_small(
    files: Sequence[Path],
    cuts: int,
    step: int,
    shave: int,
    factors: Sequence[float] = (1.0,),
) -> None:
    """:class:`SettingsError` for originals too small for SSIM, by their headers.

    Their sides are cut into ``cuts`` parts, to multiples of ``step``, and shaved. ``factors``: by
    which they are reduced for that.
    """
    least = least_judged(step, shave) * cuts
    small = []
    advice = ""
    for path, size in zip(files, sizes(files), strict=True):
        for factor in factors:
            height, width = (max(1, round(side * factor)) for side in size)
            if min(height, width) < least:
                reduced_to = f"reduced to {factor:g}, " if factor != 1.0 else ""
                small.append(f"{reduced_to}{path} has {width}x{height} pixels")
                if factor != 1.0:
                    advice = advice or f", or {factor:g} of data.judged_at"
                break
    if small:
        those = "the picture" if len(small) == 1 else f"those {len(small)} pictures"
        raise SettingsError(
            f"{some(small)}, too few to judge a net by, which takes {least}x{least}; leave "
            f"{those} out{advice}"
        )
