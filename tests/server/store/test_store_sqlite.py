"""The store on SQLite, and what only SQLite needs."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from store_suite import StoreSuite, add, request

from hyperfocal.errors import SettingsError
from hyperfocal.feedback import book
from hyperfocal.feedback.records import now
from hyperfocal.feedback.tables import VerdictRow
from hyperfocal.server.store import Status, Store, StoreUnavailable, jobs
from hyperfocal.server.store.engine import open_engine


@pytest.fixture
def store(settings):
    made = Store.open(settings)
    yield made
    made.close()


class TestSqlite(StoreSuite):
    pass


def test_as_it_should_be_set(store):
    def pragma(name):
        return store.blocking(lambda session: session.execute(text(f"PRAGMA {name}")).scalar())

    assert pragma("journal_mode") == "wal"
    assert pragma("foreign_keys") == 1
    assert pragma("busy_timeout") >= 5000


def test_foreign_keys_hold(store):
    def orphan(session):
        session.add(
            VerdictRow(
                id="v",
                request_pk=99,
                created=now(),
                verdict="up",
                reasons=[],
                comment="",
                keep_picture=False,
            )
        )
        session.flush()

    with pytest.raises((IntegrityError, StoreUnavailable)):
        store.blocking(orphan)


def test_everything_is_there_after_it_was_opened_again(settings):
    first = Store.open(settings)
    job = add(first)
    first.blocking(book.record, request())
    first.close()
    second = Store.open(settings)
    assert second.blocking(jobs.get, job.id) == job
    second.blocking(book.know, "r", "")
    second.close()


def test_a_database_that_another_program_locks_is_unavailable(settings, monkeypatch):
    monkeypatch.setattr("hyperfocal.server.store.engine._PRAGMAS", ("PRAGMA busy_timeout=1",))
    store = Store.open(settings)
    other = sqlite3.connect(settings.data / "hyperfocal.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="locked"):
        store.blocking(jobs.counts)
    other.execute("ROLLBACK")
    other.close()
    store.blocking(jobs.counts)
    store.close()


def test_to_read_is_neither_to_wait_nor_to_hold_up(settings, monkeypatch):
    monkeypatch.setattr(
        "hyperfocal.server.store.engine._PRAGMAS",
        ("PRAGMA journal_mode=WAL", "PRAGMA busy_timeout=1"),
    )
    store, other = Store.open(settings), Store.open(settings)

    def writing(session):
        return store.reading(jobs.counts)

    def reading(session):
        before = jobs.counts(session)
        add(store)
        return before

    assert other.blocking(writing) == other.reading(reading)
    assert other.reading(jobs.counts)[Status.QUEUED] == 1
    for one in (store, other):
        one.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "not a database URL"),
        ("mysql://u:pw@host/db", "'mysql' is not supported"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
    ],
)
def test_databases_that_cannot_be_used(url, says):
    with pytest.raises(SettingsError, match=says) as raised:
        open_engine(url)
    assert "pw" not in str(raised.value)


def test_a_file_that_is_no_database(settings):
    settings.data.mkdir()
    (settings.data / "hyperfocal.db").write_bytes(b"no database" * 200)
    with pytest.raises(SettingsError, match="cannot be opened"):
        Store.open(settings)


def test_the_database_of_another_program_is_left_alone(settings):
    settings.data.mkdir()
    file = settings.data / "hyperfocal.db"
    with closing(sqlite3.connect(file)) as connection:
        # Some have been made by migrations too.
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("CREATE TABLE runs (id TEXT)")
    before = file.read_bytes()
    with pytest.raises(SettingsError, match="database of something else"):
        Store.open(settings)
    assert file.read_bytes() == before
    assert list(settings.data.iterdir()) == [file]


def test_an_empty_database_may_be_used(settings):
    settings.data.mkdir()
    (settings.data / "hyperfocal.db").touch()
    Store.open(settings).close()
    Store.open(settings).close()


def test_a_folder_that_cannot_be_made_is_told(settings):
    settings.data.write_bytes(b"in the way")
    with pytest.raises(SettingsError, match="cannot be made: (File exists|Not a directory)"):
        Store.open(settings)


@pytest.mark.parametrize("name", ["postgres", "postgresql"])
def test_the_bare_names_of_postgresql_mean_one_driver(name):
    pytest.importorskip("psycopg")
    assert open_engine(f"{name}://u@127.0.0.1/db").dialect.driver == "psycopg"
