"""Clients that leave, work that takes too long, and a service that stops."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import stat
import sys
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import pytest
from pretending import check_problem
from waiting import wait_until

from hyperfocal.errors import ModelMissing, SettingsError
from hyperfocal.server import http_server
from hyperfocal.server.app import create_app
from hyperfocal.server.errors import SpoolFull
from hyperfocal.server.settings import ServerSettings
from hyperfocal.server.spool import check_reserve


def post(path="/v1/upscale", content=b"abc", kind="image/png") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


@pytest.mark.parametrize(
    "sent",
    [
        post(),
        post("/v1/preview"),
        post("/predict", json.dumps({"image": "YWJj"}).encode(), "application/json"),
    ],
)
def test_the_work_stops_when_its_client_leaves(running, sent):
    running.pool.hold = True
    with running.connection() as connection:
        connection.sendall(sent)
        assert running.pool.arrived.wait(60)
    assert running.pool.cancelled.wait(60)
    running.until_clean()
    assert running.service.in_progress == 0
    assert 'status="499"' in running.client.get("/metrics").text


def test_a_client_that_leaves_while_sending_is_forgotten(running):
    with running.connection() as connection:
        connection.sendall(post(content=b"x" * 1000)[:-500])
        wait_until(lambda: running.service.in_progress)
    running.until_clean()
    wait_until(lambda: not running.service.in_progress)
    assert running.pool.tasks == []


def test_a_client_that_leaves_does_not_stop_the_others(running):
    running.pool.hold = True
    running.pool.capacity = 2
    with ThreadPoolExecutor(1) as threads:
        with running.connection() as connection:
            connection.sendall(post())
            assert running.pool.arrived.wait(60)
            stays = threads.submit(running.client.post, "/v1/upscale", content=b"stays")
            wait_until(lambda: len(running.pool.tasks) == 2)
        assert running.pool.cancelled.wait(60)
        running.release()
        assert stays.result(60).content == b"syats"


def test_until_the_models_are_loaded_it_is_alive_but_not_ready(pretending):
    with pretending(wait=False, loads=False) as running:
        assert running.client.get("/healthz").json() == {"status": "alive"}
        check_problem(running.client.get("/readyz"), 503, "draining")
        for path in ("/v1/upscale", "/predict", "/v1/estimate"):
            answer = running.client.post(path, content=b"abc")
            check_problem(answer, 503, "draining")
            assert int(answer.headers["retry-after"]) >= 1
        assert running.client.get("/v1/models").status_code == 200


def test_a_worker_that_is_being_replaced_is_waited_for(pretending):
    with pretending() as running:
        running.pool.ready, running.pool.replacing = False, True
        check_problem(running.client.get("/readyz"), 503, "draining")
        assert running.client.post("/v1/upscale", content=b"abc").content == b"cba"


def test_stopping_finishes_what_was_begun_and_takes_nothing_new(pretending):
    with pretending() as running, ThreadPoolExecutor(1) as threads:
        running.pool.hold = True
        begun = threads.submit(running.client.post, "/v1/upscale", content=b"begun")
        assert running.pool.arrived.wait(60)
        running.server.stop()
        wait_until(lambda: not running.ready())
        check_problem(running.client.get("/readyz"), 503, "draining")
        assert running.client.get("/healthz").status_code == 200
        for path in ("/v1/upscale", "/v1/jobs"):
            check_problem(running.client.post(path, content=b"late"), 503, "draining")
        running.release()
        answer = begun.result(60)
    assert (answer.status_code, answer.content) == (200, b"nugeb")


def test_work_that_outlasts_the_drain_is_cut_off(pretending):
    with pretending(drain_seconds=0.2) as running:
        running.pool.hold = True
        with running.connection() as connection:
            connection.sendall(post())
            assert running.pool.arrived.wait(60)
            running.server.stop()
            assert running.pool.cancelled.wait(60)


def test_models_that_cannot_be_loaded_end_the_service(monkeypatch, tmp_path):
    from pretending import PretendPool

    monkeypatch.setattr("hyperfocal.server.pool.Pool", PretendPool, raising=False)
    settings = ServerSettings(data=tmp_path, port=0, models=("no-such-model",))
    with pytest.raises(ModelMissing):
        in_thread(lambda: http_server.serve(create_app(settings), settings, lambda _: None))


def test_a_database_that_cannot_be_opened_is_told(monkeypatch, tmp_path):
    settings = ServerSettings(data=tmp_path, port=0, database="mysql://x/y")
    with pytest.raises(SettingsError, match="database"):
        in_thread(lambda: http_server.serve(create_app(settings), settings, lambda _: None))


def test_a_port_that_is_taken_is_told(running, tmp_path):
    settings = ServerSettings(data=tmp_path / "other", port=running.port)
    with pytest.raises(SettingsError, match=f"port {running.port}"):
        http_server.serve(create_app(settings), settings, lambda _: None)


def test_an_address_that_is_none_is_told(tmp_path):
    settings = ServerSettings(data=tmp_path, port=0, host="no such host")
    with pytest.raises(SettingsError, match="no such host"):
        http_server.serve(create_app(settings), settings, lambda _: None)


def test_what_an_earlier_run_left_in_the_spool_goes(pretending, tmp_path):
    spool = tmp_path / "data" / "spool"
    (spool / "request-old").mkdir(parents=True)
    (spool / "request-old" / "image").write_bytes(b"x")
    (spool / "of-somebody-else").write_bytes(b"x")
    with pretending():
        assert sorted(path.name for path in spool.iterdir()) == ["lock", "of-somebody-else"]


@pytest.mark.skipif(sys.platform == "win32", reason="its folders have other rights")
def test_what_the_service_keeps_is_for_its_owner_only(pretending, tmp_path):
    with pretending():
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_data_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    settings = ServerSettings(data=tmp_path / "file" / "data", port=0)
    with pytest.raises(SettingsError, match="'data': .* cannot be made: Not a directory"):
        in_thread(lambda: http_server.serve(create_app(settings), settings, lambda _: None))


def test_what_another_service_is_working_on_in_the_same_folder_stays(pretending):
    with pretending() as first, ThreadPoolExecutor(1) as threads:
        first.pool.hold = True
        begun = threads.submit(first.client.post, "/v1/upscale", content=b"begun")
        assert first.pool.arrived.wait(60)
        (folder,) = first.service.settings.spool.glob("request-*")
        with pretending() as second:
            assert second.client.post("/v1/upscale", content=b"abc").content == b"cba"
            assert folder.exists()
        first.release()
        assert begun.result(60).content == b"nugeb"


@pytest.mark.skipif(sys.platform == "win32", reason="its locks cannot be shared")
def test_nor_does_it_go_when_the_service_that_was_first_has_left(pretending):
    with contextlib.ExitStack() as first_leaves, ThreadPoolExecutor(1) as threads:
        first_leaves.enter_context(pretending())
        with pretending() as second:
            second.pool.hold = True
            begun = threads.submit(second.client.post, "/v1/upscale", content=b"begun")
            assert second.pool.arrived.wait(60)
            (folder,) = second.service.settings.spool.glob("request-*")
            first_leaves.close()
            with pretending():
                assert folder.exists()
            second.release()
            assert begun.result(60).content == b"nugeb"


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def over_quota(*_, **__):
    raise OSError(errno.EDQUOT, "Disk quota exceeded")


@pytest.mark.parametrize("refuse", [full, over_quota])
@pytest.mark.parametrize(
    "place",
    [
        "hyperfocal.server.spool.tempfile.mkdtemp",
        "hyperfocal.server.intake.save",
        "hyperfocal.server.routes.predict.save",
        "hyperfocal.server.json_body.JsonBody.write_picture",
        "hyperfocal.server.multipart._Reader.part_data",
    ],
)
def test_a_full_disk_is_the_services_trouble_not_the_clients(running, monkeypatch, place, refuse):
    def answers():
        yield running.client.post("/v1/upscale", content=b"abc")
        yield running.client.post("/v1/jobs", content=b"abc")
        yield running.client.post("/predict", json={"image": "YWJj"})
        form = {"request_id": (None, "r"), "picture": ("a.png", b"abc")}
        yield running.client.post("/v1/feedback", files=form)

    monkeypatch.setattr(place, refuse)
    refused = [answer for answer in answers() if answer.status_code == 503]
    assert len(refused) == (4 if "mkdtemp" in place else 2 if "intake" in place else 1)
    for answer in refused:
        check_problem(answer, 503, "spool-full")
        assert "retry-after" in answer.headers
    assert all(answer.status_code < 500 for answer in answers() if answer.status_code != 503)


def test_a_spool_that_is_removed_is_made_again(pretending, png):
    with pretending() as running:
        spool = running.service.settings.spool
        shutil.rmtree(spool)
        assert running.client.post("/v1/upscale", content=png).status_code == 200
        # Its folder goes after the answer; removing it at the same time would fail here.
        while any(spool.glob("request-*")):
            pass
        shutil.rmtree(spool)
        job = running.client.post("/v1/jobs", content=png).headers["location"]
        running.client.get(f"{job}/events")
        assert running.client.get(job).json()["status"] == "succeeded"
        # Nor does another service that starts there take what lies in it for left over.
        (spool / "request-a").mkdir()
        with pretending():
            assert (spool / "request-a").exists()


def test_a_spool_that_cannot_be_used_is_told_as_that(pretending, caplog):
    with pretending() as running:
        spool = running.service.settings.spool
        shutil.rmtree(spool)
        spool.touch()
        answers = [
            running.client.post("/v1/upscale", content=b"abc"),
            running.client.post("/v1/jobs", content=b"abc"),
            running.client.post("/predict", json={"image": "YWJj"}),
        ]
        spool.unlink()
    for answer in answers:
        problem = check_problem(answer, 503, "spool-unusable")
        assert "File exists" in problem["detail"]
        assert str(spool) not in answer.text
        assert "retry-after" in answer.headers
    assert str(spool) in caplog.text


DiskUsage = namedtuple("DiskUsage", "total used free")


def test_a_reserve_stays_free_on_the_disk(pretending, monkeypatch):
    nearly_full = DiskUsage(100 * 10**9, 100 * 10**9 - 499 * 10**6, 499 * 10**6)
    monkeypatch.setattr("hyperfocal.server.spool.shutil.disk_usage", lambda _: nearly_full)
    with pretending() as running:
        for path, kind in (
            ("/v1/upscale", "image/png"),
            ("/v1/estimate", "image/png"),
            ("/v1/jobs", "image/png"),
            ("/predict", "application/json"),
            ("/v1/feedback", "multipart/form-data; boundary=b"),
        ):
            answer = running.client.post(path, content=b"abc", headers={"content-type": kind})
            assert "disk_reserve" in check_problem(answer, 503, "spool-full")["detail"]
            assert "retry-after" in answer.headers
        verdict = {"request_id": "r", "verdict": "up"}
        check_problem(running.client.post("/v1/feedback", json=verdict), 404, "not-found")
        assert list(running.service.settings.spool.glob("request-*")) == []


@pytest.mark.parametrize("full", ["spool", "scratch"])
def test_and_so_on_the_disk_of_large_results(pretending, monkeypatch, tmp_path, full):
    folders = {name: tmp_path / name for name in ("spool", "scratch")}
    for folder in folders.values():
        folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folders["scratch"]))
    monkeypatch.setattr("tempfile.tempdir", None)

    def usage(place):
        return DiskUsage(10**12, 0, 499 * 10**6 if place == folders[full] else 10**11)

    with pretending(spool=folders["spool"]) as running:
        assert running.client.post("/v1/upscale", content=b"abc").status_code == 200
        monkeypatch.setattr("hyperfocal.server.spool.shutil.disk_usage", usage)
        for path in ("/v1/upscale", "/v1/jobs"):
            check_problem(running.client.post(path, content=b"abc"), 503, "spool-full")


def test_a_tenth_of_a_small_disk_is_reserve_enough(tmp_path, monkeypatch):
    free = {}
    monkeypatch.setattr(
        "hyperfocal.server.spool.shutil.disk_usage", lambda _: DiskUsage(1000, 0, free["bytes"])
    )
    for free["bytes"] in (100, 500):
        check_reserve(10**9, tmp_path)
    free["bytes"] = 99
    check_reserve(99, tmp_path)
    check_reserve(10**9, None)  # a bucket has no disk of its own
    for folder in (tmp_path, tmp_path / "not" / "there"):
        with pytest.raises(SpoolFull):
            check_reserve(100, None, folder)


def in_thread(work):
    """Run outside the main thread, where servers leave signals alone; raise what it raises."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(work).result(60)
