"""Large bodies that wait in files, and what becomes of them where there is no room."""

from __future__ import annotations

import errno
import io
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fronting import Front, request_head
from pretending import read_answer
from upstreams import OK

from hyperfocal.web.channel import WHOLE_BYTES
from hyperfocal.web.held import Held, Room

# So much more than one read takes that it is in a file when all of it is there.
HALF = WHOLE_BYTES + 50_000
HEAD = request_head(Content_Length=2 * HALF)
FEW: dict[str, Any] = {"threads": 4, "followers": 1, "uploads": 1}


@pytest.fixture
def crowded(fronted, upstream):
    """``with crowded(held=…) as web``: whoever sends now cannot be passed on yet."""
    begun, bodies = threading.Event(), []

    def behave(connection, head):
        body = head.partition(b"\r\n\r\n")[2]
        while len(body) < 2 * HALF:
            if body:
                begun.set()
            piece = connection.recv(1 << 20)
            if not piece:
                return
            body += piece
        bodies.append(body[:1] * 2)
        connection.sendall(OK)

    upstream.behave = behave
    upstream.bodies = bodies

    @contextmanager
    def start(**changes: Any) -> Iterator[Front]:
        limits = {**FEW, "max_body": 2 * HALF, "held": 1, **changes}
        with fronted(**limits) as web, web.connection() as first:
            first.sendall(HEAD + b"1" * HALF)
            assert begun.wait(60)
            yield web

    return start


def begin(web, connection, letter):
    """The first half of a body is there."""
    connection.sendall(HEAD + letter * HALF)
    until(lambda: HALF in map(held_by, channels(web)))


def until(holds):
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends, "still not"
        time.sleep(0.005)


def channels(web):
    """Connections as the server knows them."""
    return list(web.server.active_channels.values())


def held_by(channel):
    """Bytes in a file; None where there is none."""
    body = getattr(channel.request, "body_rcv", None)
    return len(body) if isinstance(getattr(body, "buf", None), Held) else None


def check_full(connection):
    status, headers, body = read_answer(connection)
    assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "10")
    assert json.loads(body)["code"] == "too-many-uploads"


def test_bodies_that_wait_have_a_limit_together(crowded, upstream):
    with crowded() as web, web.connection() as second:
        begin(web, second, b"2")
        with web.connection() as third:
            third.sendall(HEAD + b"3" * 2 * HALF)
            check_full(third)
            assert third.recv(1) == b""
        # Who was there first has not lost anything, and leaves the room to others.
        second.sendall(b"2" * HALF)
        assert read_answer(second)[0] == 200
        until(lambda: sum(bool(channel.requests) for channel in channels(web)) == 1)
        second.sendall(HEAD + b"4" * 2 * HALF)
        assert read_answer(second)[0] == 200
    assert upstream.bodies == [b"22", b"44"]


def test_bodies_of_no_known_size_are_counted_too(crowded):
    with crowded() as web, web.connection() as second, web.connection() as third:
        begin(web, second, b"2")
        third.sendall(request_head(Transfer_Encoding="chunked"))
        third.sendall(b"%x\r\n%b\r\n" % (HALF, b"3" * HALF))
        third.sendall(b"%x\r\n%b\r\n" % (HALF - 9000, b"3" * (HALF - 9000)))
        check_full(third)


def test_who_leaves_makes_room(crowded):
    with crowded() as web:
        for _ in range(3):
            with web.connection() as second:
                begin(web, second, b"2")
            until(lambda: len(channels(web)) == 1)
        with web.connection() as third:
            third.sendall(HEAD + b"3" * 2 * HALF)
            assert read_answer(third)[0] == 200


def test_small_requests_need_no_room(crowded):
    with crowded() as web, web.connection() as second, web.connection() as third:
        begin(web, second, b"2")
        third.sendall(HEAD + b"3" * 2 * HALF)
        check_full(third)
        assert web.client.post("/nowhere", content=bytes(WHOLE_BYTES)).status_code == 404


def test_none_begins_where_the_disk_is_nearly_full(crowded, monkeypatch, caplog):
    usage = type("Usage", (), {"free": 99, "total": 10**12})
    with crowded(disk_reserve=100) as web, web.connection() as second:
        monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
        second.sendall(HEAD + b"2" * 2 * HALF)
        check_full(second)
    assert "nearly full" in caplog.text


def test_a_disk_that_takes_no_more(crowded, monkeypatch, caplog):
    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with crowded() as web:
        with web.connection() as second, monkeypatch.context() as patch:
            patch.setattr(tempfile, "TemporaryFile", refuse)
            second.sendall(HEAD + b"2" * 2 * HALF)
            check_full(second)
        with web.connection() as third:
            third.sendall(HEAD + b"3" * 2 * HALF)
            assert read_answer(third)[0] == 200
    assert os.strerror(errno.ENOSPC) in caplog.text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to /dev/full")
def test_what_cannot_be_written_is_refused_and_its_room_given_back():
    """All of it, and nothing is written after a gap."""
    told, room = [], Room(100, 0)
    held = Held(room, lambda: told.append("full"))
    held.append(b"x" * 60)
    assert not room.take(41)
    held.file.close()
    held.file = Path("/dev/full").open("w+b")  # noqa: SIM115
    held.append(b"x" * 10)
    held.append(b"x" * 10)
    assert told == ["full"]
    assert room.take(100)
    held.close()
    assert not room.take(1)


def test_its_files_are_not_where_memory_is(monkeypatch):
    made: list[str] = []

    def note(*_, dir, **__):
        made.append(dir)
        return io.BytesIO()

    monkeypatch.setattr(tempfile, "TemporaryFile", note)
    monkeypatch.setattr(os, "access", lambda path, mode: path == "/var/tmp")
    monkeypatch.setattr(tempfile, "tempdir", "elsewhere")
    monkeypatch.delenv("TMPDIR", raising=False)
    Held(Room(1, 0), list).close()
    monkeypatch.setenv("TMPDIR", "elsewhere")
    Held(Room(1, 0), list).close()
    assert made == ["/var/tmp", "elsewhere"]
