"""Bodies that are taken whole before they are passed on, in files, and the room for these."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from waitress.buffers import TempfileBasedBuffer

from hyperfocal.paths import scratch
from hyperfocal.server.spool import check_reserve

_log = logging.getLogger(__name__)


class Room:
    """``most``: bytes that all of them have together. ``reserve``: bytes to be free on the disk."""

    def __init__(self, most: int, reserve: int) -> None:
        self._lock, self._left, self._reserve = threading.Lock(), most, reserve

    def check_disk(self) -> None:
        """Raise :class:`SpoolFull` where the disk is nearly full, OSError where there is none."""
        check_reserve(self._reserve, Path(scratch()))

    def take(self, count: int) -> bool:
        """Have so many bytes, where there are as many."""
        with self._lock:
            if count > self._left:
                return False
            self._left -= count
            return True

    def give(self, count: int) -> None:
        """Have them no more."""
        with self._lock:
            self._left += count


class Held(TempfileBasedBuffer):  # type: ignore[misc]
    """Stands in for waitress' own buffer, which takes whatever comes.

    ``on_full``: called when something finds no room; that, and all that comes after it, is dropped.
    OSError where there can be no file.
    """

    # Until there is one, or what cannot be made could not be closed either.
    file: Any = None
    _taken = 0

    def __init__(self, room: Room, on_full: Callable[[], None]) -> None:
        self._room, self._on_full, self._is_full = room, on_full, False
        super().__init__()

    def newfile(self) -> Any:
        """Its file, which has no name."""
        return tempfile.TemporaryFile("w+b", prefix="hyperfocal-", dir=scratch())

    def append(self, data: bytes) -> None:
        """Some more has come."""
        if self._is_full:
            return
        if self._room.take(len(data)):
            self._taken += len(data)
            try:
                super().append(data)
                return
            except OSError as error:
                _log.warning("a body cannot be kept: %s", error)
        self._is_full = True
        self.close()
        self._on_full()

    def close(self) -> None:
        """Nobody needs it any more."""
        taken, self._taken = self._taken, 0
        self._room.give(taken)
        # What a full disk has not taken is tried once more, in vain.
        with contextlib.suppress(OSError):
            super().close()

    def __del__(self) -> None:
        # A visitor who leaves while it comes takes it along without closing it.
        self.close()
