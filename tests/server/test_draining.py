"""What comes and goes while the service stops: it is finished, or told why it is not."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import time

import httpx
import pytest
from pretending import read_answer

# Many times the 0.1 s within which a server that sees no reason to wait closes its door.
LONG = 1.0
# Of a picture: more than the buffers of a connection hold.
SIZE = 20_000_000


def post(path, size, content) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {size}"
    return f"{head}\r\n\r\n".encode() + content


def until_begun(running, requests=1) -> None:
    """Until so many requests have a folder of their own."""
    while len(list(running.service.settings.spool.glob("request-*"))) < requests:
        assert running.client.get("/healthz").status_code == 200


@contextlib.contextmanager
def downloading(running):
    """A connection on which an answer has begun, of which nothing is read."""
    with running.connection(room=1 << 16) as connection:
        connection.sendall(post("/v1/upscale", SIZE, b"x" * SIZE))
        assert running.pool.arrived.wait(60)
        # Its head is there, and so the route has returned.
        assert connection.recv(1, socket.MSG_PEEK)
        yield connection


@pytest.fixture(autouse=True)
def _told(monkeypatch) -> None:
    # A service that was started in this process has kept its log to itself since then.
    for name in ("hyperfocal", "uvicorn", "uvicorn.error", "asyncio"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)


def check_no_traces(caplog) -> None:
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR and line.exc_info]


def check_open(running) -> None:
    """That clients may still connect, and go on to be able to."""
    running.server.stop()
    while running.ready():
        pass
    ends = time.monotonic() + LONG
    while time.monotonic() < ends:
        assert httpx.get(f"{running.url}/healthz", trust_env=False).status_code == 200


def test_a_download_is_finished_before_the_door_is_closed(pretending):
    with pretending(drain_seconds=600, body_seconds=600) as running:
        with downloading(running) as connection:
            check_open(running)
            status, _, body = read_answer(connection)
        assert (status, len(body)) == (200, SIZE)


def test_so_is_the_sending_of_a_job(pretending, png):
    with (
        pretending(drain_seconds=600, body_seconds=600) as running,
        running.connection() as connection,
    ):
        connection.sendall(post("/v1/jobs", len(png), png[:10]))
        until_begun(running)
        check_open(running)
        connection.sendall(png[10:])
        assert read_answer(connection)[0] == 202


def test_idle_clients_and_those_that_follow_a_job_are_not_waited_for(pretending, png):
    with pretending(drain_seconds=600) as running, contextlib.ExitStack() as held:
        running.pool.hold = True
        job = running.client.post("/v1/jobs", content=png).headers["location"]
        held.enter_context(running.connection())
        following = held.enter_context(running.connection())
        following.sendall(f"GET {job}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert following.recv(1, socket.MSG_PEEK)
        running.server.stop()
        while following.recv(65536):
            pass


def test_what_does_not_end_in_time_is_told_so(pretending, caplog):
    with (
        pretending(drain_seconds=0.2, body_seconds=600) as running,
        running.connection() as sending,
        running.connection() as waiting,
    ):
        running.pool.hold = True
        waiting.sendall(post("/v1/upscale", 3, b"abc"))
        assert running.pool.arrived.wait(60)
        sending.sendall(post("/v1/jobs", 1000, b"x" * 10))
        until_begun(running, 2)
        running.server.stop()
        for connection in (sending, waiting):
            status, headers, body = read_answer(connection)
            assert (status, json.loads(body)["code"]) == (503, "draining")
            assert headers["content-type"] == "application/problem+json"
            assert headers["connection"] == "close"
            assert int(headers["retry-after"]) >= 1
            assert connection.recv(10) == b""
    check_no_traces(caplog)


def test_an_answer_that_has_begun_breaks_off(pretending, caplog):
    with pretending(drain_seconds=0.2, body_seconds=600) as running:
        with downloading(running) as connection:
            running.server.stop()
            while not running.loop.is_closed():
                time.sleep(0.01)
            # The process would end now, and its sockets with it; here they stay.
            connection.setblocking(False)
            received = 0
            with contextlib.suppress(ConnectionResetError, BlockingIOError):
                while piece := connection.recv(1 << 20):
                    received += len(piece)
        assert 0 < received < SIZE
    check_no_traces(caplog)
