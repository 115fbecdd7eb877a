"""The changes of a job as server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from hyperfocal.server.errors import NotFound
from hyperfocal.server.jobs.changes import Changes, heard
from hyperfocal.server.jobs.timing import Timing
from hyperfocal.server.store import Job

_RETRY_MS = 2000


async def stream(
    read: Callable[[], Awaitable[Job]],
    show: Callable[[Job], dict[str, Any]],
    changes: Changes,
    job_id: str,
    *,
    seen: int,
    is_over: Callable[[], Awaitable[bool]],
    timing: Timing,
) -> AsyncIterator[bytes]:
    """``event: job`` with the whole document at every change; ends when the job has.

    ``read`` gives the job as it is, ``show`` its document. ``seen``: the revision that the
    client had last, 0 for none; as every event carries everything, to resume is to send the
    present state unless it is that one. ``is_over``: the client has gone, may not know any
    more, or the service stops.
    """
    yield f"retry: {_RETRY_MS}\n\n".encode()
    with changes.watch(job_id) as bell:
        spoken = time.monotonic()
        while True:
            bell.clear()
            try:
                job = await read()
            except NotFound:
                return
            if job.revision != seen:
                yield _event(job.revision, show(job))
                seen, spoken = job.revision, time.monotonic()
            if job.status.has_ended:
                return
            await heard(bell, min(timing.poll, timing.keep_alive))
            if await is_over():
                return
            if time.monotonic() - spoken >= timing.keep_alive:
                yield b": keep-alive\n\n"
                spoken = time.monotonic()


def last_seen(header: str | None) -> int:
    """The revision of a ``Last-Event-ID``; 0 for none or what is not one of ours."""
    text = (header or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _event(revision: int, content: dict[str, Any]) -> bytes:
    # Without line breaks in the JSON, one data line is enough.
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    return f"event: job\nid: {revision}\ndata: {text}\n\n".encode()
