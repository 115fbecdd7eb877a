"""Requests, one or many at once, and what came of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx


@dataclass(frozen=True)
class Sent:
    """A request that has ended.

    ``status``: HTTP's, or 0 where the connection broke; ``code``: of the problem document, or the
    name of the client's error; ``seconds``: since it was due, which with open-loop arrivals may
    be before it could be sent.
    """

    status: int
    code: str
    seconds: float
    retry_after: str | None = None
    content: bytes = b""


Request = Callable[[], Awaitable[Sent]]


def connect(url: str) -> httpx.AsyncClient:
    """A client that opens as many connections as it needs."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=5)
    return httpx.AsyncClient(base_url=url, limits=limits, timeout=120, trust_env=False)


async def post(
    client: httpx.AsyncClient,
    address: str,
    picture: bytes,
    *,
    due: float | None = None,
    keep: bool = False,
) -> Sent:
    """Send a picture; never raises. ``keep``: the answer's content, too."""
    began = time.perf_counter() if due is None else due
    try:
        answer = await client.post(address, content=picture)
    except httpx.HTTPError as error:
        return Sent(0, type(error).__name__, time.perf_counter() - began)
    seconds = time.perf_counter() - began
    code = "" if answer.is_success else str(answer.json().get("code"))
    retry = answer.headers.get("retry-after")
    return Sent(answer.status_code, code, seconds, retry, answer.content if keep else b"")


async def closed_loop(
    request: Request, count: int, clients: int, on_done: Callable[[int], None] | None = None
) -> tuple[list[Sent], float]:
    """``count`` requests by so many clients, each sending its next when it has its answer.

    ``on_done`` is told how many have ended. Gives what came of them and the seconds it took.
    """
    left, sent = iter(range(count)), []

    async def one_client() -> None:
        for _ in left:
            sent.append(await request())
            if on_done is not None:
                on_done(len(sent))

    began = time.perf_counter()
    await asyncio.gather(*(one_client() for _ in range(clients)))
    return sent, time.perf_counter() - began


async def open_loop(
    request: Callable[[float], Awaitable[Sent]], rate: float, seconds: float, seed: int
) -> list[Sent]:
    """Requests at random moments, ``rate`` a second on average, whatever becomes of them.

    ``request`` is called with the moment at which it was due.
    """
    chance = random.Random(seed)
    began = time.perf_counter()
    due, sending = began + chance.expovariate(rate), []
    while due < began + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sending.append(asyncio.ensure_future(request(due)))
        due += chance.expovariate(rate)
    return list(await asyncio.gather(*sending))


def counted(sent: Sequence[Sent]) -> dict[str, int]:
    """How often each status came, with the code where it was an error."""
    found = Counter(f"{one.status} {one.code}".strip() for one in sent)
    return dict(sorted(found.items()))
