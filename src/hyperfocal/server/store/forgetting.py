"""Removing everything about a request from outside the service."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hyperfocal.server.store import jobs, removal
from hyperfocal.storage import Storage, Stuck

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from hyperfocal.server.settings import ServerSettings
    from hyperfocal.server.store.store import Store


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was removed."""

    requests: int
    verdicts: int
    pictures: int
    jobs: int


def forget(store: Store, settings: ServerSettings, request_id: str) -> Forgotten:
    """Remove a request of anybody: verdict, picture, facts, jobs and their files. Blocks.

    A running job is cancelled; the service that runs it finds that out at its next sign of life.
    :class:`StorageUnavailable` where a file cannot be removed: what says that it is there stays.
    """
    return asyncio.run(_forget(store, settings, request_id))


async def _forget(store: Store, settings: ServerSettings, request_id: str) -> Forgotten:
    # First, so that nobody begins one whose input is gone.
    found = await store.call(_cancel, request_id)
    sent = [name for job in found for name in job.inputs]
    made = [job.output for job in found if job.output is not None]
    stuck = Stuck()
    await removal.delete_files(Storage(settings.results_url, "inputs"), sent, stuck)
    await removal.delete_files(Storage(settings.results_url, "results"), made, stuck)
    stuck.tell()
    await store.call(jobs.drop, [job.id for job in found])
    gone = await removal.forget(store, request_id)
    return Forgotten(gone.requests, gone.verdicts, gone.pictures, len(found))


def _cancel(session: Session, request_id: str) -> list[jobs.Job]:
    return [jobs.cancel(session, job.id) for job in jobs.of_request(session, request_id)]
