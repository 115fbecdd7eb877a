"""The database of the service, kept off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError, DataError, InterfaceError, TimeoutError
from sqlalchemy.orm import Session

from hyperfocal.errors import HyperfocalError, SettingsError, UsageError
from hyperfocal.feedback import Request, Retention, book
from hyperfocal.feedback.records import Deleted
from hyperfocal.server.store.engine import open_engine
from hyperfocal.server.store.migrate import migrate
from hyperfocal.storage import Storage

if TYPE_CHECKING:
    from hyperfocal.server.settings import ServerSettings

_P = ParamSpec("_P")
_T = TypeVar("_T")


class StoreUnavailable(HyperfocalError):
    """The database cannot be reached, is locked, or its disk is full.

    ``told``: what those hear who shall not know where it is.
    """

    code = "store-unavailable"
    status = 503
    told = "the database cannot be used at present; try again later"


class Store:
    """Requests, verdicts and jobs.

    ``await store.call(function, …)`` runs a function of :mod:`hyperfocal.feedback.book` or
    :mod:`hyperfocal.server.store.jobs` in one transaction, in a thread: one for SQLite, which has
    a single writer anyway, four for PostgreSQL. ``pictures``: those kept with consent.
    """

    def __init__(self, engine: Engine, pictures: Storage, retention: Retention) -> None:
        self.pictures = pictures
        self.retention = retention
        self._engine = engine
        threads = 1 if engine.dialect.name == "sqlite" else 4
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="store")

    @classmethod
    def open(cls, settings: ServerSettings) -> Store:
        """Open the database of the settings, bringing its tables up to date. Blocks.

        Raises :class:`SettingsError` where there is none to open.
        """
        engine = open_engine(settings.database_url)
        try:
            migrate(engine)
        except DatabaseError as error:
            engine.dispose()
            raise SettingsError(f"the database cannot be opened: {_reason(error)}") from error
        except BaseException:
            engine.dispose()
            raise
        retention = Retention(
            requests=timedelta(days=settings.request_days),
            verdicts=timedelta(days=settings.verdict_days),
            pictures=timedelta(days=settings.picture_days),
        )
        return cls(engine, Storage(settings.pictures_url), retention)

    async def call(
        self, function: Callable[Concatenate[Session, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """``function(session, …)`` in a transaction of its own, in a thread.

        Raises what the function raises, :class:`UsageError` for a value that the database does
        not take, and :class:`StoreUnavailable`. A caller that is
        cancelled meanwhile does not undo it.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, lambda: self.blocking(function, *args, **kwargs)
        )

    def blocking(
        self, function: Callable[Concatenate[Session, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """The same as :meth:`call` in the caller's own thread."""
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                return function(session, *args, **kwargs)
        except DataError as error:
            # PostgreSQL's text, for one, has no NUL.
            raise UsageError("a value in the request is none that can be written down") from error
        except (DatabaseError, InterfaceError, TimeoutError) as error:
            raise StoreUnavailable(f"the database cannot be used: {_reason(error)}") from error

    async def record(self, request: Request) -> None:
        """Write down that a request was answered, so that it can be judged."""
        await self.call(book.record, request)

    async def forget(self, request_id: str, owner: str | None = None) -> Deleted:
        """Remove what is known about a request, its verdict and picture included."""
        return await self.call(book.forget, self.pictures, request_id, owner)

    def close(self) -> None:
        """Wait for what is being written, and close. Blocks."""
        self._threads.shutdown(wait=True)
        self._engine.dispose()


def _reason(error: Exception) -> str:
    """The driver's own sentence, without the statement and its values."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
