"""uvicorn, made to stop gently and to have no patience with slow clients."""

from __future__ import annotations

import asyncio
import logging
import socket
import uuid
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from hyperfocal.errors import SettingsError
from hyperfocal.server.problems import MEDIA_TYPE, no_http

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hyperfocal.server.service import Service
    from hyperfocal.server.settings import ServerSettings

_log = logging.getLogger(__name__)
_HEAD_BYTES = 32 * 1024
_KEEP_ALIVE_SECONDS = 15
_TICK = 0.05
_BACKLOG = 1024


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
            while service.in_progress and loop.time() < end:
                await asyncio.sleep(_TICK)
        self.should_exit = True


class PatientFor(H11Protocol):
    """Closes a connection that takes too long to send a request's head.

    uvicorn itself waits for ever for the first, and starts anew with every byte after that. A
    connection beyond ``most`` is told so by the application, as everything else is.
    """

    seconds, most = 30.0, 512
    _watch: asyncio.TimerHandle | None = None
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self.app_state = {**self.app_state, "crowded": True}
        self._since = self.loop.time()
        self._watch_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or was closed."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """The next head may begin."""
        self._since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as everything else is answered: with a problem document."""
        if self.cycle is not None and not self.cycle.response_complete:
            # Whatever works on the request's beginning must not answer it, too.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            # Rubbish behind an answer that has begun: a second one would only confuse.
            self.transport.close()
            return
        request_id = uuid.uuid4().hex
        body = no_http(request_id)
        headers = [
            ("content-type", MEDIA_TYPE),
            ("content-length", str(len(body))),
            ("x-request-id", request_id),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("connection", "close"),
        ]
        answer = h11.Response(status_code=400, headers=headers, reason="Bad Request")
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch_on(self) -> None:
        self._watch = self.loop.call_later(self.seconds / 4, self._look)

    def _look(self) -> None:
        busy = self.cycle is not None and not self.cycle.response_complete
        late = self.loop.time() - self._since > self.seconds
        if self.transport.is_closing() and late:
            # What is still to be sent, nobody takes.
            self.transport.abort()
            return
        if not busy and late:
            self.transport.close()
        self._watch_on()


def _config(app: FastAPI, settings: ServerSettings) -> uvicorn.Config:
    limits = {"seconds": settings.body_seconds, "most": settings.max_connections}
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
        h11_max_incomplete_event_size=_HEAD_BYTES,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(min(settings.drain_seconds, 5))),
    )


def serve(app: FastAPI, settings: ServerSettings, on_listening: Callable[[str], None]) -> None:
    """Answer requests until told to stop by SIGTERM or SIGINT.

    Raises :class:`HyperfocalError` where the service could not start, :class:`SettingsError`
    where the address cannot be listened on.
    """
    door = _bind(settings)
    server = Server(app, settings, on_listening)
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
        return socket.create_server(address, family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"{settings.host}, port {settings.port}, cannot be listened on: {error.strerror}"
        ) from error
