"""Giving a request's picture to the pool, for as long as somebody waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from hyperfocal.errors import Cancelled, HyperfocalError
from hyperfocal.server.intake import Incoming, check_room
from hyperfocal.server.pool import Answer, Options, Task
from hyperfocal.server.security.caller import owner_of
from hyperfocal.server.served import Served
from hyperfocal.server.service import Service, service_of
from hyperfocal.server.spool import folder_of
from hyperfocal.server.store import request_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from hyperfocal.server.pool.task import Kind

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

# Seconds that an answer waits to be written down: a database that is locked must not hold it up.
_RECORDING = 2.0

RESULT = "result"
"""Name of the finished picture in the request's folder."""


@contextmanager
def in_progress(request: Request, *, is_prediction: bool = True) -> Iterator[Service]:
    """Around the handling of a picture: what is inside is finished before the service stops.

    ``is_prediction``: whether a picture is to come of it, for the metrics. Raises
    :class:`Draining`, :class:`QueueFull` or :class:`SpoolFull`, before a byte of the picture is
    read.
    """
    service = service_of(request)
    request.state.is_prediction = is_prediction
    check_room(request)
    service.in_progress += 1
    try:
        yield service
    finally:
        service.in_progress -= 1


async def restore(
    request: Request, incoming: Incoming, options: Options, kind: Kind = "upscale"
) -> Answer:
    """Have the picture worked on; the result lies in the request's folder as ``RESULT``.

    Only what is restored whole is counted and can be judged.
    Raises what the work raises, :class:`QueueFull`, :class:`DeadlinePassed`, and
    :class:`Cancelled` once the client has left: the work stops then.
    """
    service = service_of(request)
    output = None if kind == "estimate" else folder_of(request) / RESULT
    request.state.model = options.model
    request.state.served = service.metrics.expected(options.model, options.scale)

    def chosen(served: Served) -> None:
        request.state.model, request.state.served = served.model, served

    task = Task(
        incoming.source,
        output,
        options,
        incoming.reference,
        kind,
        request.state.request_id,
        incoming.depth,
    )
    run = service.pool.run(task, seconds=service.settings.task_seconds, on_model=chosen)
    answer = await unless_gone(request, run)
    chosen(Served(answer.model, answer.model_version))
    # A part of a picture, or none at all, tells nothing of the pictures that are restored.
    if kind == "upscale":
        service.metrics.answered(answer)
        await _record(request, service, answer)
    return answer


async def unless_gone(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """Await ``work``, and stop it with :class:`Cancelled` once the client has left.

    The request's body must have been read.
    """
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_wait_until_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Cancelled("the client left before its picture was done")
    finally:
        for one in (task, gone):
            one.cancel()
        # Until it has really stopped, its files are needed.
        await asyncio.gather(task, gone, return_exceptions=True)


async def _wait_until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _record(request: Request, service: Service, answer: Answer) -> None:
    entry = request_of(answer, request_id=request.state.request_id, owner=owner_of(request))
    try:
        async with asyncio.timeout(_RECORDING):
            await service.store.record(entry)
    except TimeoutError:
        # What has begun goes on; what still waits for its turn is given up.
        _log.warning("the request may not be recorded: the database is busy")
    except HyperfocalError as error:
        # The picture is done; only a verdict on it cannot be taken later.
        _log.warning("the request was not recorded: %s", error)
