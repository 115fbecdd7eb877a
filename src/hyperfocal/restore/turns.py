"""Calls that share the memory of one process: each waits until what it plans for is free."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hyperfocal import forks

# Seconds after which a call that waits looks whether it has been cancelled.
_EVERY = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    size: int
    thread: int


class Turns:
    """Calls at work, and those that wait, first come, first served."""

    def __init__(self) -> None:
        self.renew()
        forks.renew_in_children(self)

    def renew(self) -> object:
        """Begin anew in a forked child, where nobody else is at work."""
        self._changed = threading.Condition()
        self._working: dict[_Turn, None] = {}
        self._waiting: dict[_Turn, None] = {}
        return None

    @property
    def planned(self) -> int:
        """Bytes that the calls at work have planned for."""
        return sum(turn.size for turn in tuple(self._working))

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._waiting)

    @contextmanager
    def take(self, size: int, most: int, check: Callable[[], None]) -> Iterator[None]:
        """Inside, ``size`` bytes are taken, and with those of others no more than ``most``.

        Waits until that is so, and calls ``check`` meanwhile, which may raise. What is larger than
        ``most`` is let in when nobody is at work. A call from inside another of the same thread
        (from its ``on_progress``) is let in at once: the other would wait for it.
        """
        turn = _Turn(size, threading.get_ident())
        try:
            with self._changed:
                self._waiting[turn] = None
            while not self._begun(turn, most):
                check()
            yield
        finally:
            # First: an interrupt may come while the lock is waited for.
            self._waiting.pop(turn, None)
            self._working.pop(turn, None)
            with self._changed:
                self._changed.notify_all()

    def _begun(self, turn: _Turn, most: int) -> bool:
        with self._changed:
            if not self._may_begin(turn, most):
                self._changed.wait(_EVERY)
                return False
            self._waiting.pop(turn, None)
            self._working[turn] = None
            # There may be room for the next one, too.
            self._changed.notify_all()
            return True

    def _may_begin(self, turn: _Turn, most: int) -> bool:
        if any(other.thread == turn.thread for other in tuple(self._working)):
            return True
        is_next = next(iter(tuple(self._waiting)), turn) is turn
        return is_next and (not self._working or self.planned + turn.size <= most)


TURNS = Turns()
"""Those of this process."""
