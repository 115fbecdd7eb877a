"""Connections before there is a request: too many, too large a head, other forms of address."""

from __future__ import annotations

import contextlib
import json
import logging
import sys

import pytest
from pretending import read_answer

from hyperfocal.errors import SettingsError
from hyperfocal.server import connection as connection_module
from hyperfocal.server import descriptors
from hyperfocal.server.descriptors import room_for

# Whoever waits for this long finds the test to have failed before.
NEVER = 10_000


def test_a_connection_beyond_the_limit_is_closed_unless_it_asks_soon(pretending):
    with pretending(max_connections=1, body_seconds=NEVER) as running:
        running.client.close()
        with running.connection() as first, running.connection() as beyond:
            assert beyond.recv(10) == b""
            first.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_answer(first)[0] == 200


def test_idle_connections_without_number_do_not_shut_the_door(pretending, monkeypatch):
    monkeypatch.setattr(connection_module, "RESERVE", 2)
    monkeypatch.setattr(connection_module, "_CROWDED_SECONDS", NEVER)
    with pretending(max_connections=1, body_seconds=NEVER) as running:
        running.client.close()
        with contextlib.ExitStack() as held:
            kept = [held.enter_context(running.connection()) for _ in range(3)]
            for _ in range(5):
                with running.connection() as beyond, contextlib.suppress(ConnectionResetError):
                    assert beyond.recv(10) == b""
            # The reserve is still told what the matter is, and so makes room again.
            for crowded in kept[1:]:
                crowded.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert read_answer(crowded)[0] == 503
                assert crowded.recv(10) == b""
            with running.connection() as next_one:
                next_one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert read_answer(next_one)[0] == 503


@pytest.mark.parametrize("size", [33_000, 40_000, 200_000])
def test_a_head_that_is_too_large_is_told_as_such(running, size):
    with running.connection() as connection:
        # The end is missing, so however it is cut into pieces, it is not complete before.
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * size)
        status, headers, body = read_answer(connection)
    assert (status, headers["content-type"]) == (431, "application/problem+json")
    problem = json.loads(body)
    assert (problem["code"], problem["status"]) == ("head-too-large", 431)
    assert problem["request_id"] == headers["x-request-id"]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://{}/healthz", 200),
        ("HTTPS://other.example:1/healthz?x=1", 200),
        ("http://{}", 200),
        ("http://{}?x=1", 200),
        ("http://{}/v1/nothing", 404),
        ("http://user@{}/healthz", 404),
        ("http:///healthz", 404),
        ("ftp://{}/healthz", 404),
    ],
)
def test_an_address_may_name_the_server(running, target, status):
    target = target.format(f"127.0.0.1:{running.port}")
    with running.connection() as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert read_answer(connection)[0] == status


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [("http://evil.example", "localhost", 403), ("http://localhost", "evil.example", 409)],
)
def test_the_server_that_an_address_names_goes_before_the_header(running, target, host, status):
    with running.connection() as connection:
        connection.sendall(
            f"POST {target}/v1/admin/rollback HTTP/1.1\r\nHost: {host}\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )
        assert read_answer(connection)[0] == status


class Limit:
    """The system's limit on open files."""

    def __init__(self, monkeypatch, soft, hard):
        resource = pytest.importorskip("resource")
        self.now = (soft, hard)
        monkeypatch.setattr(resource, "getrlimit", lambda _: self.now)
        monkeypatch.setattr(resource, "setrlimit", self.change)

    def change(self, _, limits):
        self.now = limits


def test_as_many_files_may_be_open_as_connections_need(monkeypatch):
    limit = Limit(monkeypatch, 1024, 1 << 20)
    assert room_for(5000) == 5000
    soft, hard = limit.now
    assert 5000 < soft < 20_000
    assert hard == 1 << 20
    # It is not lowered.
    assert room_for(1) == 1
    assert limit.now == (soft, hard)


def test_no_limit_is_enough(monkeypatch):
    resource = pytest.importorskip("resource")
    limit = Limit(monkeypatch, resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert room_for(5000) == 5000
    assert limit.now == (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def test_where_too_few_files_may_be_open_there_are_fewer_connections(monkeypatch, caplog):
    limit = Limit(monkeypatch, 1024, 2048)
    with caplog.at_level(logging.WARNING, descriptors.__name__):
        room = room_for(5000)
    assert limit.now == (2048, 2048)
    assert 500 < room < 1024
    assert f"{room} connections at once instead of 5000" in caplog.text
    assert "max_connections" in caplog.text


def test_where_no_connection_has_room_the_service_does_not_start(monkeypatch):
    Limit(monkeypatch, 256, 256)
    with pytest.raises(SettingsError, match="256 files.*ulimit"):
        room_for(10)


def test_a_limit_that_cannot_be_raised_is_taken_as_it_is(monkeypatch):
    limit = Limit(monkeypatch, 1024, 1 << 20)
    resource = pytest.importorskip("resource")

    def refuse(*_):
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert 1 <= room_for(5000) < 512
    assert limit.now == (1024, 1 << 20)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_the_service_serves_as_many_as_there_is_room_for(pretending, monkeypatch):
    monkeypatch.setattr("hyperfocal.server.http_server.room_for", lambda most: most - 1)
    with pretending(max_connections=2, body_seconds=NEVER) as running:
        running.client.close()
        with running.connection(), running.connection() as beyond:
            beyond.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_answer(beyond)[0] == 503
