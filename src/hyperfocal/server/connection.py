"""One connection: uvicorn's protocol, with limits on what a client may do before its request."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

from hyperfocal.server.parser import Parser
from hyperfocal.server.problems import MEDIA_TYPE, no_http
from hyperfocal.server.reader import Reader

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

RESERVE = 64
"""Connections beyond the limit that are still told why nobody serves them."""

_CROWDED_SECONDS = 1.0
# How often it is looked whether something takes too long.
_LOOK_SECONDS = 1.0

_log = logging.getLogger(__name__)


class PatientFor(H11Protocol):
    """Closes a connection that takes too long to send a request's head, or to read an answer.

    uvicorn itself waits for ever for the first head, and starts anew with every byte after that. A
    client that reads nothing of its answer for as long is given up.

    A connection beyond ``most`` is told so by the application, as everything else is, if it asks
    for something within a second; one beyond the ``RESERVE``, too, is closed at once, so that
    there is an end to the descriptors that idle clients hold.

    What was read at once is parsed in turns, see :class:`Parser`: meanwhile nothing more is read,
    and other connections get theirs.
    """

    seconds, most = 30.0, 512
    conn: Parser
    flow: Flow
    reader: Reader
    _turn: asyncio.Handle | None = None
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
        self.conn = Parser()

    @property
    def is_busy(self) -> bool:
        """Whether a request is not answered yet, or its client has not taken all of the answer."""
        if self._is_answering() or self._turn is not None:
            return True
        return self.transport.get_write_buffer_size() > 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self.flow = Flow(transport)
        beyond = len(self.connections) - self.most
        if beyond > RESERVE:
            transport.abort()
            return
        if beyond > 0:
            self.app_state = {**self.app_state, "crowded": True}
            self.seconds = min(self.seconds, _CROWDED_SECONDS)
        self._since = time.monotonic()
        self.reader = Reader(transport.get_extra_info("socket"), self._since)
        # For who makes the answers: what is given up needs no more of them.
        self.app_state = {**self.app_state, "reader": self.reader}
        self._watch_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or was closed."""
        if self._watch is not None:
            self._watch.cancel()
        if self._turn is not None:
            self._turn.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """The system has taken what was waiting."""
        self.reader.takes(time.monotonic())
        super().resume_writing()

    def handle_events(self) -> None:
        """Parse for one turn what has come; the rest when others have had theirs."""
        if self.transport.is_closing():
            return
        self.conn.begin_turn()
        super().handle_events()
        if not self.conn.has_more:
            self.flow.release()
            return
        # Even where it was held already: there are places where reading is resumed past the flow.
        self.flow.hold()
        if self._turn is None:
            self._turn = self.loop.call_soon(self._next_turn)

    def on_response_complete(self) -> None:
        """The next head may begin."""
        self._since = time.monotonic()
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
        if self.conn.complaint is not None:
            body = json.dumps({**json.loads(body), "detail": self.conn.complaint}).encode()
        headers = [
            ("content-type", MEDIA_TYPE),
            ("content-length", str(len(body))),
            ("x-request-id", request_id),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("connection", "close"),
        ]
        answer = h11.Response(status_code=status, headers=headers, reason=status.phrase)
        content = () if self._is_head_asked_for() else (h11.Data(data=body),)
        try:
            for event in (answer, *content, h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        finally:
            self.transport.close()

    def _is_head_asked_for(self) -> bool:
        """Whether an answer that now begins is one to HEAD, which has no body."""
        return self._is_answering() and self.cycle.scope["method"] == "HEAD"

    def _next_turn(self) -> None:
        self._turn = None
        try:
            self.handle_events()
        except Exception:  # noqa: BLE001 - nobody else would close it
            _log.exception("a connection is closed: what came over it could not be handled")
            self.transport.abort()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch_on(self) -> None:
        self._watch = self.loop.call_later(min(_LOOK_SECONDS, self.seconds / 4), self._look)

    def _look(self) -> None:
        now = time.monotonic()
        late = now - self.seconds
        if waiting := self.transport.get_write_buffer_size():
            self.reader.look(now, waiting)
        else:
            self.reader.takes(now)
        if self.reader.at < late:
            self.reader.is_given_up = True
            self.transport.abort()
            return
        if not self._is_answering() and self._since < late:
            self.transport.close()
        self._watch_on()


class Flow(FlowControl):
    """Pauses reading for whoever works on a body, and while what was read is still parsed."""

    _is_held = False

    def hold(self) -> None:
        """Read nothing until :meth:`release`, whoever could take it."""
        self._is_held = True
        self._transport.pause_reading()

    def release(self) -> None:
        """Read again, unless somebody else has paused it."""
        if self._is_held:
            self._is_held = False
            if not self.read_paused:
                self._transport.resume_reading()

    def resume_reading(self) -> None:
        """What came can be taken."""
        if self._is_held:
            self.read_paused = False
        else:
            super().resume_reading()
