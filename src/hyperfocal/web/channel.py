"""A connection of waitress that has limits of time, passes bodies on while they come, and whose
refusals can be read."""

from __future__ import annotations

import logging
import socket
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hyperfocal.server.errors import SpoolFull
from hyperfocal.server.page import HEADERS
from hyperfocal.server.reader import Reader
from hyperfocal.web import rules
from hyperfocal.web.held import Held, Room
from hyperfocal.web.incoming import WAITING_BYTES, Incoming
from hyperfocal.web.problems import MEDIA_TYPE, Refused, too_large, too_late, too_many_uploads

if TYPE_CHECKING:
    from hyperfocal.web.settings import WebSettings

# Bodies up to this size are taken whole before a thread is spent on them, in memory.
WHOLE_BYTES = 256 * 1024
# Not sent, in the buffers of the system.
_WAITING_BYTES = 128 * 1024
_log = logging.getLogger(__name__)


def channel_class(settings: WebSettings) -> Any:
    """A class of connections with these limits."""
    from waitress.channel import HTTPChannel

    uploads = threading.BoundedSemaphore(settings.uploads)
    room = Room(settings.held * settings.max_body, settings.disk_reserve)

    class Channel(HTTPChannel):  # type: ignore[misc]
        """Takes a request within ``body_seconds``, and gives up who does not read for as long.

        A client that is still sending when the connection is closed never sees why it was refused.
        So only our side is closed, and what still comes is thrown away for a while.
        """

        task_class = _early_task()
        error_task_class = _problem_task(settings)
        request: Any = None
        was_refused = False
        _thrown_away: int | None = None
        _incoming: Incoming | None = None
        # When this request began to come, or the one before was answered.
        _since = 0.0
        # Whether a request waits until the answers before it have been taken.
        _is_waiting = False

        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            _keep_waiting_low(self.socket)
            self._since = time.monotonic()
            self._reader = Reader(self.socket, self._since)

        def received(self, data: bytes) -> bool:
            """Some more of a request has come."""
            if self._thrown_away is not None:
                self._thrown_away += len(data)
                if self._thrown_away > settings.max_body:
                    self.hang_up()
                return False
            before = self.request
            if before is not None:
                self._hold(before)
            taken = bool(super().received(data))
            if before is None and self.request is not None:
                self._since = time.monotonic()
            if self._incoming is not None and before is not None and before.completed:
                self._finish(before)
            elif self.request is not None:
                self._pass_on(self.request)
            return taken

        def _finish(self, request: Any) -> None:
            incoming, self._incoming = self._incoming, None
            assert incoming is not None
            incoming.finish(_problem(request.error, settings) if request.error else None)

        def _pass_on(self, request: Any) -> None:
            """Begin to answer a request of which much is still to come."""
            body = request.body_rcv
            if self._incoming is not None or body is None or request.error:
                return
            # Where there was no thread to spare at first it is taken whole: it may be in a file.
            if not WHOLE_BYTES < len(body) <= WAITING_BYTES or not uploads.acquire(blocking=False):
                return
            with self.requests_lock:
                if self.requests or self.will_close or self.close_when_flushed:
                    uploads.release()
                    return
                held = body.buf
                self._incoming = request.incoming = body.buf = Incoming(
                    held.get(-1), on_room=self.server.pull_trigger, on_over=uploads.release
                )
                held.close()
                # As there is nothing to be done when it is complete.
                request.empty = True
                self.requests.append(request)
                self.server.add_task(self)

        def _hold(self, request: Any) -> None:
            """Put a body that cannot be passed on yet where it is counted with all the others."""
            body = request.body_rcv
            if body is None or isinstance(body.buf, Incoming | Held) or len(body) <= WHOLE_BYTES:
                return

            # Weak: the body has the buffer, and both have to go when the visitor does.
            owner = weakref.ref(body)

            def refuse() -> None:
                # As the errors that waitress finds in bodies: with what comes next it sees it.
                if (found := owner()) is not None:
                    found.error = _Full()

            begun = body.buf
            try:
                room.check_disk()
                body.buf = Held(room, refuse)
            except (SpoolFull, OSError) as error:
                _log.warning("a body cannot be kept: %s", error)
                refuse()
                return
            body.buf.append(begun.get(-1))
            begun.close()

        def readable(self) -> bool:
            """Whether more is taken from the client."""
            incoming = self._incoming
            return bool(super().readable()) and not (incoming is not None and incoming.is_full)

        def send_continue(self) -> None:
            """Ask for the body, unless there is no use for it."""
            if self.request.error is None:
                super().send_continue()

        def service(self) -> None:
            """Answer a request, once the answers before it have been sent.

            Or a client that asks many times and reads nothing would hold a thread.
            """
            with self.outbuf_lock:
                if self.connected and self.total_outbufs_len:
                    self._is_waiting = True
                    return
            super().service()
            self._since = time.monotonic()

        def handle_write(self) -> None:
            """Send some more; what has waited for that is answered."""
            super().handle_write()
            if not self.total_outbufs_len:
                self._go_on()

        def _go_on(self) -> None:
            if self._is_waiting:
                self._is_waiting = False
                self.server.add_task(self)

        def send(self, data: bytes, do_close: bool = True) -> int:
            """Send what the client takes at present."""
            sent = int(super().send(data, do_close=do_close))
            if sent:
                self._reader.takes(time.monotonic())
            return sent

        def write_soon(self, data: Any) -> int:
            """Take some more of an answer."""
            if not self.total_outbufs_len:
                # What has nothing to send is not waiting.
                self._reader.takes(time.monotonic())
            return int(super().write_soon(data))

        @property
        def is_busy(self) -> bool:
            """Whether somebody is being answered, or has asked at least."""
            request = self.request
            return bool(
                self.requests
                or self.total_outbufs_len
                or (request is not None and request.headers_finished)
                # It still has to read why it was refused.
                or self._thrown_away is not None
            )

        def look(self, now: float) -> None:
            """Called every now and then by the loop of the server."""
            late = now - settings.body_seconds
            if self.total_outbufs_len:
                self._reader.look(now)
                if self._reader.at < late:
                    # Not a mark for later: nothing of what a deaf client has is ever writable.
                    self.hang_up()
                return
            incoming = self._incoming
            if incoming is not None and not incoming.is_over:
                # Full, it is the API that is slow.
                if self._since < late and not incoming.is_full:
                    incoming.finish(too_late(settings.body_seconds))
                return
            # Of an answer that has just been given, the one may be known before the other.
            if self.requests or max(self._since, self._reader.at) >= late:
                return
            with self.requests_lock:
                request, self.request = self.request, None
            if request is None or not request.headers_finished or self._thrown_away is not None:
                if request is not None:
                    request.close()
                self.hang_up()
                return
            request.error = _TooLate()
            with self.requests_lock:
                self.requests.append(request)
            self.server.add_task(self)

        def hang_up(self) -> None:
            """Close at once."""
            super().handle_close()
            # Nothing is answered any more, but what was asked has to be thrown away.
            self._go_on()

        def handle_close(self) -> None:
            """Close, a refused client in two steps."""
            if self.was_refused and self._thrown_away is None:
                self._thrown_away = 0
                self._since = time.monotonic()
                self.will_close = self.close_when_flushed = False
                try:
                    self.socket.shutdown(socket.SHUT_WR)
                except OSError:
                    pass  # gone already
                else:
                    return
            self.hang_up()

    return Channel


