"""How the page's server ends: what is in progress gets some time, and nothing new begins."""

from __future__ import annotations

import socket
import threading

import httpx
import pytest
from fronting import request_head
from pretending import read_answer
from upstreams import OK, pour

from hyperfocal.web.listen import addresses


def keeper(upstream):
    """The API answers when the second event is set; the first is once it was asked."""
    asked, go_on = threading.Event(), threading.Event()

    def behave(connection, head):
        asked.set()
        go_on.wait(60)
        connection.sendall(OK)

    upstream.behave = behave
    return asked, go_on


def test_an_answer_in_progress_is_waited_for(upstream, fronted):
    asked, go_on = keeper(upstream)
    with fronted() as web, web.connection() as connection, web.connection() as idle:
        idle.sendall(request_head("GET", "/healthz"))
        assert read_answer(idle)[0] == 200
        connection.sendall(request_head("GET", "/v1/models"))
        assert asked.wait(60)
        web.loop.stop()
        # Who has asked for nothing is not kept waiting, and cannot ask for more.
        assert idle.recv(1) == b""
        with pytest.raises(OSError):
            socket.create_connection((web.host, web.port), timeout=60)
        go_on.set()
        assert read_answer(connection)[::2] == (200, b"ok")
        # It was good for another request, which will not be taken.
        assert connection.recv(1) == b""
        web.thread.join(60)
        assert not web.thread.is_alive()


def test_a_request_that_is_still_coming_is_waited_for(upstream, fronted):
    upstream.says(OK)
    with fronted() as web, web.connection() as connection, web.connection() as unclear:
        connection.sendall(request_head(Content_Length=10) + b"x")
        unclear.sendall(b"GET /v1/models HTTP/1.1\r\nHost:")
        # Both have been read once what came after them was answered.
        assert web.client.get("/healthz").status_code == 200
        web.loop.stop()
        assert unclear.recv(1) == b""
        connection.sendall(b"x" * 9)
        assert read_answer(connection)[::2] == (200, b"ok")
    assert len(upstream.heads) == 1


@pytest.mark.parametrize("hurried", [False, True])
def test_nobody_is_waited_for_without_end(upstream, fronted, hurried):
    def stop_half_way(connection, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        upstream.over.wait(60)

    upstream.behave = stop_half_way
    with fronted(grace=600 if hurried else 0.3) as web:
        with web.client.stream("GET", "/v1/results/a.png") as answer:
            pieces = answer.iter_raw()
            assert next(pieces) == b"half"
            for _ in range(1 + hurried):
                web.loop.stop()
            with pytest.raises(httpx.HTTPError):
                next(pieces)
        web.thread.join(60)
        assert not web.thread.is_alive()
        assert web.server.task_dispatcher.threads == set()


def test_who_does_not_read_is_not_waited_for_without_end(upstream, fronted):
    upstream.behave = pour
    with fronted(grace=0.3) as web, web.connection() as connection:
        connection.sendall(request_head("GET", "/v1/results/a.png"))
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        web.loop.stop()
        web.thread.join(60)
        assert not web.thread.is_alive()
        assert web.server.task_dispatcher.threads == set()


def test_a_name_with_several_addresses(fronted, monkeypatch):
    find = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *given, **named: 2 * find(*given, **named)[:1]
    )
    with fronted(host="127.0.0.1") as web:
        monkeypatch.undo()
        ports = [port for _, port in addresses(web.server)]
        assert len(set(ports)) == 2
        for port in ports:
            assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
        web.loop.stop()
        web.thread.join(60)
        for port in ports:
            with pytest.raises(OSError):
                socket.create_connection((web.host, port), timeout=60)
