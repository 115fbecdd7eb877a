"""The store on a real PostgreSQL, started for these tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from store_suite import StoreSuite

from hyperfocal.errors import SettingsError
from hyperfocal.server.settings import ServerSettings
from hyperfocal.server.store import Store, StoreUnavailable, jobs
from hyperfocal.server.store.engine import open_engine
from hyperfocal.server.store.migrate import migrate
from hyperfocal.server.store.tables import Base

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
pytestmark = pytest.mark.skipif(
    not _BINARIES or shutil.which("runuser") is None, reason="no PostgreSQL server is installed"
)


class Server:
    """A PostgreSQL in a folder of its own, in which its socket is, too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self.url = f"postgresql://postgres@/postgres?host={folder}"
        self._run("initdb", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-locale", "-N")

    def start(self) -> None:
        given = "-c listen_addresses= -c fsync=off"
        given += f" -c unix_socket_directories={self._folder}"
        self._run("pg_ctl", "-w", "-s", "-l", str(self._folder / "log"), "-o", given, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-s", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        # The server refuses to be run by root.
        as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*as_user, str(_BINARIES[-1] / program), "-D", str(self._data), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=180)


@pytest.fixture(scope="module")
def server():
    # Short: the path of a socket may have about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        made = Server(Path(folder))
        made.start()
        yield made
        made.stop()


@pytest.fixture
def settings(server, tmp_path):
    engine = open_engine(server.url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return ServerSettings(data=tmp_path, database=server.url)


@pytest.fixture
def store(settings):
    made = Store.open(settings)
    yield made
    made.close()


class TestPostgresql(StoreSuite):
    pass


def test_models_and_head_agree(store, server):
    engine = open_engine(server.url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_several_services_may_start_at_once(settings):
    with ThreadPoolExecutor(3) as threads:
        for store in threads.map(lambda _: Store.open(settings), range(3)):
            store.close()


def test_a_server_that_went_away_and_came_back(store, server):
    store.blocking(jobs.counts)
    server.stop()
    with pytest.raises(StoreUnavailable):
        store.blocking(jobs.counts)
    server.start()
    store.blocking(jobs.counts)


def test_a_statement_that_takes_too_long_is_given_up(store, monkeypatch):
    monkeypatch.setattr("hyperfocal.server.store.engine._STATEMENT_MS", 1)
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        store.blocking(lambda session: session.execute(text("SELECT pg_sleep(60)")))


def test_but_not_one_of_a_migration(settings, monkeypatch):
    # Long enough for the statement that lifts it.
    monkeypatch.setattr("hyperfocal.server.store.engine._STATEMENT_MS", 500)
    engine = open_engine(settings.database_url)

    def slow(connection):
        connection.execute(text("SELECT pg_sleep(1)"))
        slept.append(True)

    slept = []
    monkeypatch.setattr("hyperfocal.server.store.migrate._identify", slow)
    migrate(engine)
    engine.dispose()
    assert slept


def test_a_server_that_is_not_there(server, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"postgresql://someone:pass-word@127.0.0.1:{free.getsockname()[1]}/x"
        with pytest.raises(SettingsError, match="cannot be opened") as raised:
            Store.open(ServerSettings(data=tmp_path, database=url))
    assert "pass-word" not in str(raised.value)
