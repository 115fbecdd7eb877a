"""The loop of the server, and its end: no more requests, and some time for answers in progress."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.server import BaseWSGIServer

GRACE_SECONDS = 5.0
# For threads whose connections are closed already: they are told so within moments.
_THREADS_SECONDS = 2.0


class Loop:
    """``server``: of :func:`make_server`. ``give_up``: called when the time is over, ends what
    threads wait for. ``grace``: seconds for answers in progress.

    waitress' own end leaves its loop at once, and what has not been sent by then is lost.
    """

    def __init__(self, server: Any, *, give_up: Callable[[], None], grace: float) -> None:
        # With one address it is a server, with several it is what holds their sockets.
        self._map: dict[int, Any] = server.map if hasattr(server, "map") else server._map
        self._listening = [each for each in self._map.values() if isinstance(each, BaseWSGIServer)]
        self._server, self._give_up, self._grace = server, give_up, grace
        # Plain, as a signal may come while another one is handled, and locks would wait for that.
        self._stopping = self._hurried = False

    def stop(self) -> None:
        """End it, from a signal or another thread; at once where it was told before."""
        self._hurried = self._stopping
        self._stopping = True
        # So that it looks; it may have ended already.
        with contextlib.suppress(OSError):
            self._listening[0].pull_trigger()

    def run(self) -> None:
        """Serve until told to stop."""
        every = self._server.adj.asyncore_loop_timeout
        while not self._stopping:
            self._turn(every)
        for each in self._listening:
            # Of the server, only the door: connections still need what wakes the loop.
            wasyncore.dispatcher.close(each)
        ends = time.monotonic() + self._grace
        while self._is_busy() and (left := ends - time.monotonic()) > 0:
            if self._hurried:
                break
            self._turn(min(every, left))
        for channel in self._channels():
            channel.hang_up()
        self._give_up()
        self._server.task_dispatcher.shutdown(timeout=_THREADS_SECONDS)
        wasyncore.close_all(self._map)

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(
            timeout=seconds, use_poll=self._server.adj.asyncore_use_poll, map=self._map, count=1
        )

    def _channels(self) -> list[Any]:
        return [
            channel for each in self._listening for channel in list(each.active_channels.values())
        ]

    def _is_busy(self) -> bool:
        """Whether anybody still gets an answer; who does not is closed, as none will come."""
        for channel in self._channels():
            if not channel.is_busy:
                channel.handle_close()
        return any(channel.is_busy for channel in self._channels())
