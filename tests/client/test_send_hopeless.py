"""What every picture would fail of ends a batch; what one picture fails of does not."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from faking import Custom, Fake, job, picture, problem
from sending_folders import Call, results
from starlette.responses import HTMLResponse, JSONResponse, Response

from hyperfocal.cli import ledger
from hyperfocal.client import client as client_module

VERSION = JSONResponse({"version": "1.2"})


def uploads(fake: Fake) -> int:
    return fake.paths().count("/v1/upscale")


async def _say_nothing(scope: Any, receive: Any, send: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


SILENCE = Custom(_say_nothing)


def test_a_service_that_hangs_ends_it(
    send: Call, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_LOOK", 0.5)
    fake.otherwise = SILENCE
    answer = send("-j", "1", "--timeout", "0.5")
    assert answer.exit_code == 1
    # On a busy machine not even the first has arrived by then.
    assert uploads(fake) <= 1
    assert answer.stderr.count("gave no answer in time") == 1


GONE = {
    "a front without its API": problem(502, "api-unreachable", "the API cannot be reached"),
    "a front whose API hangs": problem(504, "api-timeout", "the API did not answer"),
    "a proxy's 502": HTMLResponse("bad gateway", 502),
    "a proxy's 503": HTMLResponse("no server is available", 503),
    "a proxy's 504": HTMLResponse("gateway timeout", 504),
}


@pytest.mark.parametrize("answer", GONE.values(), ids=GONE)
def test_a_service_that_is_gone_behind_a_proxy_ends_it(
    send: Call, fake: Fake, answer: Response
) -> None:
    # Of the front itself.
    fake.otherwise = lambda seen: VERSION if seen.path == "/healthz" else answer
    done = send("-j", "1", "--retries", "0", "--json")
    assert done.exit_code == 1
    assert uploads(fake) == 1
    told = json.loads(done.stdout)
    assert (told["failed"], told["files"]) == (0, [])
    assert told["stopped"]["message"]


@pytest.mark.parametrize("answer", GONE.values(), ids=GONE)
def test_one_that_is_there_goes_on_with_the_rest(send: Call, fake: Fake, answer: Response) -> None:
    fake.otherwise = lambda seen: answer if seen.path == "/v1/upscale" else VERSION
    done = send("-j", "1", "--retries", "0")
    assert done.exit_code == 1
    assert uploads(fake) == 3
    assert "3 failed" in done.stderr


@pytest.mark.parametrize("status", [401, 403])
def test_a_filter_that_lets_one_picture_not_through_stops_no_other(
    send: Call, fake: Fake, status: int
) -> None:
    fake.answers = [HTMLResponse("blocked", status), VERSION, VERSION]
    fake.otherwise = lambda seen: picture() if seen.path == "/v1/upscale" else VERSION
    done = send("-j", "1", "--retries", "0", "--json")
    told = json.loads(done.stdout)
    assert (told["done"], told["failed"]) == (2, 1)
    assert uploads(fake) == 3


def test_a_service_that_is_busy_is_not_taken_for_gone(send: Call, fake: Fake) -> None:
    """Not even where it has no connection left for the question."""
    fake.otherwise = problem(503, "too-many-connections", retry_after="0")
    assert send("-j", "1", "--retries", "1").exit_code == 1
    assert uploads(fake) == 6


def test_an_address_below_which_there_is_nothing_ends_it(send: Call, fake: Fake) -> None:
    fake.otherwise = problem(404, "not-found", "there is nothing at /wrong/v1/upscale")
    answer = send("-j", "1", url=f"{fake.url}/wrong")
    assert answer.exit_code == 1
    assert fake.paths() == ["/wrong/v1/upscale"]
    assert "hyperfocal: there is nothing at /wrong/v1/upscale" in answer.stderr


def test_so_does_one_without_jobs(send: Call, fake: Fake) -> None:
    fake.otherwise = lambda seen: (
        problem(504, "deadline") if seen.path == "/v1/upscale" else problem(404, "not-found")
    )
    assert send("-j", "1").exit_code == 1
    assert fake.paths() == ["/v1/upscale", "/v1/jobs"]


def test_a_job_that_has_expired_is_one_failed_picture(send: Call, fake: Fake) -> None:
    def answer(seen: Any) -> Any:
        if seen.path == "/v1/upscale":
            late = seen.body.endswith(b"a.png")
            return problem(504, "deadline") if late else picture(b"2x" + seen.body)
        if seen.path == "/v1/jobs":
            return JSONResponse(job(), 202)
        return VERSION if seen.path in ("/version", "/readyz") else problem(404, "not-found")

    fake.otherwise = answer
    assert send("-j", "1").exit_code == 1
    assert uploads(fake) == 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_takes_nothing_ends_it(
    send: Call, fake: Fake, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    from hyperfocal.imaging import atomic

    def full(folder: Path) -> Any:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as disk:
        disk.setattr(atomic, "temporary_in", full)
        answer = send("-j", "1", "--json")
    assert answer.exit_code == 1
    assert uploads(fake) == 1
    assert json.loads(answer.stdout)["stopped"]["code"] == "output-refused"
    assert results(folder) == {}
    # Once there is room, nothing is in the way.
    assert send().exit_code == 0
    assert len(results(folder)) == 3


def test_a_file_that_is_too_large_for_the_disk_is_one_failed_picture(
    send: Call, fake: Fake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hyperfocal.imaging import atomic

    def full(folder: Path) -> Any:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    monkeypatch.setattr(atomic, "temporary_in", full)
    assert send("-j", "1").exit_code == 1
    assert uploads(fake) == 3


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_a_ledger_that_cannot_be_written_ends_it_before_anything_is_sent(
    send: Call, fake: Fake, folder: Path
) -> None:
    out = folder.parent / "out"
    out.mkdir()
    (out / ledger.NAME).symlink_to(folder / "nowhere" / "ledger")
    answer = send("-j", "1")
    assert answer.exit_code == 1
    assert fake.seen == []
    assert answer.stderr.count(ledger.NAME) == 1
    assert results(folder) == {}


def test_a_ledger_that_can_no_longer_be_written_leaves_a_whole_result(
    send: Call, fake: Fake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = ledger.Ledger.note

    def full(self: ledger.Ledger, entry: ledger.Entry) -> None:
        if entry.state == "done":
            raise ledger.refusal(entry.output, OSError(errno.ENOSPC, "full"))
        noted(self, entry)

    with monkeypatch.context() as disk:
        disk.setattr(ledger.Ledger, "note", full)
        assert send("-j", "1").exit_code == 1
    assert uploads(fake) == 1
    assert len(results(folder)) == 1
    # It is known for one's own, and made again.
    assert send().exit_code == 0
    assert uploads(fake) == 4


def test_an_output_folder_that_may_not_be_written_ends_it(
    send: Call, fake: Fake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a ledger of an earlier call may still be added to in a folder that takes no new file.
    real = os.access

    def closed(path: Any, mode: int) -> bool:
        return not (mode & os.W_OK and Path(path).name == "out") and real(path, mode)

    monkeypatch.setattr(os, "access", closed)
    answer = send("-j", "1")
    assert answer.exit_code == 1
    assert fake.seen == []
    assert answer.stderr.count("may not be written") == 1
