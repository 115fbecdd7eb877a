"""The models there are, as the service names and counts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hyperfocal.errors import HyperfocalError

if TYPE_CHECKING:
    from hyperfocal.models import ModelCard

_VERSION_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Listed:
    """A model, the weights of it that this machine runs, and their version.

    ``version``: the beginning of the weights' sha256; of a builtin model its card's version.
    """

    card: ModelCard
    precision: str
    version: str


def list_models() -> list[Listed]:
    """All models that can be run here, sorted by name. Reads files; blocks."""
    from hyperfocal import models
    from hyperfocal.models.choosing import choose_precision
    from hyperfocal.settings import Settings

    settings = Settings.read()
    found = []
    for card in models.list(settings=settings):
        if card.kind == "builtin":
            found.append(Listed(card, "float", card.version))
            continue
        try:
            precision = choose_precision(card, settings)
        except HyperfocalError:
            continue
        version = card.weights[precision].sha256[:_VERSION_DIGITS]
        found.append(Listed(card, precision, version))
    return found
