"""The models an upscaler may choose from: one by name, or a family in several scales."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from hyperfocal import forks
from hyperfocal.errors import ModelMissing, UsageError
from hyperfocal.models.card import ModelCard
from hyperfocal.restore.tiles import Net
from hyperfocal.settings import Settings

DEFAULT_MODEL = "auto"
"""Where no model is named: photo-fast or restore-fast, by evidence in the picture."""


class Shelf:
    """Models by native scale, each loaded when first needed and then kept.

    Safe to share by threads; what it gives for a scale never changes.
    """

    def __init__(self, cards: Mapping[int, ModelCard], load: Callable[[str], Net]) -> None:
        if not cards:
            raise UsageError("an upscaler needs at least one model")
        self._cards, self._load = dict(cards), load
        self._loaded: dict[int, Net] = {}
        self._lock = threading.Lock()
        forks.renew_in_children(self)

    def renew(self) -> object:
        """In a forked child nobody goes on with what another thread was loading."""
        self._lock = threading.Lock()
        return None

    @classmethod
    def of(cls, nets: Iterable[Net]) -> Shelf:
        """Models that are loaded already."""
        by_scale = {net.card.scale: net for net in nets}
        names = {net.card.name: net for net in by_scale.values()}
        return cls({scale: net.card for scale, net in by_scale.items()}, names.__getitem__)

    @classmethod
    def find(cls, name: str, settings: Settings, load: Callable[[str], Net] | None = None) -> Shelf:
        """The model called ``name``, or the family ``name-x2``, ``name-x4`` and so on.

        An alias is what it stands for.
        A single model is loaded at once, so that what is wrong with it shows here; a family
        when its scale is needed. ``load``: how, by exact name; :func:`models.load` if left out.
        :class:`ModelMissing` for an unknown name.
        """
        from hyperfocal import models
        from hyperfocal.models.aliasing import resolve
        from hyperfocal.models.registry import family

        name = resolve(name, settings)
        load = load or (lambda exact: models.load(exact, settings=settings))

        try:
            card = models.show(name, settings=settings)
        except ModelMissing:
            cards = family(name, settings)
            if not cards:
                raise
            return cls({card.scale: card for card in cards}, load)
        shelf = cls({card.scale: card}, load)
        shelf.get(card.scale)
        return shelf

    @classmethod
    def at(cls, model: str, settings: Settings) -> Shelf:
        """As :meth:`find`, or the model of a card's file (``.toml``), wherever that lies.

        Not for names that strangers send: a path says which files there are.
        """
        if not model.endswith(".toml"):
            return cls.find(model, settings)
        from hyperfocal.models.loaded import load_entry
        from hyperfocal.models.registry import read_entry

        return cls.of([load_entry(read_entry(Path(model)), settings)])

    @property
    def scales(self) -> tuple[int, ...]:
        """Native scales, smallest first."""
        return tuple(sorted(self._cards))

    def card(self, scale: int) -> ModelCard:
        """The card of the model of a native scale."""
        return self._cards[scale]

    def get(self, scale: int) -> Net:
        """The model of a native scale, loaded."""
        net = self._loaded.get(scale)
        if net is None:
            with self._lock:
                if scale not in self._loaded:
                    self._loaded[scale] = self._load(self._cards[scale].name)
                net = self._loaded[scale]
        return net
