"""Reading HTTP in turns, so that no connection holds up others, and refusing what costs most."""

from __future__ import annotations

import re
import time

import h11

HEAD_BYTES = 32 * 1024
EVENTS_A_TURN = 256
"""What is parsed in one go: one to two milliseconds."""

# What is given to h11 at once: it takes a head of any length that it is given whole.
_PIECE = 32 * 1024
_FIELDS = 200
# A chunk costs as much as a few kilobytes do, however small it is. Programs send a few tiny ones,
# around the parts of a form or at the end, or many slowly; nobody sends thousands at once.
_CHUNKS = 1000
_CHUNKS_A_SECOND = 100
_CHUNK_BYTES = 64
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#@]+)(?=[/?]|$)")
_END_OF_HEAD = re.compile(rb"\n\r?\n")


class Parser(h11.Connection):
    """Reads HTTP; addresses that name the server, too, are given on without it.

    Such an address, ``http://host/path``, is as good as ``/path`` (RFC 9112, 3.2.2), and what it
    says goes before the header ``Host``.

    Once :data:`EVENTS_A_TURN` events were read, no more are until :meth:`begin_turn`;
    ``has_more``: that is why the last was ``NEED_DATA``. ``is_head_too_large``, ``complaint``: why
    the last could not be read, where that is known.
    """

    has_more = False
    is_head_too_large = False
    complaint: str | None = None

    def __init__(self) -> None:
        super().__init__(h11.SERVER, HEAD_BYTES)
        self._left = EVENTS_A_TURN
        self._unread = memoryview(b"")
        self._chunks = self._bytes = 0
        self._since = 0.0

    def begin_turn(self) -> None:
        """Let some more be read."""
        self._left, self.has_more = EVENTS_A_TURN, False

    def receive_data(self, data: bytes) -> None:
        """What has come is read when it is its turn."""
        if self._unread:
            data = bytes(self._unread) + data
        self._unread = memoryview(data)

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """What the client sent next. Raises :class:`h11.RemoteProtocolError`."""
        if not self._left:
            self.has_more = True
            return h11.NEED_DATA
        self._left -= 1
        try:
            return self._next()
        except h11.RemoteProtocolError as error:
            self.is_head_too_large = error.error_status_hint == 431
            raise

    def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        self._check_fields()
        while (event := super().next_event()) is h11.NEED_DATA and self._unread:
            super().receive_data(bytes(self._unread[:_PIECE]))
            self._unread = self._unread[_PIECE:]
            self._check_fields()
        if isinstance(event, h11.Request):
            self._chunks = self._bytes = 0
            self._since = time.monotonic()
            return _in_origin_form(event)
        if isinstance(event, h11.Data):
            self._count(event)
        elif isinstance(event, h11.EndOfMessage) and len(event.headers) > _FIELDS:
            self._refuse("too many fields behind the body", 400)
        return event

    def _check_fields(self) -> None:
        """Refuse a head of many fields, each of which costs as much as a hundred bytes do."""
        if self.their_state is not h11.IDLE:
            return
        head, _ = self.trailing_data
        # Not even the shortest lines could be so many.
        if len(head) < 3 * _FIELDS:
            return
        end = _END_OF_HEAD.search(head)
        if head.count(b"\n", 0, end.start() if end else len(head)) > _FIELDS:
            self._refuse("too many fields in the head", 431)

    def _count(self, data: h11.Data) -> None:
        self._chunks += data.chunk_end
        self._bytes += len(data.data)
        if self._chunks <= _CHUNKS + self._bytes // _CHUNK_BYTES:
            return
        seconds = time.monotonic() - self._since
        if self._chunks > _CHUNKS + self._bytes // _CHUNK_BYTES + _CHUNKS_A_SECOND * seconds:
            self._refuse("the body comes in too many chunks, of a few bytes each", 400)

    def _refuse(self, complaint: str, status: int) -> None:
        self.complaint = complaint
        raise h11.RemoteProtocolError(complaint, error_status_hint=status)


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
