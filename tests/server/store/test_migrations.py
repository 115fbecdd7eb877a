"""The migrations make exactly the tables that the program uses."""

from __future__ import annotations

import subprocess
import sys

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from hyperfocal.errors import SettingsError
from hyperfocal.server.settings import ServerSettings
from hyperfocal.server.store import Store
from hyperfocal.server.store.engine import open_engine
from hyperfocal.server.store.migrate import configuration, migrate
from hyperfocal.server.store.tables import Base


@pytest.fixture
def engine(tmp_path):
    made = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    yield made
    made.dispose()


def test_models_and_head_agree(engine):
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert set(inspect(connection).get_table_names()) == {
            *Base.metadata.tables,
            "alembic_version",
        }


def test_down_and_up_again(engine):
    migrate(engine)
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    migrate(engine)
    migrate(engine)


def test_a_migration_that_fails_leaves_the_database_as_it_was(engine, monkeypatch):
    def no_power(*arguments, **more):
        raise RuntimeError("no power")

    # By then a table has been made.
    monkeypatch.setattr("alembic.op.create_index", no_power)
    with pytest.raises(RuntimeError):
        migrate(engine)
    monkeypatch.undo()
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    migrate(engine)


def test_a_database_of_a_newer_program_is_refused(engine):
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match="newer version"):
        migrate(engine)


def test_a_look_changes_no_tables(engine, tmp_path):
    settings = ServerSettings(data=tmp_path, database=str(engine.url))

    def look(words):
        with engine.connect() as connection:
            before = inspect(connection).get_table_names()
        with pytest.raises(SettingsError, match=words):
            Store.open(settings, as_it_is=True)
        with engine.connect() as connection:
            assert inspect(connection).get_table_names() == before

    look("is empty; has the service run")
    migrate(engine)
    Store.open(settings, as_it_is=True).close()
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "-1")
    look("of an older version")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    look("newer version")


def test_several_services_may_start_at_once(settings):
    script = (
        "from hyperfocal.server.settings import ServerSettings as S\n"
        "from hyperfocal.server.store import Store\n"
        f"Store.open(S(data={str(settings.data)!r})).close()"
    )
    started = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [one.wait(180) for one in started] == [0, 0, 0]
    Store.open(settings).close()


def insert(connection, table, values):
    """As an older version did, whatever its tables are called in Python now."""
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


def test_jobs_of_an_older_version_are_kept(engine):
    """Revision 0002 names jobs, 0003 their storages, 0005 depth maps; older ones have none."""
    with engine.begin() as connection:
        command.upgrade(configuration(connection), "0001")
        values = {
            "id": "a", "request_id": "r", "owner": "", "status": "queued", "progress": 0.0,
            "revision": 1, "created": "2026-01-01 00:00:00", "expires": "2026-01-02 00:00:00",
            "options": "{}", "source": "s", "attempts": 0, "runner": "", "fingerprint": "f",
        }  # fmt: skip
        insert(connection, "jobs", values)
    migrate(engine)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT id, name, storage, depth FROM jobs")).all()
        assert found == [("a", "", "", None)]


def test_requests_of_an_older_version_were_not_reused(engine):
    """Revision 0004 tells those whose ids were used again after a verdict."""
    with engine.begin() as connection:
        command.upgrade(configuration(connection), "0003")
        values = {
            "request_id": "r", "owner": "", "created": "2026-01-01 00:00:00", "model": "m",
            "model_version": "v", "scale": 2.0, "width": 1, "height": 1, "statistics": "{}",
        }  # fmt: skip
        insert(connection, "requests", values)
    migrate(engine)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT request_id, reused FROM requests")).all()
        assert found == [("r", 0)]


def test_an_identity_that_was_lost_is_made_anew(settings):
    Store.open(settings).close()
    engine = open_engine(settings.database_url)
    try:
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM identity"))
        ids = []
        for _ in range(2):
            store = Store.open(settings)
            ids.append(store.id)
            store.close()
        assert ids[0] == ids[1]
        assert len(ids[0]) == 32
    finally:
        engine.dispose()


def test_a_database_with_two_identities_is_refused_with_a_sentence(settings):
    Store.open(settings).close()
    engine = open_engine(settings.database_url)
    try:
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO identity (id) VALUES ('another')"))
        with pytest.raises(SettingsError, match="'identity' has 2 rows and must have one"):
            Store.open(settings)
    finally:
        engine.dispose()


def test_every_database_has_an_id_of_its_own(settings, tmp_path):
    ids = []
    for data in (settings.data, settings.data, tmp_path / "another"):
        store = Store.open(settings.model_copy(update={"data": data}))
        ids.append(store.id)
        store.close()
    assert ids[0] == ids[1] != ids[2]
    assert len(ids[0]) == 32
