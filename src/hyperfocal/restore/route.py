"""Everything decided before the first pixel is touched: passes, tiles, and what goes to disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hyperfocal.models.card import ModelCard
from hyperfocal.restore.memory import Budget
from hyperfocal.restore.plan import TilePlan, plan_tiles


@dataclass(frozen=True, slots=True)
class Stage:
    """One pass: a model's native scale, the tiles, and where its result goes."""

    scale: int
    plan: TilePlan
    on_disk: bool


@dataclass(frozen=True, slots=True)
class Route:
    """All passes, then a reduction to ``size`` ``(height, width)`` unless they end there."""

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
    height: int,
    width: int,
    size: tuple[int, int],
    cards: Sequence[ModelCard],
    budget: Budget,
    pixel_bytes: int,
    *,
    has_alpha: bool,
) -> Route:
    """Plan ``cards`` one after another on a picture of ``height`` x ``width``.

    ``pixel_bytes``: of one pixel without alpha, whose samples are a third of that, or all of
    it for grey; counted as all, to be safe.
    """
    samples = size[0] * size[1]
    final_on_disk = budget.on_disk(samples * pixel_bytes)
    if not final_on_disk:
        budget = budget.without(samples * pixel_bytes)
    alpha_on_disk = has_alpha and budget.on_disk(samples * pixel_bytes)
    if has_alpha and not alpha_on_disk:
        budget = budget.without(samples * pixel_bytes)
    stages: list[Stage] = []
    rows, columns = height, width
    for card in cards:
        rows_made, columns_made = rows * card.scale, columns * card.scale
        made = rows_made * columns_made * pixel_bytes
        if (rows_made, columns_made) == size and card is cards[-1]:
            on_disk = final_on_disk
        elif not (on_disk := budget.on_disk(made)):
            budget = budget.without(made)
        plan = plan_tiles(
            rows,
            columns,
            multiple=card.input_multiple,
            radius=card.receptive_radius,
            max_pixels=budget.tile_pixels(card),
        )
        stages.append(Stage(card.scale, plan, on_disk))
        rows, columns = rows_made, columns_made
    difference = height * width * 4 * 3
    return Route(
        tuple(stages), size, final_on_disk, alpha_on_disk, budget.on_disk(difference)
    )
