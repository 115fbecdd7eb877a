"""Threads that work is given to, until a deadline which counts from when it was asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")


class TooLate(Exception):
    """The work was not begun in time, and never will be."""


class Turn:
    """What somebody waits for. ``ends``: until when it may begin, by ``time.monotonic()``."""

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        self._is_given_up = False

    @property
    def left(self) -> float:
        """Seconds until it is too late, 0 at least."""
        return max(0.0, self.ends - time.monotonic())

    def give_up(self) -> None:
        """Nobody waits any more."""
        self._is_given_up = True

    def check(self) -> None:
        """Raise :class:`TooLate` where nobody waits for the work any more: it is not to begin."""
        if self._is_given_up:
            raise TooLate


class Threads:
    """Runs work in ``count`` threads; what waits longer than it may is taken out of the queue."""

    def __init__(self, count: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, work: Callable[[Turn], _T], seconds: float) -> _T:
        """What ``work`` gives. Raises what it raises, or :class:`TooLate`.

        Once begun it is waited for, whatever the time: nobody is told that something was not done
        which then is. A caller that is cancelled does not stop it, but work that has not come as
        far as :meth:`Turn.check` by then stops there.
        """
        turn = Turn(seconds)

        def begin() -> _T:
            if not turn.left:
                raise TooLate
            return work(turn)

        asked = self._executor.submit(begin)
        waiting = asyncio.wrap_future(asked)
        try:
            await asyncio.wait({waiting}, timeout=turn.left)
            if not asked.cancel():
                await asyncio.wait({waiting})
        except asyncio.CancelledError:
            turn.give_up()
            waiting.cancel()
            raise
        if asked.cancelled():
            raise TooLate
        return waiting.result()

    def begin_to_close(self) -> None:
        """Begin nothing any more; who waits gets :class:`TooLate`."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """The same, and wait for what has begun. Blocks."""
        self._executor.shutdown(wait=True, cancel_futures=True)