def _keep_waiting_low(connection: socket.socket) -> None:
    """Have the system take little at a time of what the client cannot take yet.

    Otherwise that is megabytes, and then nothing until a third of them is read: from a slow client
    the API would seem to get no sign of life for minutes. A smaller SO_SNDBUF would limit what is
    on the way to a client far away, too; this does not.
    """
    # Where there is none nothing is lost but that.
    if option := getattr(socket, "TCP_NOTSENT_LOWAT", None):
        connection.setsockopt(socket.IPPROTO_TCP, option, _WAITING_BYTES)


def _early_task() -> Callable[..., Any]:
    from waitress.task import WSGITask

    class EarlyTask(WSGITask):  # type: ignore[misc]
        """An answer that may be given before all of the request has come, or be only a head."""

        def build_response_header(self) -> bytes:
            """What is still to come has no use, and can be no other request."""
            incoming = getattr(self.request, "incoming", None)
            if incoming is not None and not incoming.is_whole:
                self.set_close_on_finish()
                self.channel.was_refused = True
            head = bytes(super().build_response_header())
            if self.request.command == "HEAD":
                # Not even the end of one belongs behind it.
                self.chunked_response = False
            return head

    return EarlyTask


class _Full:
    """As the errors that waitress finds in requests."""

    code = 503
    reason = "Service Unavailable"
    body = ""


class _TooLate:
    """As above."""

    code = 408
    reason = "Request Timeout"
    body = ""


def _problem_task(settings: WebSettings) -> Callable[..., Any]:
    from waitress.task import ErrorTask

    class ProblemTask(ErrorTask):  # type: ignore[misc]
        """What the server itself refuses, told as the application would."""

        def execute(self) -> None:
            """Write the answer."""
            error = self.request.error
            problem = _problem(error, settings)
            name = rules.request_id(self.request.headers.get("X_REQUEST_ID"))
            body = problem.document(getattr(self.request, "path", "") or "/", name)
            self.status = f"{error.code} {error.reason}"
            self.response_headers.extend(
                [
                    *HEADERS.items(),
                    ("Content-Type", MEDIA_TYPE),
                    ("Content-Length", str(len(body))),
                    ("Cache-Control", "no-store"),
                    ("X-Request-ID", name),
                ]
            )
            if problem.retry_after is not None:
                self.response_headers.append(("Retry-After", str(problem.retry_after)))
            self.set_close_on_finish()
            self.content_length = len(body)
            self.channel.was_refused = True
            self.write(body)

    return ProblemTask


def _problem(error: Any, settings: WebSettings) -> Refused:
    if isinstance(error, _Full):
        return too_many_uploads()
    if error.code == 413:
        return too_large(settings.max_body)
    if error.code == 408:
        return too_late(settings.body_seconds)
    if error.code == 431:
        return Refused(431, "head-too-large", "the head of the request is too large")
    if error.code >= 500:
        return Refused(error.code, "internal", error.body)
    return Refused(error.code, "malformed", f"{error.reason}: {error.body}")
