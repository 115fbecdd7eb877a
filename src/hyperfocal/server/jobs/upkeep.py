"""Removing what has ended: jobs, results, inputs, requests, pictures, and what was left over."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from hyperfocal.errors import HyperfocalError
from hyperfocal.feedback.records import now
from hyperfocal.server.jobs.timing import Timing
from hyperfocal.server.results import Results
from hyperfocal.server.store import Job, Store, jobs, removal
from hyperfocal.storage import Stuck

_log = logging.getLogger(__name__)


class Upkeep:
    """``keep_expired``: how long the row of an expired job still tells that it was there."""

    def __init__(
        self, store: Store, results: Results, timing: Timing, keep_expired: timedelta
    ) -> None:
        self._store = store
        self._results = results
        self._timing = timing
        self._keep_expired = keep_expired
        self._next_files = 0.0
        self._left: list[Job] = []

    async def run(self) -> None:
        """Everything that is due. What fails is logged and tried again the next time."""
        await self._try("files of interrupted jobs", self._remove_left)
        await self._try("expired jobs", self._expire)
        await self._try("rows of expired jobs", self._purge)
        await self._try("pictures kept", self._pictures)
        await self._try("verdicts", self._verdicts)
        await self._try("requests", self._requests)
        if time.monotonic() >= self._next_files:
            self._next_files = time.monotonic() + self._timing.files
            await self._try("results", self._results.sweep)
            await self._try("inputs of jobs", self._results.inputs.sweep)
            await self._try("orphaned pictures", self._orphans)

    def leave(self, *ended: Job) -> None:
        """Leave the files of jobs that have ended to the next :meth:`run`."""
        self._left.extend(ended)

    async def remove_files(self, *ended: Job) -> None:
        """Remove the inputs of jobs that have ended, and their results.

        :class:`StorageUnavailable`, once all others are gone, where some cannot be removed; they
        go when their time is over.
        """
        try:
            sent = [name for job in ended for name in job.inputs]
            await self._results.inputs.delete(*sent)
        finally:
            await self._results.delete(*(job.output for job in ended))

    async def _remove_left(self) -> int:
        # Once: what cannot be removed goes when the job expires.
        left, self._left = self._left, []
        await self.remove_files(*left)
        return len(left)

    async def _expire(self) -> int:
        expired = await self._store.call(jobs.expire, now())
        await self.remove_files(*expired)
        return len(expired)

    async def _purge(self) -> int:
        return await self._store.call(jobs.purge, now() - self._keep_expired)

    async def _pictures(self) -> int:
        stuck = Stuck()
        gone = await removal.erase_pictures(self._store, now(), stuck)
        # Not before what has gone is written down.
        stuck.tell()
        return gone.pictures

    async def _verdicts(self) -> int:
        stuck = Stuck()
        gone = await removal.erase_verdicts(self._store, now(), stuck)
        stuck.tell()
        return gone.verdicts

    async def _requests(self) -> int:
        return (await removal.erase_requests(self._store, now())).requests

    async def _orphans(self) -> int:
        return await removal.remove_orphans(self._store)

    async def _try(self, what: str, remove: Callable[[], Awaitable[int]]) -> None:
        try:
            if gone := await remove():
                _log.info("removed %d: %s", gone, what)
        except HyperfocalError as error:
            _log.warning("removing %s failed: %s", what, error)
        except Exception:  # noqa: BLE001 - told, and the others go on
            # Whatever it was, what is to be forgotten must not be kept for ever because of it.
            _log.exception("removing %s failed", what)
