"""Upscalers that stay loaded, for whoever asks for the same again."""

from __future__ import annotations

import threading
from collections import OrderedDict

from hyperfocal import forks
from hyperfocal.restore.upscaler import Upscaler
from hyperfocal.settings import Settings

_MOST = 4
_Key = tuple[type[Upscaler], str, Settings]


class _Place:
    """For one upscaler; whoever holds ``lock`` loads it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.upscaler: Upscaler | None = None


class Kept:
    """The last few upscalers of a process, each loaded once, however many threads ask for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: OrderedDict[_Key, _Place] = OrderedDict()
        forks.renew_in_children(self)

    def renew(self) -> object:
        """In a forked child nobody goes on with what another thread was loading."""
        self._lock = threading.Lock()
        for key, place in list(self._places.items()):
            if place.upscaler is None:
                del self._places[key]
            else:
                # Somebody may have been about to take it.
                place.lock = threading.Lock()
        return None

    def get(self, model: str, settings: Settings, kind: type[Upscaler] = Upscaler) -> Upscaler:
        """As ``kind.load(model, settings=settings)``, with the same errors."""
        key = kind, model, settings
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
        with place.lock:
            if place.upscaler is None:
                try:
                    place.upscaler = kind.load(model, settings=settings)
                except BaseException:
                    # It must not take the place of one that can be used.
                    self._forget(key, place)
                    raise
                with self._lock:
                    while len(self._places) > _MOST:
                        self._places.popitem(last=False)
            return place.upscaler

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._places.clear()

    def _forget(self, key: _Key, place: _Place) -> None:
        with self._lock:
            if self._places.get(key) is place:
                del self._places[key]


KEPT = Kept()
"""Those of this process."""
