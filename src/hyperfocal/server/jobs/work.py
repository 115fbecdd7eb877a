"""One attempt at one job, from its claim to its end in the database."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from sqlalchemy.orm import Session

from hyperfocal.errors import HyperfocalError
from hyperfocal.feedback import Request, book
from hyperfocal.feedback.records import now
from hyperfocal.server import logs
from hyperfocal.server.errors import (
    Draining,
    NotFound,
    SpoolFull,
    SpoolUnusable,
    WorkerDied,
    WorkerFailed,
)
from hyperfocal.server.jobs.changes import Changes, heard
from hyperfocal.server.jobs.document import finite, problem_of_job
from hyperfocal.server.jobs.inputs import fetch
from hyperfocal.server.jobs.pauses import Pauses
from hyperfocal.server.jobs.timing import Timing
from hyperfocal.server.pool import Answer, Options, Task
from hyperfocal.server.problems import status_of
from hyperfocal.server.served import Served
from hyperfocal.server.spool import make_again, writing
from hyperfocal.server.store import Job, Store, StoreUnavailable, jobs, request_of
from hyperfocal.storage import StorageUnavailable

if TYPE_CHECKING:
    from hyperfocal.server.metrics import Metrics
    from hyperfocal.server.pool import Pool
    from hyperfocal.server.results import Results
    from hyperfocal.server.settings import ServerSettings

_P = ParamSpec("_P")
_log = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often a job is begun before it fails: a picture may be what kills its worker."""

# What says nothing about the picture: however often it happens, the job is only put off.
_FAULTS = (SpoolFull, SpoolUnusable, StorageUnavailable, StoreUnavailable)


class Interrupted(HyperfocalError):
    """The job was begun several times and the service ended each time."""

    code = "job-interrupted"


