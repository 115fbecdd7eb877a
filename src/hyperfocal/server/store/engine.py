"""Opening the database: SQLite as it should be set, or PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from hyperfocal.errors import SettingsError
from hyperfocal.server.security.starting import make_private

READS = "hyperfocal_reads"
"""Option of a connection whose transactions only read."""

UNTIL = "hyperfocal_until"
"""Option of a connection: until when its transaction waits for those of others to end, by
``time.monotonic()``. PostgreSQL has limits of its own."""

# Of PostgreSQL, in the words of its client library, unless the URL says otherwise: what does not
# answer is away. The parts of a service that wait for it could not even be stopped.
_CLIENT = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
_POOL_SECONDS = 10
# For one statement of a service; the longest are those that look through all requests.
_STATEMENT_MS = 30_000

_BUSY_MS = 10_000
_PRAGMAS = (
    # Readers do not wait for the writer, and a service that is killed loses no commit.
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    f"PRAGMA busy_timeout={_BUSY_MS}",
    "PRAGMA foreign_keys=ON",
)


def open_engine(url: str) -> Engine:
    """The database of ``url``: ``sqlite:///file`` or ``postgresql://…``.

    The folder of a SQLite file is made. Nothing is connected yet. :class:`SettingsError` for a
    URL of neither kind or without its driver, or where the folder cannot be made.
    """
    address = _address(url)
    if address.get_backend_name() == "sqlite":
        return _sqlite(address)
    return _postgresql(address)


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for a database that is none."""
    address = _address(url)
    return Path(address.database or "") if address.get_backend_name() == "sqlite" else None


def refuse_foreign(url: str, own: str) -> None:
    """:class:`SettingsError` where a SQLite file has tables, but none of the name ``own``.

    Only read: opening it as the service does would change it.
    """
    file = sqlite_file(url)
    if file is None or not file.is_file():
        return
    tables: set[str] = set()
    # What is no database, or cannot be read, is told when it is opened.
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        tables.update(
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        )
    if tables - {"alembic_version"} and own not in tables:
        raise SettingsError(
            f"{file} is the database of something else: it has tables, and none of the service's"
        )


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        backend = address.get_backend_name()
    except (ArgumentError, NoSuchModuleError) as error:
        raise SettingsError(
            "database: not a database URL; write sqlite:///file.db or postgresql://user@host/name"
        ) from error
    if backend == "postgres" or address.drivername == "postgresql":
        # What the bare name means differs between versions of SQLAlchemy.
        return address.set(drivername="postgresql+psycopg")
    if backend not in ("sqlite", "postgresql"):
        raise SettingsError(f"database: '{backend}' is not supported; use sqlite or postgresql")
    if backend == "sqlite" and address.database in (None, "", ":memory:"):
        raise SettingsError("database: jobs must survive a restart; name a file: sqlite:///file.db")
    return address


def _postgresql(address: URL) -> Engine:
    if address.drivername in ("postgresql+psycopg", "postgresql+psycopg2"):
        address = address.set(query={**_CLIENT, **address.query})
    try:
        engine = create_engine(
            address, pool_pre_ping=True, pool_size=4, max_overflow=2, pool_timeout=_POOL_SECONDS
        )
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"PostgreSQL needs a driver ({error.name}): pip install 'hyperfocal[postgres]'"
        ) from error

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # Not as an option of the connection, which poolers refuse; migrations take it back.
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_STATEMENT_MS}")

    return engine


def _sqlite(address: URL) -> Engine:
    folder = Path(str(address.database)).parent
    make_private(folder, f"{folder}: the folder of the database")
    engine = create_engine(address, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _set(connection: sqlite3.Connection, record: Any) -> None:
        # The driver's own way of opening transactions leaves out DDL and reads.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        (record.info["busy_ms"],) = connection.execute("PRAGMA busy_timeout").fetchone()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # Locked from the start: a transaction that reads and then writes cannot be refused. One
        # that only reads waits for nobody, and nobody for it.
        options, waits = connection.get_execution_options(), connection.info["busy_ms"]
        if (until := options.get(UNTIL)) is not None:
            waits = min(waits, max(1, round((until - time.monotonic()) * 1000)))
        # The transaction before may have had less.
        connection.connection.driver_connection.execute(f"PRAGMA busy_timeout={waits}").close()
        connection.exec_driver_sql("BEGIN" if options.get(READS) else "BEGIN IMMEDIATE")

    return engine
