"""Jobs in the database: every change of a job is one transaction that checks what it was before.

All functions block and work on a session that the caller opens and commits.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hyperfocal.feedback.records import now
from hyperfocal.server.errors import NotFound, QueueFull
from hyperfocal.server.store.tables import JobRow


class Status(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it but its removal."""
        return self not in (Status.QUEUED, Status.RUNNING)


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is in the database at one moment; see :class:`JobRow`."""

    id: str
    request_id: str
    owner: str
    status: Status
    progress: float
    revision: int
    created: datetime
    started: datetime | None
    finished: datetime | None
    expires: datetime
    options: Mapping[str, Any]
    source: str
    reference: str | None
    output: str | None
    answer: Mapping[str, Any] | None
    problem: Mapping[str, Any] | None
    attempts: int
    fingerprint: str
    name: str
    storage: str
    depth: str | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names in the storage of all that was sent."""
        return tuple(name for name in (self.source, self.reference, self.depth) if name is not None)


@dataclass(frozen=True, slots=True)
class Order:
    """A job that somebody wants. ``fingerprint``: sha256 of everything that was asked for.

    ``storage``: an id of the one that holds ``source``, ``reference`` and ``depth``.
    """

    request_id: str
    owner: str
    options: Mapping[str, Any]
    source: str
    reference: str | None
    fingerprint: str
    expires: datetime
    idempotency_key: str | None = None
    name: str = ""
    storage: str = ""
    depth: str | None = None


_FIELDS = tuple(Job.__dataclass_fields__)
_NAME_LENGTH = 255
_LIVE = (Status.QUEUED.value, Status.RUNNING.value)
_WITH_FILES = (*_LIVE, Status.SUCCEEDED.value)
_IS_QUEUED = JobRow.status == Status.QUEUED.value


