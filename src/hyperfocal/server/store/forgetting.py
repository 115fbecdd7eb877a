"""Removing everything about a request from outside the service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hyperfocal.feedback import book
from hyperfocal.server.store import jobs
from hyperfocal.storage import Storage

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
    """
    inputs = Storage(settings.results_url, "inputs")
    results = Storage(settings.results_url, "results")

    def remove(session: Session) -> Forgotten:
        found = jobs.of_request(session, request_id)
        for job in found:
            for name in (job.source, job.reference):
                if name is not None:
                    inputs.delete(name)
            if job.output is not None:
                results.delete(job.output)
        jobs.drop(session, [job.id for job in found])
        gone = book.forget(session, store.pictures, request_id)
        return Forgotten(gone.requests, gone.verdicts, gone.pictures, len(found))

    return store.blocking(remove)
