"""Large bodies, passed on to the API while they come."""

from __future__ import annotations

import re
import socket
import threading

import pytest
from fronting import request_head
from pretending import read_answer
from upstreams import OK

from hyperfocal.web.channel import WHOLE_BYTES
from hyperfocal.web.incoming import WAITING_BYTES

HALF = WHOLE_BYTES + 1000


def taker(upstream, ends):
    """The API takes bodies until ``ends(body)``; set once something of one is there."""
    begun, bodies = threading.Event(), []

    def behave(connection, head):
        body = head.partition(b"\r\n\r\n")[2]
        while not ends(body):
            if body:
                begun.set()
            piece = connection.recv(1 << 20)
            if not piece:
                break
            body += piece
        bodies.append(body)
        connection.sendall(OK)

    upstream.behave = behave
    return begun, bodies


def test_the_api_has_the_beginning_before_the_end_is_sent(upstream, fronted):
    content = bytes(range(256)) * (2 * HALF // 256)
    begun, bodies = taker(upstream, lambda body: len(body) == len(content))
    with fronted() as web, web.connection() as connection:
        connection.sendall(request_head(Content_Length=len(content)) + content[:HALF])
        assert begun.wait(60)
        connection.sendall(content[HALF:])
        status, headers, _ = read_answer(connection)
        assert (status, headers.get("connection")) == (200, None)
        # It was a whole request: the connection is good for another.
        connection.sendall(request_head("GET", "/healthz"))
        assert read_answer(connection)[0] == 200
    assert bodies == [content]
    assert b"content-length: %d" % len(content) in upstream.heads[0].lower()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_a_body_of_unknown_length_too(upstream, fronted):
    begun, bodies = taker(upstream, lambda body: body.endswith(b"\r\n0\r\n\r\n"))
    with fronted() as web, web.connection() as connection:
        connection.sendall(request_head(Transfer_Encoding="chunked") + chunk(b"a" * HALF))
        assert begun.wait(60)
        connection.sendall(chunk(b"b" * HALF) + b"0\r\n\r\n")
        assert read_answer(connection)[0] == 200
    sent = re.sub(rb"(^|\r\n)[0-9a-f]+\r\n", b"", bodies[0]).rstrip(b"\r\n")
    assert sent == b"a" * HALF + b"b" * HALF
    assert b"transfer-encoding: chunked" in upstream.heads[0].lower()


def pour(connection, until=()) -> int:
    """Bytes that are taken until the error comes."""
    sent = 0
    try:
        while True:
            sent += connection.send(b"x" * 100_000)
    except until:
        return sent


def test_a_small_body_is_taken_whole_first(upstream, fronted):
    _, bodies = taker(upstream, lambda body: len(body) == 10)
    with fronted() as web, web.connection() as connection:
        connection.sendall(request_head(Content_Length=10) + b"x" * 9)
        assert web.client.get("/healthz").status_code == 200
        assert upstream.heads == []
        connection.sendall(b"x")
        assert read_answer(connection)[0] == 200
    assert bodies == [b"x" * 10]


def test_a_body_that_stops_coming(upstream, fronted):
    begun, _ = taker(upstream, lambda body: False)
    # As much time has the beginning to reach the API.
    with fronted(body_seconds=5) as web, web.connection() as connection:
        connection.sendall(request_head(Content_Length=2 * HALF) + b"x" * HALF)
        assert begun.wait(60)
        status, headers, body = read_answer(connection)
        assert (status, headers["connection"]) == (408, "close")
        assert b"body-too-slow" in body
        assert upstream.gone.wait(60)
        assert connection.recv(10) == b""
        # Nor is the other side of the connection left open for ever.
        with pytest.raises(OSError):
            pour(connection)
        web.until_idle()


def test_bytes_are_counted_on_the_way(upstream, fronted):
    begun, _ = taker(upstream, lambda body: False)
    with fronted(max_body=2 * HALF) as web, web.connection() as connection:
        connection.sendall(request_head(Transfer_Encoding="chunked") + chunk(b"x" * HALF))
        assert begun.wait(60)
        for _ in range(2):
            connection.sendall(chunk(b"x" * HALF))
        status, headers, body = read_answer(connection)
        assert (status, headers["connection"]) == (413, "close")
        assert b"body-too-large" in body
        assert upstream.gone.wait(60)


def test_what_is_no_chunk(upstream, fronted):
    begun, _ = taker(upstream, lambda body: False)
    with fronted() as web, web.connection() as connection:
        connection.sendall(request_head(Transfer_Encoding="chunked") + chunk(b"x" * HALF))
        assert begun.wait(60)
        connection.sendall(b"zz\r\n" + request_head("GET", "/v1/models"))
        status, headers, body = read_answer(connection)
        assert (status, headers["connection"]) == (400, "close")
        assert b"malformed" in body
        assert connection.recv(10) == b""
    # What stood behind it was not taken for another request.
    assert len(upstream.heads) == 1


def test_a_visitor_who_leaves_while_sending(upstream, fronted):
    begun, _ = taker(upstream, lambda body: False)
    with fronted() as web:
        with web.connection() as connection:
            connection.sendall(request_head(Content_Length=2 * HALF) + b"x" * HALF)
            assert begun.wait(60)
        assert upstream.gone.wait(60)
        web.until_idle()


def test_an_answer_before_the_end_of_the_request(upstream, fronted):
    with fronted() as web, web.connection() as connection:
        connection.sendall(request_head(path="/nowhere", Content_Length=9 * HALF) + b"x" * HALF)
        status, headers, _ = read_answer(connection)
        assert (status, headers["connection"]) == (404, "close")
        # What is sent after it is no request of its own, but it may be sent.
        connection.sendall(request_head("GET", "/v1/models"))
        assert connection.recv(10) == b""
        web.until_idle()
    assert upstream.heads == []


def test_a_refusal_by_the_api_while_it_is_sent(upstream, fronted):
    def refuse(connection, head):
        connection.sendall(
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
        )
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 20):
            pass

    upstream.behave = refuse
    with fronted() as web:
        answer = web.client.post("/v1/upscale", content=b"x" * (4 * WAITING_BYTES))
    assert (answer.status_code, answer.content) == (401, b"no")


