"""uvicorn, made to stop gently and to have no patience with slow clients."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from hyperfocal.errors import SettingsError
from hyperfocal.server.connection import PatientFor
from hyperfocal.server.descriptors import AT_ONCE, room_for

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hyperfocal.server.service import Service
    from hyperfocal.server.settings import ServerSettings

_log = logging.getLogger(__name__)
_KEEP_ALIVE_SECONDS = 15
_CLOSING_SECONDS = 5
_TICK = 0.05
_WAITING = 1024


class Server(uvicorn.Server):
    """Stops in two steps: takes no new work but finishes the old, then closes the door.

    Until the door is closed ``/readyz`` tells that no work is taken. A second signal stops at
    once. ``on_listening`` is told the address once clients may connect.
    """

    def __init__(
        self,
        app: FastAPI,
        settings: ServerSettings,
        on_listening: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(_config(app, settings))
        self._application, self._settings = app, settings
        self._on_listening = on_listening
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def service(self) -> Service | None:
        """What the application runs; None before it has started."""
        return getattr(self._application.state, "service", None)

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Begin to listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        for door in sockets or ():
            # Many may wait there, though few are let in at a time.
            door.listen(_WAITING)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            host = self._settings.host
            self._on_listening(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop; also where the models could not be loaded."""
        service = self.service
        if service is not None and service.failure is not None:
            return True
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal to stop."""
        self.stop(at_once=self._draining is not None)

    def stop(self, *, at_once: bool = False) -> None:
        """Stop, gently unless told otherwise; may be called from a signal or another thread."""
        if self._loop is None or at_once:
            # Requests are cancelled; the workers are ended all the same.
            self.config.timeout_graceful_shutdown = 1
            self.should_exit = True
            return
        self._loop.call_soon_threadsafe(self._begin_to_stop)

    def _begin_to_stop(self) -> None:
        if self._draining is None:
            self._draining = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        service = self.service
        if service is not None:
            _log.info("stopping", extra={"fields": {"in_progress": service.in_progress}})
            service.draining = True
            loop = asyncio.get_running_loop()
            end = loop.time() + self._settings.drain_seconds
            while self._is_busy() and loop.time() < end:
                await asyncio.sleep(_TICK)
            # For what began since then; what did not end in time is not given much more.
            left = min(_CLOSING_SECONDS, math.ceil(end - loop.time()))
            self.config.timeout_graceful_shutdown = max(1, left)
        self.should_exit = True

    def _is_busy(self) -> bool:
        """Whether a request is still coming, being worked on, or being answered.

        Those that follow a job are among them; they are sent away by themselves.
        """
        return any(
            isinstance(connection, PatientFor) and connection.is_busy
            for connection in self.server_state.connections
        )


def _config(app: FastAPI, settings: ServerSettings) -> uvicorn.Config:
    limits = {"seconds": settings.body_seconds, "most": room_for(settings.max_connections)}
    protocol = type("Protocol", (PatientFor,), limits)
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=protocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Forwarded addresses are read by the application, as far as its settings trust them.
        proxy_headers=False,
        backlog=AT_ONCE,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_CLOSING_SECONDS,
    )


def serve(app: FastAPI, settings: ServerSettings, on_listening: Callable[[str], None]) -> None:
    """Answer requests until told to stop by SIGTERM or SIGINT.

    Raises :class:`HyperfocalError` where the service could not start, :class:`SettingsError`
    where the address cannot be listened on.
    """
    server = Server(app, settings, on_listening)
    door = _bind(settings)
    try:
        server.run(sockets=[door])
    except SystemExit:
        # uvicorn has logged it; why, the application knows.
        failure = getattr(app.state, "failure", None)
        if failure is None:
            raise
        raise failure from None
    finally:
        door.close()
    if server.service is not None and server.service.failure is not None:
        raise server.service.failure


def _bind(settings: ServerSettings) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address, family=family, backlog=_WAITING)
    except OSError as error:
        raise SettingsError(
            f"{settings.host}, port {settings.port}, cannot be listened on: {error.strerror}"
        ) from error
