"""A PostgreSQL server that takes connections and says nothing."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from hyperfocal.errors import SettingsError
from hyperfocal.server.settings import ServerSettings
from hyperfocal.server.store import Store, engine

pytest.importorskip("psycopg")


@pytest.fixture
def silent():
    """Its URL. When the test is over it goes, and whoever still waits for it is told."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield f"postgresql://someone:pass-word@127.0.0.1:{door.getsockname()[1]}/x"


@pytest.mark.parametrize("by_url", [False, True])
def test_a_server_that_stays_silent_ends_the_start(tmp_path, monkeypatch, silent, by_url):
    # The least that the client library takes.
    if by_url:
        monkeypatch.setitem(engine._CLIENT, "connect_timeout", "3600")
        silent += "?connect_timeout=2"
    else:
        monkeypatch.setitem(engine._CLIENT, "connect_timeout", "2")
    settings = ServerSettings(data=tmp_path, database=silent)
    with ThreadPoolExecutor(1) as threads:
        opening = threads.submit(Store.open, settings)
        with pytest.raises(SettingsError, match="cannot be opened: .*timeout") as raised:
            opening.result(60)
    assert "pass-word" not in str(raised.value)


def test_it_is_known_to_be_away_when_it_does_not_answer_later_either():
    made = engine.open_engine("postgresql://someone@127.0.0.1/x?tcp_user_timeout=5000&keepalives=0")
    assert made.url.query["tcp_user_timeout"] == "5000"
    assert made.url.query["keepalives"] == "0"
    assert int(made.url.query["connect_timeout"]) > 0
    assert int(made.url.query["keepalives_idle"]) > 0
