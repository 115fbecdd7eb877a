"""Models that change because an alias in the registry moves."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from pretending import check_problem, serve
from waiting import wait_until

from hyperfocal import Settings, models
from hyperfocal.errors import ModelBroken
from hyperfocal.server import loading
from hyperfocal.server.errors import Draining
from hyperfocal.server.pool.pool import Pool
from hyperfocal.server.service import Chosen
from hyperfocal.server.settings import ServerSettings


@pytest.fixture
def move(tmp_path, monkeypatch):
    """``move("champion-x2", "photo-fast-x2")`` in a registry of this test's own."""
    monkeypatch.setenv("HYPERFOCAL_MODELS", str(tmp_path / "models"))

    def moved(alias, model):
        models.set_alias(alias, model, settings=Settings.read())

    return moved


def until(running, reloads):
    wait_until(lambda: len(running.pool.reloads) >= reloads)
    # Written down just after the pool has changed; asking for the lock is waiting for that.
    wait_until(lambda: not running.service.changing.locked())
    return running.pool.reloads


def write(folder, text):
    """Other aliases, at once: a file seen half-written would be another one."""
    (folder / "new").write_text(text)
    (folder / "new").replace(folder / "models" / "aliases")


def followed(running) -> float:
    """What the metrics say of it."""
    (line,) = [
        line
        for line in running.client.get("/metrics").text.splitlines()
        if line.startswith("hyperfocal_alias_followed ")
    ]
    return float(line.split()[1])


@pytest.fixture
def moved_on(pretending, move):
    """A service that has followed its only alias once, from photo-fast-x2 to photo-realtime-x2."""
    move("champion-x2", "photo-fast-x2")
    with pretending(alias_seconds=0.01, models="champion-x2") as running:
        move("champion-x2", "photo-realtime-x2")
        until(running, 1)
        yield running


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


def test_a_roll_back_holds_until_the_alias_moves_again(moved_on, move):
    answer = moved_on.client.post("/v1/admin/rollback")
    assert answer.json()["models"] == ["photo-fast-x2"]
    check_problem(moved_on.client.post("/v1/admin/rollback"), 409, "nothing-before")
    move("champion-x2", "restore-fast-x2")
    assert until(moved_on, 3)[-1] == ("restore-fast-x2",)


@pytest.fixture
def real(move, tmp_path, monkeypatch):
    """A service with a worker that has loaded what champion-x stands for: bicubic-x2."""
    # Whatever other tests have put in its place.
    monkeypatch.setattr("hyperfocal.server.pool.Pool", Pool, raising=False)
    move("champion-x", "bicubic-x2")
    given = {"data": tmp_path / "data", "workers": 1, "threads": 1, "models": "champion-x"}
    with serve(ServerSettings.read({}, port=0, alias_seconds=0.05, **given)) as running:
        wait_until(running.ready, 120)
        yield running


