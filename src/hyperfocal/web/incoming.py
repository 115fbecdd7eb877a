"""The body of a request that is passed on while it comes."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from functools import partial

from hyperfocal.web.problems import Refused

WAITING_BYTES = 1024 * 1024
"""What may have come and not been passed on before nothing more is taken from the client."""


class Incoming:
    """Filled by the loop of the server, read by the loop that asks the API.

    It stands in for waitress' own buffer. ``on_room``: called when there is room again after it
    was full; ``on_over``: called once, when nothing more will come or is wanted.
    """

    def __init__(
        self, begun: bytes, *, on_room: Callable[[], None], on_over: Callable[[], None]
    ) -> None:
        self._lock = threading.Lock()
        self._pieces = deque([begun] if begun else [])
        self._held = self._count = len(begun)
        self._on_room, self._on_over = on_room, on_over
        self._wake: Callable[[], None] = _nothing
        self._failure: Refused | None = None
        self.is_over = False
        self.is_whole = False

    def __len__(self) -> int:
        """Bytes that have come."""
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether the API has to take some of it first."""
        return self._held > WAITING_BYTES

    def getfile(self) -> Incoming:
        """What the application gets as the body."""
        return self

    def append(self, data: bytes) -> None:
        """Some more has come; dropped where it is not wanted any more."""
        with self._lock:
            if self.is_over:
                return
            self._pieces.append(data)
            self._held += len(data)
            self._count += len(data)
            self._wake()

    def finish(self, failure: Refused | None = None) -> None:
        """Nothing more will come; ``failure``: why not all of it did, raised to the reader."""
        with self._lock:
            if self.is_over:
                return
            self.is_over, self.is_whole, self._failure = True, failure is None, failure
            self._wake()
        self._on_over()

    def close(self) -> None:
        """Nobody reads it any more."""
        with self._lock:
            self._pieces.clear()
            self._held = 0
            was_over, self.is_over = self.is_over, True
        if not was_over:
            self._on_over()

    async def read(self) -> bytes:
        """What has come since, as soon as there is anything; empty at the end.

        Raises :class:`Refused` where it has failed.
        """
        while True:
            with self._lock:
                if self._failure is not None:
                    raise self._failure
                if self._pieces:
                    was_full = self.is_full
                    data = b"".join(self._pieces)
                    self._pieces.clear()
                    self._held = 0
                    break
                if self.is_over:
                    return b""
                come = asyncio.Event()
                self._wake = partial(_set, asyncio.get_running_loop(), come)
            await come.wait()
        if was_full:
            self._on_room()
        return data


def _set(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    # A loop that has ended has nobody waiting.
    if not loop.is_closed():
        loop.call_soon_threadsafe(event.set)


def _nothing() -> None:
    pass