def add(
    session: Session, order: Order, *, limit: int, storages: Collection[str] | None = None
) -> tuple[Job, bool]:
    """Queue a job; gives it and whether it is new.

    With an idempotency key that this owner has used, the job of that time, see :func:`by_key`.
    Raises :class:`QueueFull` where ``limit`` jobs wait already: of those that :func:`claim` would
    give with these ``storages``, others are in nobody's way here.
    """
    row = _with_key(session, order.owner, order.idempotency_key)
    if row is not None and not _is_void(row):
        return _job(row), False
    waiting = select(func.count()).where(*_claimable(storages))
    if (session.scalar(waiting) or 0) >= limit:
        raise QueueFull(f"{limit} jobs wait already; try again later")
    if row is not None:
        # The key is the new job's now.
        row.idempotency_key = None
        session.flush()
    row = JobRow(
        id=secrets.token_hex(16),
        request_id=order.request_id,
        owner=order.owner,
        status=Status.QUEUED.value,
        progress=0.0,
        revision=1,
        created=now(),
        expires=order.expires,
        options=dict(order.options),
        source=order.source,
        reference=order.reference,
        depth=order.depth,
        attempts=0,
        runner="",
        idempotency_key=order.idempotency_key,
        fingerprint=order.fingerprint,
        name=order.name[:_NAME_LENGTH],
        storage=order.storage,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        # Another process was quicker with the same key.
        known = by_key(session, order.owner, order.idempotency_key)
        if known is None:
            raise
        return known, False
    return _job(row), True


def check_kept(session: Session, owner: str, key: str | None, *, limit: int) -> None:
    """Raise :class:`QueueFull` where ``limit`` jobs of this owner have files already.

    Not where the idempotency key is known: an order that is repeated adds none.
    """
    mine = select(func.count()).where(JobRow.owner == owner, JobRow.status.in_(_WITH_FILES))
    if (session.scalar(mine) or 0) >= limit and by_key(session, owner, key) is None:
        raise QueueFull(f"{limit} jobs are kept already (setting jobs_kept); delete some, or wait")


def by_key(session: Session, owner: str, key: str | None) -> Job | None:
    """The job that this owner made with an idempotency key.

    None for one that was cancelled, has expired, or failed with a problem of the service (5xx):
    its order is to be taken anew.
    """
    row = _with_key(session, owner, key)
    return None if row is None or _is_void(row) else _job(row)


def get(session: Session, job_id: str, owner: str | None = None) -> Job:
    """A job; ``owner`` None: of anybody. Raises :class:`NotFound`."""
    row = session.get(JobRow, job_id)
    if row is None or (owner is not None and row.owner != owner):
        raise NotFound(f"there is no job '{job_id[:50]}'")
    return _job(row)


def claim(
    session: Session,
    runner: str,
    storages: Collection[str] | None = None,
    resting: Collection[str] = (),
) -> Job | None:
    """Take the job that has waited longest, for this runner.

    ``storages``: ids of the storage that the runner can read, others hold no input for it;
    None: whichever. Jobs of older versions, which do not tell theirs, are anybody's.
    ``resting``: ids of jobs that are not to be taken yet.
    """
    query = select(JobRow).where(*_claimable(storages), JobRow.id.not_in(resting))
    query = query.order_by(JobRow.created, JobRow.id).limit(1)
    row = session.scalar(query.with_for_update(skip_locked=True))
    if row is None:
        return None
    row.status = Status.RUNNING.value
    row.runner = runner
    row.started = row.beat = now()
    row.attempts += 1
    row.revision += 1
    session.flush()
    return _job(row)


def beat(session: Session, job: Job, runner: str, progress: float) -> bool:
    """Write progress down and that the runner is alive; False: the job is no longer its own."""
    row = _mine(session, job, runner)
    if row is None:
        return False
    row.beat = now()
    if progress > row.progress:
        row.progress = min(progress, 1.0)
        row.revision += 1
    return True


def succeed(
    session: Session,
    job: Job,
    runner: str,
    *,
    output: str,
    answer: Mapping[str, Any],
    expires: datetime,
) -> bool:
    """End a job well; False: it was cancelled or taken by another runner meanwhile."""
    row = _mine(session, job, runner)
    if row is None:
        return False
    row.output, row.answer, row.expires = output, dict(answer), expires
    row.progress = 1.0
    _end(row, Status.SUCCEEDED)
    return True


def fail(session: Session, job: Job, runner: str, problem: Mapping[str, Any]) -> bool:
    """End a job badly; False as for :func:`succeed`."""
    row = _mine(session, job, runner)
    if row is None:
        return False
    row.problem = dict(problem)
    _end(row, Status.FAILED)
    return True


def requeue(session: Session, job: Job, runner: str, *, counted: bool) -> bool:
    """Let a job wait again; ``counted``: the attempt was one. False as for :func:`succeed`."""
    row = _mine(session, job, runner)
    if row is None:
        return False
    _wait_again(row)
    row.attempts -= not counted
    return True


def cancel(session: Session, job_id: str, owner: str | None = None) -> Job:
    """Cancel a job that has not ended; one that has succeeded is as good as expired.

    Raises :class:`NotFound`. The files are the caller's to remove.
    """
    get(session, job_id, owner)
    row = session.get_one(JobRow, job_id, with_for_update=True)
    if row.status in _LIVE:
        _end(row, Status.CANCELLED)
    elif row.status == Status.SUCCEEDED.value:
        row.status = Status.EXPIRED.value
        row.revision += 1
    session.flush()
    return _job(row)


def recover(
    session: Session,
    *,
    places: Iterable[str],
    silent_since: datetime,
    attempts: int,
    problem: Callable[[Job], Mapping[str, Any]],
    runner: str = "",
    at_work: Collection[str] = (),
) -> list[Job]:
    """Queue again the running jobs of runners that are gone.

    ``places``: beginnings of the names of runners known to be gone; any other is taken for gone
    when it gave no sign of life since ``silent_since``. A job that has had its ``attempts`` fails
    with its ``problem``. ``at_work``: ids of what ``runner``, who asks, is at: it needs no sign
    of life, which a clock that is set would make look old. Gives the jobs concerned.
    """
    running = select(JobRow).where(JobRow.status == Status.RUNNING.value)
    gone = tuple(places)
    found = []
    for row in session.scalars(running.with_for_update(skip_locked=True)):
        if row.runner == runner and row.id in at_work:
            continue
        if not row.runner.startswith(gone) and (row.beat is None or row.beat >= silent_since):
            continue
        if row.attempts >= attempts:
            row.problem = dict(problem(_job(row)))
            _end(row, Status.FAILED)
        else:
            _wait_again(row)
        found.append(row)
    session.flush()
    return [_job(row) for row in found]


def strays(session: Session, storages: Collection[str]) -> list[Job]:
    """The jobs that wait for a runner with another storage than these."""
    other = JobRow.storage.not_in(("", *storages))
    return [_job(row) for row in session.scalars(select(JobRow).where(_IS_QUEUED, other))]


def adopt(session: Session, ids: Collection[str], storage: str) -> None:
    """Those of these jobs that still wait have their input in ``storage``, as was found out."""
    session.execute(update(JobRow).where(JobRow.id.in_(ids), _IS_QUEUED).values(storage=storage))


def strand(
    session: Session,
    ids: Collection[str],
    *,
    silent_since: datetime,
    problem: Callable[[Job], Mapping[str, Any]],
) -> list[Job]:
    """Fail those of these jobs that wait for a storage which nobody seems to use any more.

    That is one of which no job came, ran or was put back since ``silent_since``. Gives them.
    """
    at = func.coalesce(JobRow.beat, JobRow.created)
    in_use = select(JobRow.storage).where(at >= silent_since)
    query = select(JobRow).where(JobRow.id.in_(ids), _IS_QUEUED, JobRow.storage.not_in(in_use))
    rows = list(session.scalars(query.with_for_update(skip_locked=True)))
    for row in rows:
        row.problem = dict(problem(_job(row)))
        _end(row, Status.FAILED)
    session.flush()
    return [_job(row) for row in rows]


def expire(session: Session, at: datetime) -> list[Job]:
    """Mark the ended jobs whose time is over, and those that never came to run."""
    query = select(JobRow).where(
        JobRow.expires <= at,
        JobRow.status.not_in((Status.EXPIRED.value, Status.RUNNING.value)),
    )
    rows = list(session.scalars(query))
    for row in rows:
        row.finished = row.finished or at
        row.status = Status.EXPIRED.value
        row.revision += 1
    session.flush()
    return [_job(row) for row in rows]


def purge(session: Session, before: datetime) -> int:
    """Remove the rows of jobs that expired before that time."""
    old = delete(JobRow).where(JobRow.expires < before, JobRow.status.not_in(_LIVE))
    # A deletion gives a cursor's result, which counts; the type does not say so.
    count: int = session.execute(old).rowcount  # type: ignore[attr-defined]
    return count


def of_request(session: Session, request_id: str, owner: str | None = None) -> list[Job]:
    """The jobs of a request; ``owner`` None: of anybody."""
    query = select(JobRow).where(JobRow.request_id == request_id)
    if owner is not None:
        query = query.where(JobRow.owner == owner)
    return [_job(row) for row in session.scalars(query)]


def drop(session: Session, ids: Sequence[str]) -> None:
    """Remove jobs."""
    session.execute(delete(JobRow).where(JobRow.id.in_(ids)))


def counts(session: Session) -> dict[Status, int]:
    """How many jobs there are of each status."""
    rows = session.execute(select(JobRow.status, func.count()).group_by(JobRow.status)).all()
    found = {Status(status): count for status, count in rows}
    return {status: found.get(status, 0) for status in Status}


def expiry(hours: float) -> datetime:
    """When a job made now ends."""
    return now() + timedelta(hours=hours)


def _claimable(storages: Collection[str] | None) -> list[ColumnElement[bool]]:
    return [_IS_QUEUED] if storages is None else [_IS_QUEUED, JobRow.storage.in_(("", *storages))]


def _with_key(session: Session, owner: str, key: str | None) -> JobRow | None:
    if key is None:
        return None
    return session.scalar(
        select(JobRow).where(JobRow.owner == owner, JobRow.idempotency_key == key)
    )


def _is_void(row: JobRow) -> bool:
    """Whether asking for the same again must not give this job."""
    if row.status == Status.FAILED.value:
        status: int = (row.problem or {}).get("status", 500)
        return status >= 500
    return row.status in (Status.CANCELLED.value, Status.EXPIRED.value)


def _mine(session: Session, job: Job, runner: str) -> JobRow | None:
    """The job's row, unless it was cancelled or another runner has taken it."""
    row = session.get(JobRow, job.id, with_for_update=True)
    if row is None or row.status != Status.RUNNING.value:
        return None
    return row if row.runner == runner and row.attempts == job.attempts else None


def _wait_again(row: JobRow) -> None:
    row.status = Status.QUEUED.value
    row.progress = 0.0
    row.started = None
    # Since when it waits.
    row.beat = now()
    row.runner = ""
    row.revision += 1


def _end(row: JobRow, status: Status) -> None:
    row.status = status.value
    row.finished = now()
    row.revision += 1


def _job(row: JobRow) -> Job:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Job(**{**values, "status": Status(row.status)})
