"""What restoring a picture would take, from its header alone or from the picture itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hyperfocal.imaging import Facts
    from hyperfocal.restore.route import Shape
    from hyperfocal.restore.shelf import Shelf
    from hyperfocal.restore.target import Target
    from hyperfocal.settings import Settings


@dataclass(frozen=True, slots=True)
class Forecast:
    """``size``: (height, width) of the result; ``models``: in the order they run.

    ``seen``: pixels that each of them is given; ``memory``: bytes beyond those of the loaded
    models, files on disk left out.
    """

    size: tuple[int, int]
    models: tuple[str, ...]
    tiles: int
    seen: tuple[int, ...]
    memory: int


def forecast(facts: Facts, target: Target, shelf: Shelf, settings: Settings) -> Forecast:
    """Plan as the upscaler does, with the same errors; no pixel is decoded.

    The number of tiles is an estimate: a palette, say, may turn out to be grey.
    """
    return forecast_of(_shape(facts), target, shelf, settings)


def forecast_of(shape: Shape, target: Target, shelf: Shelf, settings: Settings) -> Forecast:
    """The same for a picture that is known better than by its header."""
    from hyperfocal.models.choosing import choose_precision
    from hyperfocal.restore.passes import passes_between
    from hyperfocal.restore.route import plan_route

    size = target.resolve(
        shape.height,
        shape.width,
        default=float(shelf.scales[0]),
        max_pixels=settings.max_output_pixels,
    )
    chain = passes_between((shape.height, shape.width), size, shelf.scales)
    cards = [shelf.card(scale) for scale in chain]
    precisions = {choose_precision(card, settings) for card in cards if card.kind == "onnx"}
    precision = "int8" if precisions == {"int8"} else "float"
    route = plan_route(shape, size, cards, settings.memory, precision)
    seen, pixels = [], shape.height * shape.width
    for card in cards:
        seen.append(pixels)
        pixels *= card.scale**2
    return Forecast(
        size,
        tuple(card.name for card in cards),
        route.tiles,
        tuple(seen),
        route.memory,
    )


def _shape(facts: Facts) -> Shape:
    from hyperfocal.restore.route import Shape

    return Shape(
        facts.height,
        facts.width,
        channels=1 if facts.mode in ("grey", "1 bit") else 3,
        sample_bytes=_sample_bytes(facts),
        has_alpha=facts.has_alpha,
    )


def _sample_bytes(facts: Facts) -> int:
    """Of a decoded picture: integers of more than 8 bits come out as uint16, floats as float32."""
    return 4 if facts.is_float else 1 if facts.bit_depth <= 8 else 2
