"""Everything decided before the first pixel is touched: passes, tiles, and what goes to disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hyperfocal.imaging.picture import Picture
from hyperfocal.restore.memory import Budget, tile_bytes
from hyperfocal.restore.plan import TilePlan, plan_tiles
from hyperfocal.restore.tiles import Net


@dataclass(frozen=True, slots=True)
class Stage:
    """One pass: the tiles, and where its result goes."""

    plan: TilePlan
    on_disk: bool


@dataclass(frozen=True, slots=True)
class Route:
    """All passes, then a reduction to ``size`` ``(height, width)`` unless they end there.

    ``on_disk``: the result; ``difference_on_disk``: what back-projection works with.
    """

    stages: tuple[Stage, ...]
    size: tuple[int, int]
    on_disk: bool
    alpha_on_disk: bool
    difference_on_disk: bool

    @property
    def tiles(self) -> int:
        """Tiles of all passes."""
        return sum(len(stage.plan.tiles) for stage in self.stages)


def plan_route(
    picture: Picture, size: tuple[int, int], nets: Sequence[Net], memory: int
) -> Route:
    """Plan ``nets`` one after another on ``picture``, within ``memory`` bytes if possible.

    What comes last (the result, its alpha) has first claim to memory, because it is looked at
    again; passes between go to disk sooner.
    """
    held = picture.pixels.nbytes
    if picture.alpha is not None:
        held += picture.pixels.nbytes + picture.alpha.nbytes
    sample = picture.pixels.dtype.itemsize
    pixel = sample if picture.is_grey else 3 * sample
    budget = Budget(memory, held)
    on_disk, budget = _place(size[0] * size[1] * pixel, budget)
    alpha_on_disk = False
    if picture.alpha is not None:
        alpha_on_disk, budget = _place(size[0] * size[1] * sample, budget)
    stages: list[Stage] = []
    rows, columns = picture.height, picture.width
    for net in nets:
        card, shape = net.card, (rows, columns)
        rows, columns = rows * card.scale, columns * card.scale
        if (rows, columns) == size:
            made_on_disk = on_disk
        else:
            made_on_disk, budget = _place(rows * columns * pixel, budget)
        plan = plan_tiles(
            *shape,
            multiple=card.input_multiple,
            radius=card.receptive_radius,
            max_pixels=budget.tile_pixels(tile_bytes(card.scale, net.precision, sample)),
        )
        stages.append(Stage(plan, made_on_disk))
    difference, _ = _place(picture.pixels.size * 4, budget)
    return Route(tuple(stages), size, on_disk, alpha_on_disk, difference)


def _place(size: int, budget: Budget) -> tuple[bool, Budget]:
    """Whether ``size`` bytes go to disk, and the budget that is left."""
    return (True, budget) if budget.on_disk(size) else (False, budget.without(size))
