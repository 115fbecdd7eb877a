"""An API that is away, slow, or answers oddly."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fronting import request_head
from pretending import check_problem, read_answer
from upstreams import OK

from hyperfocal.web.settings import WebSettings
from hyperfocal.web.upstream import Ask, Gone, Upstream

CRLF = b"\r\n"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port at which nobody listens, nor can before the test is over."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_an_api_that_is_not_there(fronted, closed_port):
    with fronted(api=f"http://127.0.0.1:{closed_port}") as web:
        answer = web.client.post("/v1/upscale", content=b"picture", headers={"x-request-id": "a"})
        assert check_problem(answer, 502, "api-unreachable")["request_id"] == "a"
        # The page is there all the same, and so is what it needs.
        assert web.client.get("/").status_code == 200
        assert web.client.get("/static/main.js").status_code == 200


def test_an_api_whose_name_is_not_known(fronted, monkeypatch):
    find = socket.getaddrinfo

    def not_known(host, *more, **named):
        # Said here: the machine's own name server may take longer than a connection may.
        if host in ("nowhere.invalid", b"nowhere.invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return find(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", not_known)
    with fronted(api="http://nowhere.invalid") as web:
        check_problem(web.client.get("/v1/models"), 502, "api-unreachable")


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nConte"])
def test_an_api_that_hangs_up(upstream, fronted, said):
    upstream.says(said)
    with fronted() as web:
        check_problem(web.client.get("/v1/models"), 502, "api-unreachable")


def test_an_api_that_does_not_answer(upstream, fronted):
    upstream.behave = lambda connection, head: upstream.over.wait(60)
    with fronted(answer_seconds=0.3) as web:
        check_problem(web.client.post("/v1/upscale", content=b"x"), 504, "api-timeout")


def test_an_api_that_does_not_take_the_picture(upstream, fronted):
    upstream.behave = lambda connection, head: upstream.over.wait(60)
    with fronted(answer_seconds=0.3) as web:
        answer = web.client.post("/v1/upscale", content=bytes(30_000_000))
        check_problem(answer, 504, "api-timeout")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
    ],
)
def test_half_an_answer_is_not_taken_for_a_whole_one(upstream, fronted, head):
    upstream.says(head + b"half!")
    with fronted() as web:
        with pytest.raises(httpx.RemoteProtocolError):
            web.client.get("/v1/results/a.png")
        assert web.client.get("/healthz").status_code == 200


def test_an_answer_that_stops_on_the_way(upstream, fronted):
    def stop(connection, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        upstream.over.wait(60)

    upstream.behave = stop
    # The beginning has to be there within as much.
    with fronted(answer_seconds=5) as web, pytest.raises(httpx.RemoteProtocolError):
        web.client.get("/v1/results/a.png")


def test_events_may_be_far_apart(upstream, fronted):
    go_on = threading.Event()

    def follow(connection, head):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: one\r\n\r\n"
        )
        go_on.wait(60)
        connection.sendall(b"event: two\r\n\r\n")

    upstream.behave = follow
    # Other answers do not get so much time, and a connection nobody uses is closed after it. The
    # beginning has to be there within as much.
    with (
        fronted(answer_seconds=4, body_seconds=4) as web,
        web.client.stream("GET", "/v1/jobs/a/events") as events,
    ):
        lines = events.iter_lines()
        assert next(lines) == "event: one"
        with web.connection() as silent:
            # Closed by its limit: so at least that much time has gone by.
            assert silent.recv(1) == b""
        go_on.set()
        assert [line for line in lines if line] == ["event: two"]


def test_events_that_fall_silent_are_given_up(upstream, fronted):
    """As when the machine of the API is gone, which closes no connection."""

    def fall_silent(connection, head):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: one\r\n\r\n"
        )
        assert connection.recv(1) == b""

    upstream.behave = fall_silent
    with (
        fronted(events_seconds=0.3) as web,
        web.client.stream("GET", "/v1/jobs/a/events") as events,
    ):
        lines = events.iter_lines()
        assert next(lines) == "event: one"
        # Told apart from an end that the API meant: what was left of the job is not over.
        with pytest.raises(httpx.RemoteProtocolError):
            list(lines)
        assert upstream.gone.wait(60)


def test_a_visitor_who_leaves_an_event_stream_ends_it(upstream, fronted):
    def follow(connection, head):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: one\r\n\r\n"
        )
        # Nothing more to say; the other side's leaving is what ends it.
        assert connection.recv(1) == b""

    upstream.behave = follow
    with fronted() as web:
        with web.client.stream("GET", "/v1/jobs/a/events") as events:
            assert next(events.iter_lines()) == "event: one"
        assert upstream.gone.wait(60)
        web.until_idle()


def test_what_is_in_progress_at_the_end_is_given_up(upstream):
    arrived = threading.Event()

    def keep(connection, head):
        arrived.set()
        assert connection.recv(1) == b""

    upstream.behave = keep
    api = Upstream(WebSettings.read({}, api=upstream.url))
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(api.send, Ask("GET", "/v1/models", [], None, None, lambda: False))
        assert arrived.wait(60)
        api.close()
        with pytest.raises(Gone):
            asked.result(60)
    assert upstream.gone.wait(60)


def test_an_answer_that_is_still_coming_at_the_end_is_given_up(upstream):
    def keep(connection, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\none")
        assert connection.recv(1) == b""

    upstream.behave = keep
    api = Upstream(WebSettings.read({}, api=upstream.url))
    ask = Ask("GET", "/v1/jobs/a/events", [], None, None, lambda: False)
    answer = api.send(ask)
    assert next(answer) == b"one"
    with ThreadPoolExecutor(1) as threads:
        more = threads.submit(next, answer)
        api.close()
        with pytest.raises(Gone):
            more.result(60)
    # Whoever comes too late neither waits nor fails.
    answer.close()
    with pytest.raises(Gone):
        api.send(ask)
    assert upstream.gone.wait(60)


def test_headers_of_the_answer(upstream, fronted):
    packed = gzip.compress(b"picture")
    upstream.says(
        b"HTTP/1.1 200 Fine\r\nContent-Length: %d\r\nContent-Encoding: gzip\r\n"
        b"Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nServer: secret/1.0\r\n"
        b"Set-Cookie: a=b\r\nLink: <a>\r\nLink: <b>\r\nX-Request-ID: theirs\r\n\r\n%b"
        % (len(packed), packed)
    )
    with fronted() as web:
        answer = web.client.get("/v1/results/a.png")
    assert answer.content == b"picture"
    assert answer.headers["content-length"] == str(len(packed))
    assert answer.headers.get_list("link") == ["<a>", "<b>"]
    assert answer.headers["x-request-id"] == "theirs"
    for name in ("x-hop", "keep-alive", "server", "set-cookie"):
        assert name not in answer.headers


def test_headers_of_the_request(upstream, fronted):
    upstream.says(b"HTTP/1.1 204 No Content\r\n\r\n")
    with fronted() as web, web.connection() as connection:
        connection.sendall(
            request_head(
                "GET", "/v1/models", Connection="X-Mine", X_Mine=1, Cookie="a=b", TE="gzip"
            )
        )
        assert connection.recv(12) == b"HTTP/1.1 204"
    lines = [line.lower() for line in upstream.heads[0].split(b"\r\n")]
    host = upstream.url.removeprefix("http://").encode()
    assert b"host: " + host in lines
    assert b"x-forwarded-for: 127.0.0.1" in lines
    assert not any(line.startswith((b"x-mine", b"cookie", b"te:", b"upgrade")) for line in lines)


@pytest.mark.parametrize("value", [b"caf\xc3\xa9", b"caf\xe9", b"\xff\x80"])
def test_a_header_that_is_not_ascii_arrives_as_it_was(upstream, fronted, value):
    upstream.says(OK)
    with fronted() as web, web.connection() as connection:
        connection.sendall(request_head("GET", "/v1/models")[:-2] + b"X-Name: " + value + CRLF * 2)
        assert read_answer(connection)[0] == 200
    assert b"x-name: " + value in upstream.heads[0].lower().split(CRLF)


@pytest.mark.parametrize("byte", [b"\x01", b"\x7f"])
def test_an_address_that_is_none_is_refused(fronted, upstream, byte):
    with fronted() as web, web.connection() as connection:
        connection.sendall(b"GET /v1/models?x=" + byte + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        status, _, body = read_answer(connection)
    assert (status, json.loads(body)["code"]) == (400, "malformed")
    assert upstream.heads == []


def test_a_redirect_is_the_visitors_to_follow(upstream, fronted):
    upstream.says(
        b"HTTP/1.1 307 Away\r\nLocation: http://elsewhere.invalid/\r\nContent-Length: 0\r\n\r\n"
    )
    with fronted() as web:
        answer = web.client.get("/v1/models")
    assert answer.status_code == 307
    assert len(upstream.heads) == 1


def test_an_api_below_a_path(upstream, fronted):
    upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
    with fronted(api=f"{upstream.url}/deep/api/") as web:
        assert web.client.get("/v1/models?a=b").json() == []
    assert upstream.heads[0].startswith(b"GET /deep/api/v1/models?a=b HTTP/1.1")


def test_proxies_of_the_machine_are_not_asked(upstream, fronted, closed_port, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{closed_port}")
    upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
    with fronted() as web:
        assert web.client.get("/v1/models").json() == []


def test_an_error_of_its_own_is_told_and_logged(fronted, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("private")

    monkeypatch.setattr("hyperfocal.web.upstream.Upstream.send", fail)
    with fronted() as web:
        answer = web.client.get("/v1/models")
    check_problem(answer, 500, "internal")
    assert "private" not in answer.text
    assert "private" in caplog.text
