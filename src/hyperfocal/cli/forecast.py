"""What restoring a picture would take, from its header alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hyperfocal.imaging import Facts
    from hyperfocal.restore.shelf import Shelf
    from hyperfocal.restore.target import Target
    from hyperfocal.settings import Settings


@dataclass(frozen=True, slots=True)
class Forecast:
    """``size``: (height, width) of the result; ``models``: in the order they run."""

    size: tuple[int, int]
    models: tuple[str, ...]
    tiles: int


def forecast(facts: Facts, target: Target, shelf: Shelf, settings: Settings) -> Forecast:
    """Plan as the upscaler does, with the same errors; no pixel is decoded.

    The number of tiles is an estimate: a palette, say, may turn out to be grey.
    """
    from hyperfocal.models.choosing import choose_precision
    from hyperfocal.restore.passes import choose_passes
    from hyperfocal.restore.route import Shape, plan_route

    size = target.resolve(
        facts.height,
        facts.width,
        default=float(shelf.scales[0]),
        max_pixels=settings.max_output_pixels,
    )
    needed = max(size[0] / facts.height, size[1] / facts.width)
    cards = [shelf.card(scale) for scale in choose_passes(needed, shelf.scales)]
    shape = Shape(
        facts.height,
        facts.width,
        channels=1 if facts.mode in ("grey", "1 bit") else 3,
        sample_bytes=max(facts.bit_depth // 8, 1),
        has_alpha=facts.has_alpha,
    )
    precisions = {choose_precision(card, settings) for card in cards if card.kind == "onnx"}
    precision = "int8" if precisions == {"int8"} else "float"
    route = plan_route(shape, size, cards, settings.memory, precision)
    return Forecast(size, tuple(card.name for card in cards), route.tiles)
