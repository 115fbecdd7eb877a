"""The models of one worker: those it was told to load, and a few others that were asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hyperfocal.errors import ModelMissing
from hyperfocal.models.automatic import AUTO, AUTOMATIC, can_choose
from hyperfocal.models.loaded import LoadedModel
from hyperfocal.server.served import UNKNOWN, Served

if TYPE_CHECKING:
    from hyperfocal.restore import Upscaler
    from hyperfocal.restore.shelf import Shelf
    from hyperfocal.settings import Settings

PREVIEW_MODEL = "photo-realtime"
"""The family of previews."""

# Models that were not named when the service started, kept loaded until others are asked for.
_OTHERS = 4
_VERSION_DIGITS = 12


@dataclass(frozen=True)
class Choice:
    """What one model name stands for.

    ``nets``: those loaded so far, by name; ``damaged``: where the picture decides, the models for
    those with signs of damage.
    """

    upscaler: Upscaler
    shelf: Shelf
    nets: dict[str, LoadedModel]
    damaged: Shelf | None = None

    def served(self, names: Iterable[str]) -> Served:
        """Those models as they are counted; one that is not loaded has an unknown version."""
        names = list(names)
        versions = (
            version(self.nets[name]) if name in self.nets else UNKNOWN.version for name in names
        )
        return Served("+".join(names), "+".join(versions))


class Models:
    """Loads models by name and keeps them.

    ``names``: models or families to load at once. Of several with one native scale the first
    serves requests that name no model; where restore-fast is among them as well as others, it
    serves pictures with signs of damage, as :mod:`hyperfocal.restore.auto` does. ``loads``:
    models loaded so far. Raises :class:`ModelError`.
    """

    def __init__(self, names: Iterable[str], settings: Settings) -> None:
        from hyperfocal.restore import Upscaler
        from hyperfocal.restore.shelf import Shelf

        self.loads = 0
        self._settings = settings
        self._loaded: dict[str, LoadedModel] = {}
        first: dict[int, LoadedModel] = {}
        restoring: dict[int, LoadedModel] = {}
        for name in names:
            shelf = Shelf.find(name, settings, load=self._loader(self._loaded))
            for scale in shelf.scales:
                shelf.get(scale)
                net = self._loaded[shelf.card(scale).name]
                kind = restoring if _restores(net) else first
                kind.setdefault(scale, net)
        shelf = Shelf.of((first or restoring).values())
        damaged = Shelf.of(restoring.values()) if can_choose(first, restoring) else None
        self._automatic = damaged is not None
        self._usual = Choice(Upscaler(shelf, settings, damaged), shelf, self._loaded, damaged)
        self._others: OrderedDict[str, Choice] = OrderedDict()

    @property
    def versions(self) -> dict[str, str]:
        """Of the models loaded at the start, by name."""
        return {name: version(net) for name, net in self._loaded.items()}

    @property
    def usual(self) -> Choice:
        """What serves a request that names no model."""
        return self._usual

    def choose(self, name: str | None, *, preview: bool = False) -> Choice:
        """The models to restore with; :class:`ModelError` for a name that is none."""
        if (name is None and not preview) or (name == AUTO and self._automatic):
            return self._usual
        try:
            return self._other(name or PREVIEW_MODEL)
        except ModelMissing:
            if name is None:
                return self._usual
            raise

    def release(self) -> None:
        """Give back the working memory of past calls."""
        for choice in (self._usual, *self._others.values()):
            for net in choice.nets.values():
                net.release()

    def _other(self, name: str) -> Choice:
        from hyperfocal.restore import Upscaler
        from hyperfocal.restore.shelf import Shelf

        if name in self._others:
            self._others.move_to_end(name)
            return self._others[name]
        nets: dict[str, LoadedModel] = {}
        load = self._loader(nets)
        if (both := AUTOMATIC.get(name)) is None:
            shelf, damaged = Shelf.find(name, self._settings, load=load), None
        else:
            shelf = Shelf.find(both.photo, self._settings, load=load)
            damaged = Shelf.find(both.restore, self._settings, load=load)
        self._others[name] = Choice(Upscaler(shelf, self._settings, damaged), shelf, nets, damaged)
        if len(self._others) > _OTHERS:
            self._others.popitem(last=False)
        return self._others[name]

    def _loader(self, nets: dict[str, LoadedModel]) -> Callable[[str], LoadedModel]:
        """Loads, or takes what is loaded already, and puts it into ``nets``."""

        def load(exact: str) -> LoadedModel:
            from hyperfocal import models

            if exact not in nets and exact in self._loaded:
                nets[exact] = self._loaded[exact]
            elif exact not in nets:
                nets[exact] = models.load(exact, settings=self._settings)
                self.loads += 1
            return nets[exact]

        return load


def _restores(net: LoadedModel) -> bool:
    return net.card.name == f"{AUTOMATIC[AUTO].restore}-x{net.card.scale}"


def version(net: LoadedModel) -> str:
    """The beginning of the sha256 of its weights; of a builtin model its card's version."""
    weights = net.card.weights.get(net.precision)
    return weights.sha256[:_VERSION_DIGITS] if weights else net.card.version
