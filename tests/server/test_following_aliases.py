"""Models that change because an alias in the registry moves."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pretending import check_problem

from hyperfocal import Settings, models
from hyperfocal.server import loading


@pytest.fixture
def move(tmp_path, monkeypatch):
    """``move("champion-x2", "photo-fast-x2")`` in a registry of this test's own."""
    monkeypatch.setenv("HYPERFOCAL_MODELS", str(tmp_path / "models"))

    def moved(alias, model):
        models.set_alias(alias, model, settings=Settings.read())

    return moved


def until(running, reloads):
    while len(running.pool.reloads) < reloads:
        assert running.ready()
    # Written down just after the pool has changed; asking for the lock is waiting for that.
    while running.service.changing.locked():
        assert running.ready()
    return running.pool.reloads


def test_the_service_goes_where_the_alias_goes_and_back(pretending, move):
    move("champion-x2", "photo-fast-x2")
    with pretending(alias_seconds=0.01, models="champion-x2,photo-fast-x4") as running:
        # Workers never see an alias: one that is replaced must load what the others have.
        assert running.pool.models == ("photo-fast-x2", "photo-fast-x4")
        move("champion-x2", "photo-realtime-x2")
        assert until(running, 1) == [("photo-realtime-x2", "photo-fast-x4")]
        loaded = running.client.get("/version").json()["models"]
        assert loaded == ["photo-fast-x4", "photo-realtime-x2"]
        move("champion-x2", "photo-fast-x2")
        assert until(running, 2)[-1] == ("photo-fast-x2", "photo-fast-x4")


def test_a_roll_back_holds_until_the_alias_moves_again(pretending, move):
    move("champion-x2", "photo-fast-x2")
    with pretending(alias_seconds=0.01, models="champion-x2") as running:
        move("champion-x2", "photo-realtime-x2")
        until(running, 1)
        answer = running.client.post("/v1/admin/rollback")
        assert answer.json()["models"] == ["photo-fast-x2"]
        check_problem(running.client.post("/v1/admin/rollback"), 409, "nothing-before")
        move("champion-x2", "restore-fast-x2")
        assert until(running, 3)[-1] == ("restore-fast-x2",)


def test_what_cannot_be_followed_changes_nothing_and_is_told_once(
    pretending, move, tmp_path, caplog
):
    def write(text):
        # At once: a file seen half-written would be another one.
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").replace(tmp_path / "models" / "aliases")

    move("champion-x2", "photo-fast-x2")
    with pretending(alias_seconds=0.01, models="champion-x2") as running:
        write('champion-x2 = "no-such-model"\n')
        while "is not followed" not in caplog.text:
            assert running.ready()
        assert running.pool.reloads == []
        write("damaged")
        while "cannot be read" not in caplog.text:
            assert running.ready()
        write('champion-x2 = "photo-realtime-x2"\n')
        assert until(running, 1) == [("photo-realtime-x2",)]
        assert caplog.text.count("is not followed") == 2
        # Mended in between, the same damage is news.
        write("damaged")
        while caplog.text.count("cannot be read") < 2:
            assert running.ready()


def test_an_alias_that_moves_while_other_models_are_loaded_does_not_undo_that(
    pretending, move, monkeypatch
):
    move("champion-x2", "photo-fast-x2")
    begun, followed, go = threading.Event(), threading.Event(), asyncio.Event()
    with (
        pretending(alias_seconds=0.01, models="champion-x2") as running,
        ThreadPoolExecutor(1) as t,
    ):
        reload, load = running.pool.reload, loading.load

        async def slowly(models):
            begun.set()
            await go.wait()
            return await reload(models)

        async def following(*given):
            followed.set()
            return await load(*given)

        monkeypatch.setattr(running.pool, "reload", slowly)
        monkeypatch.setattr(loading, "load", following)
        wish = {"models": ["photo-fast-x4"]}
        asked = t.submit(running.client.post, "/v1/admin/reload", json=wish)
        assert begun.wait(60)
        move("champion-x2", "photo-realtime-x2")
        assert followed.wait(60)
        running.loop.call_soon_threadsafe(go.set)
        assert asked.result(60).status_code == 200
        assert until(running, 2) == [("photo-fast-x4",), ("photo-fast-x4",)]


def test_a_bug_does_not_end_the_following(pretending, move, monkeypatch, caplog):
    move("champion-x2", "photo-fast-x2")
    with pretending(alias_seconds=0.01, models="champion-x2") as running:
        reload = running.pool.reload

        async def once(models):
            monkeypatch.setattr(running.pool, "reload", reload)
            raise ZeroDivisionError

        monkeypatch.setattr(running.pool, "reload", once)
        move("champion-x2", "photo-realtime-x2")
        while "is not followed" not in caplog.text:
            assert running.ready()
        move("champion-x2", "restore-fast-x2")
        assert until(running, 1) == [("restore-fast-x2",)]


def test_an_admin_may_name_an_alias(pretending, move):
    move("champion-x2", "photo-realtime-x2")
    with pretending(alias_seconds=0) as running:
        answer = running.client.post("/v1/admin/reload", json={"models": ["champion-x2"]})
        assert answer.json()["models"] == ["photo-realtime-x2"]
        assert running.pool.reloads == [("photo-realtime-x2",)]


def test_an_alias_of_nothing_stops_the_start(monkeypatch, tmp_path):
    from hyperfocal.errors import ModelBroken
    from hyperfocal.server import http_server
    from hyperfocal.server.app import create_app
    from hyperfocal.server.settings import ServerSettings

    monkeypatch.setenv("HYPERFOCAL_MODELS", str(tmp_path))
    (tmp_path / "aliases").write_text("damaged")
    settings = ServerSettings(data=tmp_path / "data", port=0)
    with pytest.raises(ModelBroken, match="aliases"):
        http_server.serve(create_app(settings), settings, lambda _: None)
