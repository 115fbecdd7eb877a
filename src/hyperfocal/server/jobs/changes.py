"""Telling those who wait for news of a job that there are some."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Changes:
    """Bells by job; belongs to one event loop."""

    def __init__(self) -> None:
        self._bells: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def watch(self, job_id: str) -> Iterator[asyncio.Event]:
        """A bell that rings at every change of the job; whoever hears it clears it."""
        bell = asyncio.Event()
        self._bells.setdefault(job_id, set()).add(bell)
        try:
            yield bell
        finally:
            bells = self._bells[job_id]
            bells.discard(bell)
            if not bells:
                del self._bells[job_id]

    def tell(self, job_id: str) -> None:
        """The job has changed."""
        for bell in self._bells.get(job_id, ()):
            bell.set()

    def tell_all(self) -> None:
        """Whatever is watched may have changed."""
        for job_id in self._bells:
            self.tell(job_id)

    @property
    def watched(self) -> int:
        """How many wait at present."""
        return sum(len(bells) for bells in self._bells.values())


async def heard(bell: asyncio.Event, seconds: float) -> bool:
    """Wait for a bell; False when it kept silent for so long."""
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        return False
    return True
