"""Bringing a database to the tables that this version of the program uses."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, func, insert, select, text

from hyperfocal.errors import SettingsError
from hyperfocal.feedback.tables import IdentityRow

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent / "migrations"
# Any number, the same in every process that may start at once.
_ADVISORY_LOCK = 0x68796665

_NEWER = "the database was made by a newer version of hyperfocal; update the program"


def migrate(engine: Engine) -> None:
    """Apply what is missing, in one transaction and one process at a time.

    :class:`SettingsError` where the database was made by a newer version of the program, or where
    it has more than one identity.
    """
    from alembic import command
    from alembic.util.exc import CommandError

    with engine.begin() as connection:
        # SQLite's transaction is locked from its beginning; PostgreSQL is told to be.
        if connection.dialect.name == "postgresql":
            # Of a large table it takes as long as it takes, and others wait for it.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        try:
            command.upgrade(configuration(connection), "head")
        except CommandError as error:
            raise SettingsError(_NEWER) from error
        _identify(connection)


def refuse_others(connection: Connection) -> None:
    """:class:`SettingsError` unless the tables are those of this program; writes nothing."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    found = set(MigrationContext.configure(connection).get_current_heads())
    script = ScriptDirectory.from_config(configuration(connection))
    if found == set(script.get_heads()):
        return
    if not found:
        raise SettingsError("the database is empty; has the service run on it yet?")
    known = {revision.revision for revision in script.walk_revisions()}
    if found <= known:
        raise SettingsError(
            "the database is of an older version of hyperfocal; the service brings it up to date "
            "when it starts"
        )
    raise SettingsError(_NEWER)


def configuration(connection: Connection) -> Config:
    """Alembic's settings for the migrations in this package, on an open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _identify(connection: Connection) -> None:
    """Make the identity anew where it was lost, as from a copy of some tables only."""
    ids = connection.scalar(select(func.count()).select_from(IdentityRow)) or 0
    if ids > 1:
        raise SettingsError(
            f"the database's table 'identity' has {ids} rows and must have one; keep the one with "
            "which the names of kept pictures begin"
        )
    if ids == 0:
        connection.execute(insert(IdentityRow).values(id=secrets.token_hex(16)))
