"""Requests to the API, streamed there and back, given up when nobody waits for them any more."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, TypeVar

from waitress.channel import ClientDisconnected

from hyperfocal.web.incoming import Incoming
from hyperfocal.web.problems import no_address, too_large, too_slow, unreachable

if TYPE_CHECKING:
    import httpx

    from hyperfocal.web.settings import WebSettings

T = TypeVar("T")

_PIECE = 256 * 1024
# Of an answer, in the buffers of the system. It tells the API that there is room again only when
# a good part of them is empty, and they grow to megabytes by themselves: for a visitor on a slow
# line that is minutes, in which the API would seem to have nobody who reads. So few still let some
# tens of megabytes a second through.
_RECEIVED_BYTES = 64 * 1024
# How long a client that has gone keeps the API at work.
_LOOK_SECONDS = 0.5


class Gone(ClientDisconnected):  # type: ignore[misc]
    """Given up: the client has left, or the server ends. waitress makes no noise about it."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: ``address`` is path and query, ``length`` the bytes of the body if known.

    ``is_gone``: whether the client has left.
    """

    method: str
    address: str
    headers: list[tuple[str, str]]
    body: IO[bytes] | Incoming | None
    length: int | None
    is_gone: Callable[[], bool]


class Upstream:
    """The API. Threads ask; the asking is done by one event loop, where it can be cancelled.

    A thread that waits in a plain client cannot be told that its browser has gone, and the API
    would go on working for nobody.
    """

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._lock, self._ended = threading.Lock(), False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="api", daemon=True)
        self._thread.start()
        self._client = self.wait(self._open(), lambda: False)

    def send(self, ask: Ask) -> Answer:
        """The head of the answer, with the body to come.

        Raises :class:`Refused` (400, 413, 502, 504), :class:`Gone`.
        """
        return Answer(self, self.wait(self._send(ask), ask.is_gone), ask.is_gone)

    def close(self) -> None:
        """Give up whatever is in progress: who waits for it, or asks later, gets :class:`Gone`.

        Nothing happens the second time.
        """
        with self._lock:
            was_ended, self._ended = self._ended, True
        if was_ended:
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait(self, work: Coroutine[Any, Any, T], is_gone: Callable[[], bool]) -> T:
        """The outcome of ``work`` on the loop.

        :class:`Gone` where it is given up: as soon as ``is_gone`` says so, or by :meth:`close`.
        """
        with self._lock:
            if self._ended:
                work.close()
                raise Gone
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        while not concurrent.futures.wait([future], timeout=_LOOK_SECONDS).done:
            if is_gone():
                future.cancel()
                raise Gone
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise Gone from None

    async def _end(self) -> None:
        # What is cancelled still closes its connection, for which it needs the loop.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.aclose()
        await asyncio.get_running_loop().shutdown_asyncgens()

    async def _open(self) -> httpx.AsyncClient:
        import httpx

        transport = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=16),
            # The address of the API is what was set, whatever proxies the machine has.
            trust_env=False,
            socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED_BYTES)],
        )
        return httpx.AsyncClient(
            base_url=self._settings.api,
            # Reading is limited by _in_time, which knows what may take long.
            timeout=httpx.Timeout(None, connect=self._settings.connect_seconds),
            transport=transport,
            follow_redirects=False,
            trust_env=False,
        )

    async def _send(self, ask: Ask) -> httpx.Response:
        import httpx

        # httpx adds headers of its own where there are none; the client's count.
        headers = [*ask.headers]
        names = {name.lower() for name, _ in headers}
        headers += [(name, "") for name in ("accept-encoding", "user-agent") if name not in names]
        if ask.length is not None:
            headers.append(("content-length", str(ask.length)))
        # As the bytes they came as: httpx takes text for ASCII.
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        clock = _Clock(self._settings.answer_seconds)
        content = self._pieces(ask.body, clock) if ask.body is not None else None
        try:
            request = self._client.build_request(
                ask.method, ask.address, headers=raw, content=content
            )
        except httpx.InvalidURL as error:
            raise no_address() from error
        response: httpx.Response = await self._in_time(
            self._client.send(request, stream=True), clock
        )
        return response

    async def _pieces(self, body: IO[bytes] | Incoming, clock: _Clock) -> AsyncIterator[bytes]:
        count, most = 0, self._settings.max_body
        while True:
            if isinstance(body, Incoming):
                # How long the client takes is not the API's fault.
                clock.stop()
                piece = await body.read()
                clock.start()
            else:
                piece = body.read(_PIECE)
            if not piece:
                return
            count += len(piece)
            if count > most:
                raise too_large(most)
            yield piece

    async def next_piece(self, response: httpx.Response, pieces: AsyncIterator[bytes]) -> bytes:
        """What has come of the body since; empty at its end."""
        # An API that is gone without a word never ends them, and the page would wait for ever.
        events = response.headers.get("content-type", "").startswith("text/event-stream")
        limit = self._settings.events_seconds if events else self._settings.answer_seconds
        piece: bytes = await self._in_time(anext(pieces, b""), _Clock(limit))
        return piece

    async def _in_time(self, work: Awaitable[Any], clock: _Clock) -> Any:
        import httpx

        try:
            async with clock.run():
                return await work
        except (TimeoutError, httpx.TimeoutException) as error:
            raise too_slow() from error
        except httpx.TransportError as error:
            raise unreachable() from error


class Answer:
    """What the API answered; iterating gives the body as it comes, close() ends it early."""

    def __init__(
        self, upstream: Upstream, response: httpx.Response, is_gone: Callable[[], bool]
    ) -> None:
        self.status: int = response.status_code
        self.headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in response.headers.raw
        ]
        self._upstream, self._response, self._is_gone = upstream, response, is_gone
        # Raw: a compressed answer stays as it is, and so does its length.
        self._pieces = response.aiter_raw()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = self._upstream.wait(
            self._upstream.next_piece(self._response, self._pieces), self._is_gone
        )
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Hang up, unless all has come."""
        # At the end of all, closing it is among what is given up.
        with contextlib.suppress(Gone):
            self._upstream.wait(self._response.aclose(), lambda: False)


class _Clock:
    """How long the API may keep silent."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(None)

    def run(self) -> asyncio.Timeout:
        """A block that raises :class:`TimeoutError` when it was silent for too long."""
        self._timeout = asyncio.timeout(self._seconds)
        return self._timeout

    def stop(self) -> None:
        """It has nothing to do."""
        self._timeout.reschedule(None)

    def start(self) -> None:
        """From now on it has."""
        self._timeout.reschedule(asyncio.get_running_loop().time() + self._seconds)
