"""One connection: uvicorn's protocol, with limits on what a client may do before its request."""

from __future__ import annotations

import asyncio
import re
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from hyperfocal.server.problems import MEDIA_TYPE, no_http

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

RESERVE = 64
"""Connections beyond the limit that are still told why nobody serves them."""

_HEAD_BYTES = 32 * 1024
_CROWDED_SECONDS = 1.0
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#@]+)(?=[/?]|$)")


class PatientFor(H11Protocol):
    """Closes a connection that takes too long to send a request's head.

    uvicorn itself waits for ever for the first, and starts anew with every byte after that. A
    connection beyond ``most`` is told so by the application, as everything else is, if it asks
    for something within a second; one beyond the ``RESERVE``, too, is closed at once, so that
    there is an end to the descriptors that idle clients hold.
    """

    seconds, most = 30.0, 512
    conn: Parser
    _watch: asyncio.TimerHandle | None = None
    _since = 0.0

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = Parser(h11.SERVER, _HEAD_BYTES)

    @property
    def is_busy(self) -> bool:
        """Whether a request is not answered yet, or its client has not taken all of the answer."""
        return self._is_answering() or self.transport.get_write_buffer_size() > 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        beyond = len(self.connections) - self.most
        if beyond > RESERVE:
            transport.abort()
            return
        if beyond > 0:
            self.app_state = {**self.app_state, "crowded": True}
            self.seconds = min(self.seconds, _CROWDED_SECONDS)
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
        if self._is_answering():
            # Whatever works on the request's beginning must not answer it, too.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            # Rubbish behind an answer that has begun: a second one would only confuse.
            self.transport.close()
            return
        status = HTTPStatus(431 if self.conn.is_head_too_large else 400)
        request_id = uuid.uuid4().hex
        body = no_http(status, request_id)
        headers = [
            ("content-type", MEDIA_TYPE),
            ("content-length", str(len(body))),
            ("x-request-id", request_id),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("connection", "close"),
        ]
        answer = h11.Response(status_code=status, headers=headers, reason=status.phrase)
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch_on(self) -> None:
        self._watch = self.loop.call_later(self.seconds / 4, self._look)

    def _look(self) -> None:
        late = self.loop.time() - self._since > self.seconds
        if self.transport.is_closing() and late:
            # What is still to be sent, nobody takes.
            self.transport.abort()
            return
        if not self._is_answering() and late:
            self.transport.close()
        self._watch_on()


class Parser(h11.Connection):
    """Reads HTTP; addresses that name the server, too, are given on without it.

    Such an address, ``http://host/path``, is as good as ``/path`` (RFC 9112, 3.2.2), and what it
    says goes before the header ``Host``. ``is_head_too_large``: why the last could not be read.
    """

    is_head_too_large = False

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """What the client sent next. Raises :class:`h11.RemoteProtocolError`."""
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            self.is_head_too_large = error.error_status_hint == 431
            raise
        return _in_origin_form(event) if isinstance(event, h11.Request) else event


def _in_origin_form(request: h11.Request) -> h11.Request:
    match = _ABSOLUTE.match(request.target)
    if match is None:
        return request
    path = request.target[match.end() :]
    others = [(name, value) for name, value in request.headers if name != b"host"]
    return h11.Request(
        method=request.method,
        target=path if path.startswith(b"/") else b"/" + path,
        headers=[(b"host", match[1]), *others],
        http_version=request.http_version,
    )
