"""The database of the service, kept off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError, DataError, InterfaceError, TimeoutError
from sqlalchemy.orm import Session

from hyperfocal.errors import HyperfocalError, SettingsError, UsageError
from hyperfocal.feedback import Request, Retention, Verdict, book
from hyperfocal.feedback.records import Given
from hyperfocal.feedback.tables import RequestRow
from hyperfocal.server.store.engine import READS, UNTIL, open_engine, refuse_foreign
from hyperfocal.server.store.migrate import migrate, refuse_others
from hyperfocal.server.store.threads import Threads, TooLate, Turn
from hyperfocal.storage import Storage

if TYPE_CHECKING:
    from hyperfocal.server.settings import ServerSettings

_P = ParamSpec("_P")
_T = TypeVar("_T")

# Verdicts that are read at once.
_PAGE = 500
# As long as anything waits for SQLite's one writer, for its turn here included.
_SECONDS = 10.0
_THREADS = 4


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
    a single writer anyway, four for PostgreSQL. :meth:`read` is for functions that write nothing:
    they do not wait for whoever writes, nor that for them, and of SQLite have threads of their
    own. Neither may wait for a storage of files: all others would, too. What does not come to its
    turn within ten seconds is given up. ``pictures``: those kept with consent; ``id``: what
    tells this database from others.
    """

    def __init__(self, engine: Engine, pictures: Storage, retention: Retention) -> None:
        self.pictures = pictures
        self.retention = retention
        self._engine = engine
        self._reading = engine.execution_options(**{READS: True})
        self._readers = self._writers = Threads(_THREADS, "store")
        if engine.dialect.name == "sqlite":
            self._writers = Threads(1, "store-writes")
        self.id = self.reading(book.identity)

    @classmethod
    def open(cls, settings: ServerSettings, *, as_it_is: bool = False) -> Store:
        """Open the database of the settings, bringing its tables up to date. Blocks.

        ``as_it_is``: to look at that of a service, which may be another version: tables are neither
        made nor changed. Raises :class:`SettingsError` where there is none to open, for a SQLite
        file that belongs to another program and, as it is, for tables of another version.
        """
        refuse_foreign(settings.database_url, RequestRow.__tablename__)
        engine = open_engine(settings.database_url)
        try:
            if as_it_is:
                with engine.connect() as connection:
                    refuse_others(connection)
            else:
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
        try:
            return cls(engine, Storage(settings.pictures_url), retention)
        except BaseException:
            engine.dispose()
            raise

    async def call(
        self, function: Callable[Concatenate[Session, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """``function(session, …)`` in a transaction of its own, in a thread.

        Raises what the function raises, :class:`UsageError` for a value that the database does
        not take, and :class:`StoreUnavailable`: then it was not done, and is not done later, for
        once it has begun it is waited for (only of a connection to PostgreSQL that breaks at its
        very end nobody knows). A caller that is cancelled meanwhile does not undo it, but what
        still waits for others to end is given up.
        """
        return await _in_turn(
            self._writers, self._engine, lambda session: function(session, *args, **kwargs)
        )

    async def read(
        self, function: Callable[Concatenate[Session, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """The same as :meth:`call` for a function that only reads."""
        return await _in_turn(
            self._readers, self._reading, lambda session: function(session, *args, **kwargs)
        )

    def blocking(
        self, function: Callable[Concatenate[Session, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """The same as :meth:`call` in the caller's own thread."""
        return _within(self._engine, lambda session: function(session, *args, **kwargs))

    def reading(
        self, function: Callable[Concatenate[Session, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """The same as :meth:`read` in the caller's own thread."""
        return _within(self._reading, lambda session: function(session, *args, **kwargs))

    def verdicts(
        self,
        *,
        verdict: Verdict | None = None,
        models: Collection[str] | None = None,
        since: datetime | None = None,
    ) -> Iterator[Given]:
        """All verdicts, the newest first. Blocks.

        Read a page at a time, each in a transaction that is over when its first verdict is given:
        whoever takes them may take his time. One that is given anew meanwhile may be left out.
        """

        def page(session: Session) -> list[Given]:
            return list(
                book.find(
                    session, verdict=verdict, models=models, since=since, after=last, limit=_PAGE
                )
            )

        last: Given | None = None
        while found := self.reading(page):
            yield from found
            last = found[-1]

    async def record(self, request: Request) -> None:
        """Write down that a request was answered, so that it can be judged.

        That goes on for a caller that is cancelled: the answer is not to wait for a busy database.
        """
        writing = asyncio.create_task(self.call(book.record, request))
        writing.add_done_callback(_take_note)
        await asyncio.shield(writing)

    def keep(self, picture: Path, suffix: str) -> tuple[str, int]:
        """Put a picture into :attr:`pictures`; gives its name there and its bytes. Blocks."""
        return book.keep(self.pictures, self.id, picture, suffix)

    def close(self) -> None:
        """Wait for what is being written, and close; what has not begun never will. Blocks."""
        for threads in (self._readers, self._writers):
            threads.begin_to_close()
        for threads in (self._readers, self._writers):
            threads.close()
        self._engine.dispose()


async def _in_turn(threads: Threads, engine: Engine, work: Callable[[Session], _T]) -> _T:
    try:
        return await threads.run(lambda turn: _within(engine, work, turn), _SECONDS)
    except TooLate:
        raise StoreUnavailable("the database cannot be used: others are busy with it") from None


def _take_note(writing: asyncio.Task[None]) -> None:
    # Who has left is not told any more, which is no reason for a traceback in the log.
    if not writing.cancelled():
        writing.exception()


def _within(engine: Engine, work: Callable[[Session], _T], turn: Turn | None = None) -> _T:
    """What ``work`` gives, in a transaction of its own, which is begun before the turn is over."""
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            if turn is not None:
                # Begins the transaction, for which another one may have to end.
                session.connection(execution_options={UNTIL: turn.ends})
                turn.check()
            return work(session)
    except DataError as error:
        # PostgreSQL's text, for one, has no NUL.
        raise UsageError("a value in the request is none that can be written down") from error
    except (DatabaseError, InterfaceError, TimeoutError) as error:
        raise StoreUnavailable(f"the database cannot be used: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The driver's own sentence, without the statement and its values."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
