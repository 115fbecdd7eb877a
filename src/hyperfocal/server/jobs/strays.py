"""Queued jobs of other storages: those whose input is here all the same, and those of nobody."""

from __future__ import annotations

import time
from datetime import timedelta

from hyperfocal.feedback.records import now
from hyperfocal.server.jobs.document import problem_of_job
from hyperfocal.server.jobs.timing import Timing
from hyperfocal.server.results import Results
from hyperfocal.server.store import Job, Store, jobs
from hyperfocal.storage import StorageUnavailable


class Strays:
    """Looks for jobs that :func:`jobs.claim` passes over.

    A storage may have got another id since a job was queued: its mark can be lost while inputs are
    there. The name of an input is random, so that it proves whose the job is.
    """

    def __init__(self, store: Store, results: Results, timing: Timing) -> None:
        self._store = store
        self._results = results
        self._timing = timing
        self._next_look = 0.0
        self._seen: dict[str, float] = {}

    async def run(self) -> list[Job]:
        """Take in the jobs whose input is here, and fail those for which nobody comes.

        Gives those that failed. Raises that the storage or the database fails.
        """
        found = await self._store.read(jobs.strays, await self._results.present())
        if not found and time.monotonic() < self._next_look:
            return []
        names = await self._results.look()
        self._next_look = time.monotonic() + self._timing.files
        own = {job.id for job in found if names.issuperset(job.inputs)}
        if own:
            await self._store.call(jobs.adopt, own, (await self._results.present())[0])
        # By an id of another service, which has just been learnt, some may not be strays any more.
        # Nor does a storage that this one had, and that is away, have nobody any more.
        ids = await self._results.ids()
        left = await self._store.read(jobs.strays, ids) if found else []
        return await self._strand(left)

    async def _strand(self, left: list[Job]) -> list[Job]:
        """Fail jobs that stayed for long, if no sign of life came of their storage meanwhile."""
        moment, patience = time.monotonic(), self._timing.stranded
        # Seen from here: services that start together have all been silent before.
        self._seen = {job.id: self._seen.get(job.id, moment) for job in left}
        ids = [job_id for job_id, since in self._seen.items() if moment - since >= patience]
        if not ids:
            return []
        gone = StorageUnavailable("no service came that has the picture of this job; send it again")
        # It says nothing of how the service is set up.
        gone.told = str(gone)
        return await self._store.call(
            jobs.strand,
            ids,
            silent_since=now() - timedelta(seconds=patience),
            problem=lambda job: problem_of_job(gone, job),
        )
