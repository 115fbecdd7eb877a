"""The table of jobs; those of requests and verdicts belong to :mod:`hyperfocal.feedback`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hyperfocal.feedback.tables import Base, Moment

__all__ = ["Base", "JobRow"]


class JobRow(Base):
    """A job: what was asked, where its files are, how far it is and how it ended.

    ``source``, ``reference``, ``depth`` and ``output`` are names in the storage that
    :meth:`Results.ids` calls ``storage``, which is empty for jobs of older versions. ``revision``
    counts the changes, so that a reader knows whether it has seen the last one. ``runner`` and
    ``beat``: which service works on it and when that last gave a sign of life; of a job that waits
    again, since when.
    ``name``: what the sender calls the picture's file.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("owner", "idempotency_key"),
        Index(None, "status", "created"),
        Index(None, "request_id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    request_id: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(128))
    status: Mapped[str] = mapped_column(String(16))
    progress: Mapped[float]
    revision: Mapped[int]
    created: Mapped[datetime] = mapped_column(Moment)
    started: Mapped[datetime | None] = mapped_column(Moment)
    finished: Mapped[datetime | None] = mapped_column(Moment)
    expires: Mapped[datetime] = mapped_column(Moment, index=True)
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    source: Mapped[str] = mapped_column(String(128))
    reference: Mapped[str | None] = mapped_column(String(128))
    output: Mapped[str | None] = mapped_column(String(128))
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    attempts: Mapped[int]
    runner: Mapped[str] = mapped_column(String(64))
    beat: Mapped[datetime | None] = mapped_column(Moment)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(255), server_default="")
    storage: Mapped[str] = mapped_column(String(32), server_default="")
    depth: Mapped[str | None] = mapped_column(String(128))