def test_more_uploads_than_threads_to_spare_are_taken_whole(upstream, fronted):
    begun, bodies = taker(upstream, lambda body: len(body) == 2 * HALF)
    head = request_head(Content_Length=2 * HALF)
    with (
        fronted(threads=4, followers=1, uploads=1) as web,
        web.connection() as first,
        web.connection() as second,
    ):
        first.sendall(head + b"1" * HALF)
        assert begun.wait(60)
        second.sendall(head + b"2" * HALF)
        assert web.client.get("/healthz").status_code == 200
        assert len(upstream.heads) == 1
        second.sendall(b"2" * HALF)
        assert read_answer(second)[0] == 200
        first.sendall(b"1" * HALF)
        assert read_answer(first)[0] == 200
        assert bodies == [b"2" * 2 * HALF, b"1" * 2 * HALF]
        # The place is free again, as soon as what was answered is over for the server, too.
        web.until_idle()
        begun.clear()
        second.sendall(head + b"3" * HALF)
        assert begun.wait(60)
        second.sendall(b"3" * HALF)
        assert read_answer(second)[0] == 200


def test_a_slow_api_holds_the_client_back(upstream, fronted):
    """What it does not take stays with the client, who is not blamed for it."""
    upstream.behave = lambda connection, head: upstream.over.wait(60)
    # All that fits on the way has to have been sent before it could be blamed.
    with fronted(body_seconds=6, answer_seconds=9) as web, web.connection() as connection:
        connection.sendall(request_head(Content_Length=40_000_000))
        connection.settimeout(1)
        assert pour(connection, until=TimeoutError) < 20_000_000
        connection.settimeout(60)
        status, _, body = read_answer(connection)
        assert status == 504
        assert b"api-timeout" in body
