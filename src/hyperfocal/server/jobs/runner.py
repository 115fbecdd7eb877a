"""Working off the queue of jobs, whatever happens to a worker, the storage or the service."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hyperfocal.errors import HyperfocalError, SettingsError
from hyperfocal.feedback.records import now
from hyperfocal.lock import FileLock
from hyperfocal.server.errors import SpoolFull, SpoolUnusable
from hyperfocal.server.jobs.changes import Changes, heard
from hyperfocal.server.jobs.document import problem_of_job
from hyperfocal.server.jobs.inputs import reachable
from hyperfocal.server.jobs.orders import take_in
from hyperfocal.server.jobs.pauses import Pauses
from hyperfocal.server.jobs.strays import Strays
from hyperfocal.server.jobs.timing import Timing
from hyperfocal.server.jobs.upkeep import Upkeep
from hyperfocal.server.jobs.work import ATTEMPTS, Interrupted, Work
from hyperfocal.server.store import Job, Status, Store, StoreUnavailable, jobs
from hyperfocal.storage import StorageUnavailable

if TYPE_CHECKING:
    from hyperfocal.server.metrics import Metrics
    from hyperfocal.server.pool import Options, Pool
    from hyperfocal.server.results import Results
    from hyperfocal.server.settings import ServerSettings

_log = logging.getLogger(__name__)


class JobRunner:
    """Takes jobs when a worker is free for them, runs them, and tells how they are.

    A job belongs to its database row: what happens to it is a change of the row that checks
    what it was before. A runner that is killed leaves rows that say "running"; they are queued
    again when a runner starts in the same data folder, which only one can hold, or when they
    have given no sign of life for a while. Belongs to one event loop.
    """

    def __init__(
        self,
        settings: ServerSettings,
        pool: Pool,
        store: Store,
        results: Results,
        metrics: Metrics,
        timing: Timing | None = None,
    ) -> None:
        self.changes = Changes()
        self.timing = timing or Timing()
        self._settings = settings
        self._pool = pool
        self._store = store
        self._results = results
        self._metrics = metrics
        self._name = secrets.token_hex(8)
        self._lock = FileLock(settings.data / "runner.lock")
        # For as long again as the job was kept, its address tells that it expired.
        keep_expired = timedelta(hours=settings.job_hours)
        self._upkeep = Upkeep(store, results, self.timing, keep_expired)
        self._strays = Strays(store, results, self.timing)
        self._pauses = Pauses(self.timing)
        self._is_away_told = False
        self._are_kept_told = False
        self._wake = asyncio.Event()
        self._lacks_room = False
        self._works: dict[str, Work] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self) -> None:
        """Queue again what a killed service left, and begin to work.

        Raises :class:`SettingsError` where there can be no data folder.
        """
        place = ""
        try:
            if await asyncio.to_thread(self._lock.take):
                place = await asyncio.to_thread(self._lock.label)
        except OSError as error:
            raise SettingsError(
                f"{self._settings.data}: the data folder cannot be used: {error.strerror}"
            ) from error
        if place:
            self._name = f"{place}:{self._name}"
        await self._recover(f"{place}:" if place else None)
        self._pool.tell_room(self._tell_room)
        self._loops = [
            asyncio.create_task(self._dispatch()),
            asyncio.create_task(self._take_over()),
            asyncio.create_task(self._look_for_strays()),
            asyncio.create_task(self._keep_up()),
        ]

    async def stop(self) -> None:
        """Stop working. What was running waits again, as if it had not been begun."""
        self._stopping = True
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        for work in self._works.values():
            work.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.changes.tell_all()
        await asyncio.to_thread(self._lock.release)

    async def submit(
        self,
        source: Path,
        options: Options,
        *,
        reference: Path | None = None,
        depth: Path | None = None,
        request_id: str,
        owner: str = "",
        key: str | None = None,
        name: str = "",
    ) -> tuple[Job, bool]:
        """Queue a job, see :func:`take_in`; gives it and whether it is new."""
        job, is_new = await take_in(
            self._store,
            self._results,
            self._settings,
            source,
            reference,
            depth,
            options,
            request_id=request_id,
            owner=owner,
            key=key,
            name=name,
        )
        self._wake.set()
        return job, is_new

    async def get(self, job_id: str, owner: str | None = None) -> Job:
        """A job of this owner. Raises :class:`NotFound`."""
        return await self._store.read(jobs.get, job_id, owner)

    async def cancel(self, job_id: str, owner: str | None = None) -> Job:
        """Cancel a job; returns when the work has stopped. Raises :class:`NotFound`.

        Of a job that has ended, the files are removed.
        """
        job = await self._store.call(jobs.cancel, job_id, owner)
        self.changes.tell(job_id)
        work = self._works.get(job_id)
        if work is not None:
            work.stop()
            await work.ended.wait()
        await self._upkeep.remove_files(job)
        return job

    async def forget(self, request_id: str, owner: str | None = None) -> int:
        """Cancel and remove all jobs of a request; gives how many there were."""
        found = await self._store.read(jobs.of_request, request_id, owner)
        for job in found:
            await self.cancel(job.id, owner)
        await self._store.call(jobs.drop, [job.id for job in found])
        return len(found)

    async def _dispatch(self) -> None:
        while True:
            self._wake.clear()
            try:
                if not await self._count():
                    self._lacks_room = False
                elif await self._fill():
                    await self._count()
            except (StorageUnavailable, SpoolFull, SpoolUnusable) as error:
                self._tell_kept(error)
            except HyperfocalError as error:
                _log.warning("jobs cannot be read: %s", error)
            except Exception:  # noqa: BLE001 - whatever it was, the jobs behind it are to be done
                _log.exception("jobs cannot be begun")
                # Though whatever wakes it may come again and again.
                await asyncio.sleep(self.timing.poll)
            await heard(self._wake, self.timing.poll)

    async def _count(self) -> int:
        """Tell how many jobs there are; gives how many wait."""
        counts = await self._store.read(jobs.counts)
        self._metrics.count_jobs({status.value: n for status, n in counts.items()})
        return counts[Status.QUEUED]

    async def _fill(self) -> bool:
        """Begin jobs as long as a worker is free for one; gives whether any was begun.

        Others are left where they can be taken by whoever has room, and no attempt is counted.
        """
        has_begun = False
        while not (lacks := self._has_no_room()) and not self._pauses.all_rest:
            storages = await reachable(self._settings, self._results)
            self._are_kept_told = False
            job = await self._claim(storages)
            if job is None:
                break
            has_begun = True
            self.changes.tell(job.id)
            work = Work(
                job,
                self._name,
                self._settings,
                self._pool,
                self._store,
                self._results,
                self._metrics,
                self.timing,
                self.changes,
                self._pauses,
            )
            self._works[job.id] = work
            task = asyncio.create_task(self._carry_out(work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._lacks_room = lacks
        return has_begun

    async def _claim(self, storages: tuple[str, ...]) -> Job | None:
        """Take a job; one that comes when this was told to stop is put back."""
        claiming = asyncio.create_task(self._next(storages))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            # Its thread cannot be stopped, and what it commits nobody would know of.
            with contextlib.suppress(HyperfocalError):
                if (job := await claiming) is not None:
                    await self._store.call(jobs.requeue, job, self._name, counted=False)
            raise

    async def _next(self, storages: tuple[str, ...]) -> Job | None:
        suspects = self._pauses.suspects()
        job = await self._store.call(jobs.claim, self._name, storages, suspects)
        if job is None and suspects:
            job = await self._store.call(jobs.claim, self._name, storages, self._pauses.resting())
        return job

    def _has_no_room(self) -> bool:
        works = self._works.values()
        coming = sum(work.is_coming for work in works)
        # Those whose results are still being kept need no worker, but room on the disk.
        return coming >= self._pool.room_for_jobs or len(works) >= self._pool.capacity

    def _tell_room(self) -> None:
        # Most often it is a picture that is done, and no job waits.
        if self._lacks_room:
            self._wake.set()

    async def _carry_out(self, work: Work) -> None:
        try:
            await work.run(lambda: self._stopping)
        except StoreUnavailable:
            # The row stays as it is; its lease ends, and another attempt is made or it fails.
            _log.exception("job %s was left", work.job.id)
        except Exception:  # noqa: BLE001 - the same, and nobody else would tell it
            _log.exception("job %s was left for no reason that is known", work.job.id)
        finally:
            # Another runner may have had the job meanwhile, and this one have it again.
            if self._works.get(work.job.id) is work:
                del self._works[work.job.id]
            work.ended.set()
            self.changes.tell(work.job.id)
            self._wake.set()

    async def _take_over(self) -> None:
        while True:
            try:
                await self._recover(None)
            except HyperfocalError as error:
                _log.warning("interrupted jobs cannot be read: %s", error)
            except Exception:  # noqa: BLE001 - whatever it was, the next time it may be over
                _log.exception("interrupted jobs cannot be begun again")
            await asyncio.sleep(self.timing.upkeep)

    async def _look_for_strays(self) -> None:
        while True:
            try:
                for job in await self._strays.run():
                    _log.warning("job %s failed: nobody came who has its input", job.id)
                    self.changes.tell(job.id)
                self._is_away_told = False
            except StorageUnavailable as error:
                self._tell_away(error)
            except HyperfocalError as error:
                _log.warning("jobs of other storages cannot be looked through: %s", error)
            except Exception:  # noqa: BLE001 - whatever it was, the next time it may be over
                _log.exception("jobs of other storages cannot be looked through")
            await asyncio.sleep(self.timing.upkeep)

    def _tell_kept(self, error: HyperfocalError) -> None:
        """Log why jobs are left waiting, once until they are not."""
        if not self._are_kept_told:
            _log.warning("jobs wait: %s", error)
        self._are_kept_told = True

    def _tell_away(self, error: StorageUnavailable) -> None:
        """Log that inputs cannot be listed, once until they can."""
        if not self._is_away_told:
            _log.warning("the inputs of jobs cannot be listed: %s", error)
        self._is_away_told = True

    async def _keep_up(self) -> None:
        # By itself: a storage that does not answer holds it up, and no job shall wait for that.
        while True:
            # It tells by itself what fails.
            await self._upkeep.run()
            await asyncio.sleep(self.timing.upkeep)

    async def _recover(self, place: str | None) -> None:
        interrupted = Interrupted(f"the service stopped {ATTEMPTS} times while this job ran")
        found = await self._store.call(
            jobs.recover,
            places=() if place is None else (place,),
            silent_since=now() - timedelta(seconds=self.timing.lease),
            attempts=ATTEMPTS,
            problem=lambda job: problem_of_job(interrupted, job),
            runner=self._name,
            at_work=frozenset(self._works),
        )
        for job in found:
            _log.warning("job %s was interrupted; it is now %s", job.id, job.status)
            self.changes.tell(job.id)
        if found:
            self._wake.set()
        # Neither a start nor a job shall wait for a storage that does not answer.
        self._upkeep.leave(*(job for job in found if job.status.has_ended))