class Work:
    """Runs a claimed job. ``ended`` is set when nothing of it works any more.

    ``is_coming``: the pool has not been given it yet, which has room for it.
    """

    def __init__(
        self,
        job: Job,
        runner: str,
        settings: ServerSettings,
        pool: Pool,
        store: Store,
        results: Results,
        metrics: Metrics,
        timing: Timing,
        changes: Changes,
        pauses: Pauses,
    ) -> None:
        self.job = job
        self.ended = asyncio.Event()
        self.is_coming = True
        self._runner = runner
        self._settings = settings
        self._pool = pool
        self._store = store
        self._results = results
        self._metrics = metrics
        self._timing = timing
        self._changes = changes
        self._pauses = pauses
        self._progress = 0.0
        self._served: Served | None = None
        self._halt = asyncio.Event()
        self._restoring: asyncio.Task[tuple[Answer, str, datetime]] | None = None

    def stop(self) -> None:
        """Stop the work, in the worker too; :meth:`run` then returns soon."""
        self._halt.set()
        if self._restoring is not None:
            self._restoring.cancel()

    async def run(self, is_stopping: Callable[[], bool]) -> None:
        """Work until the job has ended, waits again, or is no longer this runner's.

        ``is_stopping``: whether work that was stopped shall wait for the next start.
        """
        logs.request_id.set(self.job.request_id)
        if not self._halt.is_set():
            restoring = self._restoring = asyncio.create_task(self._restore())
            beating = asyncio.create_task(self._beat(restoring))
            await asyncio.wait({restoring})
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            if not restoring.cancelled():
                await self._end(restoring)
                return
        if is_stopping():
            await self._write(jobs.requeue, counted=False)

    async def _restore(self) -> tuple[Answer, str, datetime]:
        """Make the picture and keep it; gives its name and when it ends."""
        # Named like the folders of requests: what a killed service leaves goes at the next start.
        folder = self._settings.spool / f"request-job-{self.job.id}-{self.job.attempts}"
        source, output = folder / "in", folder / "out"
        try:
            with writing("the picture of a job"):
                await asyncio.to_thread(make_again, self._settings.spool)
                await asyncio.to_thread(folder.mkdir, exist_ok=True, mode=0o700)
            await fetch(self._results, self.job, self.job.source, source)
            reference = await self._fetched(self.job.reference, folder / "reference")
            depth = await self._fetched(self.job.depth, folder / "depth")
            task = Task(
                source=source,
                output=output,
                options=options_of(self.job.options),
                reference=reference,
                request_id=self.job.request_id,
                depth=depth,
            )
            self.is_coming = False
            answer = await self._pool.run(
                task,
                seconds=self._settings.job_seconds,
                on_progress=self._progressed,
                on_model=self._chosen,
                wait=True,
            )
            expires = jobs.expiry(self._settings.job_hours)
            return answer, await self._keep(output, answer, expires), expires
        finally:
            self.is_coming = False
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _fetched(self, name: str | None, target: Path) -> Path | None:
        if name is None:
            return None
        await fetch(self._results, self.job, name, target)
        return target

    async def _keep(self, output: Path, answer: Answer, expires: datetime) -> str:
        seconds = expires.timestamp() - time.time()
        putting = asyncio.create_task(
            self._results.put(output, answer.media_type, seconds=seconds, move=True)
        )
        try:
            return await asyncio.shield(putting)
        except asyncio.CancelledError:
            # The thread that copies cannot be stopped; what it made is not wanted any more.
            await self._results.delete(await putting)
            raise

    def _chosen(self, served: Served) -> None:
        self._served = served

    def _progressed(self, progress: float) -> None:
        self._progress = max(self._progress, progress)

    async def _beat(self, restoring: asyncio.Task[Any]) -> None:
        """Write progress and signs of life; stop the work when the job is no longer ours."""
        written, at = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(self._timing.beat)
            progress = self._progress
            if progress <= written and time.monotonic() - at < self._timing.alive:
                continue
            try:
                is_ours = await self._store.call(jobs.beat, self.job, self._runner, progress)
            except HyperfocalError as error:
                _log.warning("progress of job %s is not written: %s", self.job.id, error)
                continue
            except Exception:  # noqa: BLE001 - without signs of life another runner would take it
                _log.exception("progress of job %s is not written", self.job.id)
                continue
            if not is_ours:
                restoring.cancel()
                return
            written, at = progress, time.monotonic()
            self._changes.tell(self.job.id)

    async def _end(self, restoring: asyncio.Task[tuple[Answer, str, datetime]]) -> None:
        error = restoring.exception()
        if isinstance(error, _FAULTS):
            # Before it is there to be taken again.
            seconds = self._pauses.fault(self.job.id)
            _log.warning("job %s waits %g s or more: %s", self.job.id, seconds, error)
            await self._write(jobs.requeue, counted=False)
            return
        self._pauses.over(self.job.id)
        if error is None:
            await self._succeed(*restoring.result())
        elif isinstance(error, Draining):
            await self._write(jobs.requeue, counted=False)
        elif isinstance(error, WorkerDied) and self.job.attempts < ATTEMPTS:
            _log.warning("job %s is tried again: %s", self.job.id, error)
            await heard(self._halt, self._timing.retry)
            await self._write(jobs.requeue, counted=True)
        else:
            await self._fail(error)

    async def _succeed(self, answer: Answer, name: str, expires: datetime) -> None:
        request = request_of(answer, request_id=self.job.request_id, owner=self.job.owner)
        facts = finite(answer.to_plain())
        is_ours = await self._write(
            _succeed, output=name, answer=facts, expires=expires, request=request
        )
        if not is_ours and not await self._is_written(name):
            await self._results.delete(name)
            return
        self._metrics.answered(answer)
        self._count(Served(answer.model, answer.model_version), 200)
        await self._remove_inputs()

    async def _is_written(self, name: str) -> bool:
        """Whether it was though a connection broke before this was told, and writing it again."""
        try:
            return (await self._store.read(jobs.get, self.job.id)).output == name
        except NotFound:
            return False

    async def _fail(self, error: BaseException) -> None:
        if not isinstance(error, HyperfocalError):
            _log.error("job %s failed", self.job.id, exc_info=error)
            error = WorkerFailed("something went wrong that nobody foresaw; the log tells more")
        if await self._write(jobs.fail, problem=problem_of_job(error, self.job)):
            options = options_of(self.job.options)
            served = self._served or self._metrics.expected(options.model, options.scale)
            self._count(served, status_of(error))
            await self._remove_inputs()

    async def _remove_inputs(self) -> None:
        try:
            await self._results.inputs.delete(*self.job.inputs)
        except StorageUnavailable as error:
            # They go when their time is over.
            _log.warning("what job %s was sent stays for now: %s", self.job.id, error)

    def _count(self, served: Served, status: int) -> None:
        seconds = (now() - self.job.created).total_seconds()
        self._metrics.predicted(served, status, seconds)

    async def _write(
        self,
        change: Callable[Concatenate[Session, Job, str, _P], bool],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> bool:
        """Write the end down, waiting for a database that is away unless told to stop."""
        while True:
            try:
                return await self._store.call(change, self.job, self._runner, *args, **kwargs)
            except StoreUnavailable:
                if await heard(self._halt, self._timing.retry):
                    raise


def options_of(plain: Mapping[str, Any]) -> Options:
    """Options from their JSON values, in which tuples have become lists."""
    values: dict[str, Any] = {
        key: tuple(one) if isinstance(one, list) else one for key, one in plain.items()
    }
    return Options(**values)


def _succeed(
    session: Session,
    job: Job,
    runner: str,
    *,
    output: str,
    answer: Mapping[str, Any],
    expires: datetime,
    request: Request,
) -> bool:
    if not jobs.succeed(session, job, runner, output=output, answer=answer, expires=expires):
        return False
    book.record(session, request)
    return True
