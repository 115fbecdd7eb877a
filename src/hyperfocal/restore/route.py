"""Everything decided before the first pixel is touched: passes, tiles, and what goes to disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hyperfocal.imaging.picture import Picture
from hyperfocal.models.card import ModelCard
from hyperfocal.quality.resize import strip_bytes
from hyperfocal.restore.memory import Budget, tile_bytes
from hyperfocal.restore.plan import TilePlan, plan_tiles


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a picture decides how it is worked on; ``channels`` are those of colour, 1 or 3."""

    height: int
    width: int
    channels: int = 3
    sample_bytes: int = 1
    has_alpha: bool = False

    @classmethod
    def of(cls, picture: Picture) -> Shape:
        """Of a decoded picture."""
        return cls(
            picture.height,
            picture.width,
            1 if picture.is_grey else 3,
            picture.pixels.dtype.itemsize,
            picture.alpha is not None,
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """One pass: the tiles, and where its result goes."""

    plan: TilePlan
    on_disk: bool


@dataclass(frozen=True, slots=True)
class Route:
    """All passes, then a reduction to ``size`` ``(height, width)`` unless they end there.

    ``on_disk``: the result; ``difference_on_disk``, ``copy_on_disk``: what back-projection works
    with; ``held``: bytes of the picture, its copy and all results that stay in memory, that apart;
    ``working``: bytes that the largest tile takes while a model works on it, or a strip of rows
    where a picture is resized or measured, if that is more.
    """

    stages: tuple[Stage, ...]
    size: tuple[int, int]
    on_disk: bool
    alpha_on_disk: bool
    difference_on_disk: bool
    copy_on_disk: bool
    held: int
    working: int

    @property
    def memory(self) -> int:
        """Bytes beyond those of the loaded models."""
        return self.held + self.working

    @property
    def tiles(self) -> int:
        """Tiles of all passes."""
        return sum(len(stage.plan.tiles) for stage in self.stages)


def plan_route(
    shape: Shape,
    size: tuple[int, int],
    cards: Sequence[ModelCard],
    memory: int,
    precision: str = "float",
) -> Route:
    """Plan models one after another on a picture, within ``memory`` bytes if possible.

    ``size``: ``(height, width)`` of the result; ``precision``: of the models' weights.

    What comes last (the result, its alpha) has first claim to memory, because it is looked at
    again; passes between go to disk sooner.
    """
    sample, pixel = shape.sample_bytes, shape.sample_bytes * shape.channels
    pixels = shape.height * shape.width
    # With transparency there is a copy, whose hidden pixels are coloured.
    budget = Budget(memory, pixels * (2 * pixel + sample if shape.has_alpha else pixel))
    # Strips are worked on beside the results, though not beside tiles.
    strip = _strip(shape, size, cards)
    budget = budget.without(strip)
    on_disk, budget = _place(size[0] * size[1] * pixel, budget)
    alpha_on_disk = False
    if shape.has_alpha:
        alpha_on_disk, budget = _place(size[0] * size[1] * sample, budget)
    stages: list[Stage] = []
    working = strip
    rows, columns = shape.height, shape.width
    for card in cards:
        seen = rows, columns
        rows, columns = rows * card.scale, columns * card.scale
        if (rows, columns) == size:
            made_on_disk = on_disk
        else:
            made_on_disk, budget = _place(rows * columns * pixel, budget)
        each = tile_bytes(card, precision, sample)
        plan = plan_tiles(
            *seen,
            multiple=card.input_multiple,
            radius=card.receptive_radius,
            max_pixels=budget.without(-strip).tile_pixels(each),
        )
        working = max(working, each * max(tile.pixels for tile in plan.tiles))
        stages.append(Stage(plan, made_on_disk))
    held = budget.held - strip
    difference, budget = _place(pixels * shape.channels * 4, budget)
    copy, _ = _place(size[0] * size[1] * pixel, budget)
    return Route(tuple(stages), size, on_disk, alpha_on_disk, difference, copy, held, working)


def _strip(shape: Shape, size: tuple[int, int], cards: Sequence[ModelCard]) -> int:
    """Bytes of the largest strip: made larger for back-projection, smaller where it is measured."""
    have = shape.height, shape.width
    native = math.prod(card.scale for card in cards)
    made = have[0] * native, have[1] * native
    ways = [(have, size), (size, have), *([(made, size)] if made != size else [])]
    return max(strip_bytes(*way, shape.channels) for way in ways)


def _place(size: int, budget: Budget) -> tuple[bool, Budget]:
    """Whether ``size`` bytes go to disk, and the budget that is left."""
    return (True, budget) if budget.on_disk(size) else (False, budget.without(size))
