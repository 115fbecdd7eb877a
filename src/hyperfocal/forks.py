"""Forking, and ending, a process whose other threads restore pictures.

Of all threads a child has only the one that forked. A lock that another held stays locked for
ever, and so do those inside an engine, which nobody but the engine can reach. Therefore a fork
waits until no engine works, and what belongs to one process is told to begin anew in the child.
What it had is kept as it is, because to destroy it would wait for threads that are not there.

When a process ends, Python ends daemon threads as soon as they want to run Python again. Coming
out of an engine, that takes the whole process with it (SIGABRT, with what was yet to be written;
before 3.14). Therefore the end waits, too, and such threads are held where that does no harm.
"""

from __future__ import annotations

import atexit
import ctypes
import logging  # noqa: F401
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol
from weakref import WeakSet

# Registered before what is here, this and logging take their locks once it has waited, and not
# meanwhile. Once the main thread has ended it is refused, to whoever would register it later, too.
with suppress(RuntimeError):
    import concurrent.futures.thread  # noqa: F401

# Seconds after which a fork or the end does not wait any longer: an engine takes less for a tile.
_PATIENCE = 60.0
# Seconds for which the end holds other threads after that. It comes within milliseconds, unless
# something else that is done at exit takes long, or waits for one of them or what it has locked.
_HELD = 2.0
# Seconds after which those that wait for a fork look whether it is over: nothing tells them.
_EVERY = 0.01


class Renewed(Protocol):
    """What is of use in a forked child, too, once it has begun anew."""

    def renew(self) -> object:
        """Begin anew, without waiting for anything; gives what must never be destroyed."""


class _Gate:
    """Forks wait for those inside, who have come in before; others wait for the fork.

    ``forks``: one entry for each that has not ended. To take one away is a call that no signal's
    handler can interrupt, which would have all others wait for ever. ``ending``: the thread that
    ends the process, and until when others wait for that.
    """

    def __init__(self) -> None:
        self.forks: list[None] = []
        self.renew()

    def renew(self) -> object:
        self._changed = threading.Condition()
        self._inside: dict[int, int] = {}
        self.forks.clear()
        self.ending: tuple[int, float] | None = None
        return None

    def enter(self) -> None:
        me = threading.get_ident()
        with self._changed:
            # Who is inside must get out again, whatever it does there.
            while (self.forks or self._held(me)) and me not in self._inside:
                self._changed.wait(_EVERY)
            self._inside[me] = self._inside.get(me, 0) + 1

    def leave(self) -> None:
        me = threading.get_ident()
        # Nobody is inside in a child that was forked from there. First: an interrupt may come
        # while the lock is waited for.
        left = self._inside.pop(me, 1) - 1
        if left:
            self._inside[me] = left
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        me = threading.get_ident()
        with self._changed:
            self.forks.append(None)
            # A handler of a signal may fork from inside.
            self._changed.wait_for(lambda: not set(self._inside) - {me}, _PATIENCE)

    def end(self) -> None:
        """Wait as for a fork, and hold others; what else is done at exit may come inside."""
        me, until = threading.get_ident(), time.monotonic() + _PATIENCE

        def wait() -> None:
            left = until - time.monotonic()
            self._changed.wait_for(lambda: not set(self._inside) - {me}, left)

        with self._changed:
            try:
                self.ending = me, until
                wait()
            except BaseException:
                # Ctrl-C, say. It takes a second one, as to end before the tile does is a crash.
                wait()
                raise
            finally:
                self.ending = me, time.monotonic() + _HELD

    def _held(self, thread: int) -> bool:
        if self.ending is None:
            return False
        last, until = self.ending
        return thread != last and time.monotonic() < until


_GATE = _Gate()
_KNOWN: WeakSet[Renewed] = WeakSet()


@contextmanager
def held_off() -> Iterator[None]:
    """Inside, no other thread forks; for work of engines that ends by itself."""
    try:
        _GATE.enter()
        yield
    finally:
        _GATE.leave()


def renew_in_children(thing: Renewed) -> None:
    """Call ``thing.renew()`` in each child that is forked, as long as ``thing`` lives."""
    _KNOWN.add(thing)


def _renew() -> None:
    _GATE.renew()
    for thing in tuple(_KNOWN):
        # One reference more than there are: so it outlives even the end of the interpreter.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing.renew()))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_GATE.close, after_in_parent=_GATE.forks.pop, after_in_child=_renew)
atexit.register(_GATE.end)
