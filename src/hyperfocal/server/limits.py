"""Limits on how much a client may send, how slowly, and how often."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from hyperfocal.errors import HyperfocalError
from hyperfocal.server.errors import BodyTooLarge, BodyTooSlow, RateLimited
from hyperfocal.server.problems import respond

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# For how long the rest of a refused body is read and thrown away: a client that is still sending
# when the connection is closed never gets to read why.
_LINGER_SECONDS = 3.0
_IDENTITIES = 50_000


class BodyLimits:
    """ASGI middleware: bytes and seconds of a body, and an end to answers that nobody reads.

    Counted as the bytes come, whatever was declared: :class:`BodyTooLarge`. All of it must have
    come ``seconds`` after the head: :class:`BodyTooSlow`. Once one of the two has happened, that
    is the answer, whatever the application makes of it. For a client that the connection has
    given up (:class:`Reader`) an answer breaks off.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, seconds: float) -> None:
        self._app, self._max_bytes, self._seconds = app, max_bytes, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, send, self._max_bytes, self._seconds)
        if body.declared > self._max_bytes:
            await body.refuse(body.too_large())
            return
        await self._app(scope, body.receive, body.send)


class _Body:
    """One request's body on its way in, and the answer on its way out."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, max_bytes: int, seconds: float
    ) -> None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        self.declared = int(length) if length.isascii() and length.isdigit() else 0
        self._scope, self._receive, self._send = scope, receive, send
        self._max_bytes, self._seconds = max_bytes, seconds
        self._ends = asyncio.get_running_loop().time() + seconds
        self._received = 0
        self._complete = not self.declared and "transfer-encoding" not in headers
        # A client that waits to be told to go on sends nothing until somebody reads.
        self._on_its_way = headers.get("expect", "").lower() != "100-continue"
        self._fault: HyperfocalError | None = None
        self._refused = False
        self._started = False

    def too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"the request has more than the {self._max_bytes:,} bytes allowed (setting max_body)"
        )

    async def receive(self) -> Message:
        if self._fault is not None:
            raise self._fault
        if self._complete:
            return await self._receive()
        self._on_its_way = True
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError:
            self._fault = BodyTooSlow(
                f"the request did not arrive within {self._seconds:g} seconds "
                "(setting body_seconds)"
            )
            raise self._fault from None
        if message["type"] == "http.request":
            self._count(message)
            if self._received > self._max_bytes:
                self._fault = self.too_large()
                raise self._fault
        return message

    def _count(self, message: Message) -> None:
        self._received += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        self._scope.setdefault("state", {})["bytes_in"] = self._received

    async def send(self, message: Message) -> None:
        if self._fault is not None and not self._started and not self._refused:
            await self.refuse(self._fault)
        if self._refused:
            return
        await self._pass_on(message)

    async def refuse(self, error: HyperfocalError) -> None:
        self._refused = True
        response = respond(error, self._scope, {"connection": "close"})
        await response(self._scope, self._receive, self._pass_on)

    async def _pass_on(self, message: Message) -> None:
        self._started = True
        ends = message["type"] == "http.response.body" and not message.get("more_body", False)
        if ends and not self._complete and self._on_its_way:
            await self._write({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._write(message)

    async def _write(self, message: Message) -> None:
        await self._send(message)
        reader = self._scope.get("state", {}).get("reader")
        if reader is not None and reader.is_given_up:
            raise ConnectionAbortedError("the client does not read its answer")

    async def _linger(self) -> None:
        """Throw away what still comes, for a while and up to as much as a body may have."""
        ends = min(self._ends, asyncio.get_running_loop().time() + _LINGER_SECONDS)
        allowed = self._received + self._max_bytes
        try:
            async with asyncio.timeout_at(ends):
                while not self._complete and self._received <= allowed:
                    message = await self._receive()
                    if message["type"] != "http.request":
                        return
                    self._count(message)
        except TimeoutError:
            return


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Rate:
    """So many requests a minute for each identity, that many at once at most.

    ``now``: a clock in seconds. Of the identities, those seen last are remembered.
    """

    def __init__(self, a_minute: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._a_minute, self._now = a_minute, now
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, identity: str) -> None:
        """Count one request; :class:`RateLimited`, with ``retry_after``, where it is too many."""
        if not self._a_minute:
            return
        now = self._now()
        bucket = self._buckets.pop(identity, None) or _Bucket(self._a_minute, now)
        gained = (now - bucket.at) * self._a_minute / 60
        bucket.tokens = min(self._a_minute, bucket.tokens + gained)
        bucket.at = now
        self._buckets[identity] = bucket
        if len(self._buckets) > _IDENTITIES:
            self._buckets.popitem(last=False)
        if bucket.tokens < 1:
            raise RateLimited(
                f"more than {self._a_minute} requests a minute (setting rate); slow down",
                (1 - bucket.tokens) * 60 / self._a_minute,
            )
        bucket.tokens -= 1