def asked(running, png, name="champion-x") -> str:
    """The model that made what a request for the alias got."""
    headers = {"content-type": "image/png"}
    answer = running.client.post(f"/v1/upscale?model={name}", content=png, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.headers["hyperfocal-model"]


def test_what_was_gone_back_to_serves_those_who_name_the_alias(real, move, png):
    move("champion-x", "bicubic-x3")
    wait_until(lambda: asked(real, png) == "bicubic-x3")
    wait_until(lambda: not real.service.changing.locked())
    assert real.client.post("/v1/admin/rollback").json()["models"] == ["bicubic-x2"]
    assert asked(real, png) == "bicubic-x2"
    # Whoever names a model gets that one.
    assert asked(real, png, "bicubic-x3") == "bicubic-x3"


def test_what_cannot_be_followed_changes_nothing_for_those_who_name_the_alias(real, tmp_path, png):
    write(tmp_path, 'champion-x = "no-such-model"\n')
    wait_until(lambda: followed(real) == 0)
    assert asked(real, png) == "bicubic-x2"
    lines = real.client.get("/metrics").text.splitlines()
    counted = [line for line in lines if line.startswith("predict_requests_total{")]
    assert len(counted) == 1, counted
    assert 'model="bicubic-x2"' in counted[0]
    assert 'status="200"' in counted[0]


def test_another_alias_does_not_undo_a_roll_back(pretending, move):
    move("champion-x2", "photo-fast-x2")
    move("large", "photo-fast-x4")
    move("other", "photo-fast-x2")
    with pretending(alias_seconds=0.01, models="champion-x2,large") as running:
        move("champion-x2", "photo-realtime-x2")
        until(running, 1)
        assert running.client.post("/v1/admin/rollback").status_code == 200
        # Of what requests may name, workers learn anew; what was gone back from stays away.
        move("other", "photo-fast-x4")
        assert until(running, 3)[-1] == ("photo-fast-x2", "photo-fast-x4")
        move("large", "photo-realtime-x4")
        assert until(running, 4)[-1] == ("photo-fast-x2", "photo-realtime-x4")
        # Moved itself, it is followed, and back to what was gone back from, too.
        move("champion-x2", "restore-fast-x2")
        assert until(running, 5)[-1] == ("restore-fast-x2", "photo-realtime-x4")
        move("champion-x2", "photo-realtime-x2")
        assert until(running, 6)[-1] == ("photo-realtime-x2", "photo-realtime-x4")


def test_a_reload_ends_a_roll_back(moved_on):
    moved_on.client.post("/v1/admin/rollback")
    moved_on.client.post("/v1/admin/reload", json={"models": ["champion-x2"]})
    assert until(moved_on, 3)[-1] == ("photo-realtime-x2",)


def test_damaged_aliases_keep_nobody_from_going_back(moved_on, tmp_path):
    whole = (tmp_path / "models" / "aliases").read_text()
    write(tmp_path, "damaged")
    answer = moved_on.client.post("/v1/admin/rollback")
    assert answer.json()["models"] == ["photo-fast-x2"]
    write(tmp_path, whole + 'other = "photo-fast-x4"\n')
    assert until(moved_on, 3)[-1] == ("photo-fast-x2",)


def test_what_cannot_be_followed_changes_nothing_and_is_told_once(
    pretending, move, tmp_path, caplog
):
    move("champion-x2", "photo-fast-x2")
    with pretending(alias_seconds=0.01, models="champion-x2") as running:
        write(tmp_path, 'champion-x2 = "no-such-model"\n')
        wait_until(lambda: "is not followed" in caplog.text)
        assert running.pool.reloads == []
        wait_until(lambda: followed(running) == 0)
        write(tmp_path, "damaged")
        wait_until(lambda: "cannot be read" in caplog.text)
        assert followed(running) == 0
        write(tmp_path, 'champion-x2 = "photo-realtime-x2"\n')
        assert until(running, 1) == [("photo-realtime-x2",)]
        wait_until(lambda: followed(running) == 1)
        assert caplog.text.count("is not followed") == 2
        # Mended in between, the same damage is news.
        write(tmp_path, "damaged")
        wait_until(lambda: caplog.text.count("cannot be read") == 2)


def test_what_could_not_be_followed_is_tried_again(pretending, move, monkeypatch, caplog):
    """As when the disk was full, or a file was being copied: nobody moves the alias again."""
    move("champion-x2", "photo-fast-x2")
    with pretending(alias_seconds=0.01, models="champion-x2") as running:
        reload, tried = running.pool.reload, []

        async def failing(models):
            tried.append(models)
            if len(tried) < 3:
                raise ModelBroken("the weights cannot be read")
            return await reload(models)

        monkeypatch.setattr(running.pool, "reload", failing)
        assert followed(running) == 1
        move("champion-x2", "photo-realtime-x2")
        assert until(running, 1) == [("photo-realtime-x2",)]
        assert len(tried) == 3
        assert caplog.text.count("is not followed") == 1
        wait_until(lambda: followed(running) == 1)


def test_an_alias_moved_back_to_what_is_served_is_followed(pretending, move, monkeypatch):
    move("champion-x2", "photo-fast-x2")
    with pretending(alias_seconds=0.01, models="champion-x2") as running:

        async def failing(models):
            raise ModelBroken("the weights cannot be read")

        monkeypatch.setattr(running.pool, "reload", failing)
        move("champion-x2", "photo-realtime-x2")
        wait_until(lambda: followed(running) == 0)
        move("champion-x2", "photo-fast-x2")
        wait_until(lambda: followed(running) == 1)


def test_where_aliases_are_not_followed_nothing_is_told_of_it(pretending):
    with pretending(alias_seconds=0) as running:
        assert "hyperfocal_alias_followed" not in running.client.get("/metrics").text


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
        assert until(running, 1) == [("photo-realtime-x2",)]
        assert caplog.text.count("is not followed") == 1
        move("champion-x2", "restore-fast-x2")
        assert until(running, 2)[-1] == ("restore-fast-x2",)


def test_an_admin_may_name_an_alias(pretending, move):
    move("champion-x2", "photo-realtime-x2")
    with pretending(alias_seconds=0) as running:
        answer = running.client.post("/v1/admin/reload", json={"models": ["champion-x2"]})
        assert answer.json()["models"] == ["photo-realtime-x2"]
        assert running.pool.reloads == [("photo-realtime-x2",)]


def test_an_alias_of_nothing_stops_the_start(monkeypatch, tmp_path):
    from hyperfocal.server import http_server
    from hyperfocal.server.app import create_app
    from hyperfocal.server.settings import ServerSettings

    monkeypatch.setenv("HYPERFOCAL_MODELS", str(tmp_path))
    (tmp_path / "aliases").write_text("damaged")
    settings = ServerSettings(data=tmp_path / "data", port=0)
    with pytest.raises(ModelBroken, match="aliases"):
        http_server.serve(create_app(settings), settings, lambda _: None)


def test_a_change_that_fails_when_nobody_waits_for_it_is_no_error_of_its_own():
    told = []

    async def main():
        begun, fail, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def reload(models):
            begun.set()
            await fail.wait()
            ended.set()
            raise Draining("stopping")

        asyncio.get_running_loop().set_exception_handler(lambda _, found: told.append(found))
        service = SimpleNamespace(
            pool=SimpleNamespace(reload=reload), changing=asyncio.Lock(), chosen=Chosen((), ())
        )
        waiting = asyncio.create_task(loading.load(service, ("bicubic-x2",)))
        await begun.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        fail.set()
        await ended.wait()
        await asyncio.sleep(0)
        # What was lost is told when it is thrown away.
        gc.collect()

    asyncio.run(main())
    assert told == []
