"""What is too much or too slow for the page's server, on real connections."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from fronting import request_head
from pretending import check_problem, drop_until_answered, read_answer
from upstreams import OK, pour


def body_of(connection, head):
    """All of a request's body, chunked or not, as it comes."""
    size = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    got = len(head.partition(b"\r\n\r\n")[2])
    while got < size:
        piece = connection.recv(1 << 20)
        if not piece:
            break
        got += len(piece)
    return got


def takes_all(upstream):
    sizes = []

    def behave(connection, head):
        sizes.append(body_of(connection, head))
        connection.sendall(OK)

    upstream.behave = behave
    return sizes


def test_the_largest_body_is_taken_and_one_byte_more_is_not(upstream, fronted):
    sizes = takes_all(upstream)
    with fronted(max_body=1000) as web:
        assert web.client.post("/v1/upscale", content=b"x" * 1000).status_code == 200
        answer = web.client.post("/v1/upscale", content=b"x" * 1001)
        check_problem(answer, 413, "body-too-large")
    assert sizes == [1000]


def test_bytes_are_counted_as_they_come(upstream, fronted):
    with fronted(max_body=1000) as web:
        endless = (b"x" * 100 for _ in range(1000))
        check_problem(web.client.post("/v1/upscale", content=endless), 413, "body-too-large")
    assert upstream.heads == []


def test_a_declared_size_is_refused_before_a_byte_is_sent(upstream, fronted):
    with fronted(max_body=1000) as web, web.connection() as connection:
        connection.sendall(request_head(Content_Length=10**12, Expect="100-continue"))
        status, headers, _ = read_answer(connection)
        assert (status, headers["connection"]) == (413, "close")
        assert headers["x-content-type-options"] == "nosniff"
        assert connection.recv(10) == b""


def test_a_large_body_gets_to_read_why_it_is_refused(fronted):
    # Much more than the buffers of a connection hold, so that the client is still sending.
    with fronted(max_body=6_000_000) as web:
        answer = web.client.post("/v1/upscale", content=b"x" * 8_000_000)
        check_problem(answer, 413, "body-too-large")


def test_a_refused_client_cannot_go_on_for_ever(fronted):
    with fronted(max_body=1000, body_seconds=1) as web, web.connection() as connection:
        connection.sendall(request_head(Content_Length=2000))
        assert read_answer(connection)[0] == 413
        assert connection.recv(10) == b""
        # Our side is closed at once, the other side soon.
        with pytest.raises(OSError):
            send_on(connection)


def send_on(connection):
    while True:
        connection.sendall(b"x")


def test_a_slow_body_is_given_up(upstream, fronted):
    with fronted(body_seconds=1) as web, web.connection() as connection:
        connection.sendall(request_head(Content_Length=100) + b"x")
        status, headers, body = read_answer(connection)
        assert (status, headers["connection"]) == (408, "close")
        assert b"body-too-slow" in body
        assert connection.recv(10) == b""
    assert upstream.heads == []


def test_drops_do_not_buy_time(fronted):
    with fronted(body_seconds=1) as web, web.connection() as connection:
        connection.sendall(request_head(Content_Length=1_000_000))
        assert drop_until_answered(connection).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("sent", [b"", b"POST /v1/upscale HTTP/1.1\r\nHost:", b"\r\n\r\n"])
def test_a_slow_head_is_given_up(fronted, sent):
    with fronted(body_seconds=0.3) as web, web.connection() as connection:
        connection.sendall(sent)
        assert connection.recv(10) == b""


def test_a_connection_that_is_used_stays_open(upstream, fronted):
    with fronted(body_seconds=20) as web, web.connection() as connection:
        for _ in range(3):
            connection.sendall(request_head("GET", "/healthz"))
            assert read_answer(connection)[0] == 200


def test_a_head_has_its_limit(fronted):
    with fronted() as web:
        answer = web.client.get("/v1/models", headers={"x-long": "a" * 40_000})
        check_problem_at(answer, 431, "head-too-large")
        assert web.client.get("/healthz").status_code == 200


def check_problem_at(answer, status, code):
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_request_is_told_so(upstream, fronted, request_):
    with fronted() as web, web.connection() as connection:
        connection.sendall(request_)
        status, headers, body = read_answer(connection)
        assert status in (400, 501)
        assert headers["content-type"] == "application/problem+json"
        assert b'"code"' in body
        assert web.client.get("/healthz").status_code == 200
    assert upstream.heads == []


def test_who_does_not_read_is_given_up_and_the_service_with_him(upstream, fronted):
    upstream.behave = pour
    with fronted(body_seconds=2) as web, web.connection() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request_head("GET", "/v1/results/a.png"))
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert upstream.gone.wait(60)
        web.until_idle()


def test_followers_leave_threads_for_the_others(upstream, fronted):
    def follow(connection, head):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: job\r\n\r\n"
        )
        upstream.over.wait(60)

    upstream.behave = follow
    with fronted(threads=3, followers=1, uploads=1) as web:
        with web.client.stream("GET", "/v1/jobs/a/events") as first:
            assert next(first.iter_lines()) == "event: job"
            second = web.client.get("/v1/jobs/b/events")
            check_problem(second, 503, "too-many-followers")
            assert second.headers["retry-after"] == "2"
            assert web.client.get("/").status_code == 200
        # The one who left makes room.
        ends, status = time.monotonic() + 60, 503
        while status == 503 and time.monotonic() < ends:
            with web.client.stream("GET", "/v1/jobs/c/events") as third:
                status = third.status_code
        assert status == 200
        upstream.over.set()


def test_answers_that_nobody_reads_leave_threads_for_the_page(upstream, fronted):
    upstream.behave = pour
    with fronted(threads=3, own=1, followers=1, uploads=1, body_seconds=600) as web:
        with ExitStack() as stack:
            for _ in range(3):
                slow = stack.enter_context(web.connection())
                slow.sendall(request_head("GET", "/v1/results/a.png"))
                assert slow.recv(100).startswith(b"HTTP/1.1 200")
            for path in ("/healthz", "/", "/static/style.css"):
                assert web.client.get(path).status_code == 200
            for path in ("/v1/results/b.png", "/v1/jobs/a/events"):
                refused = web.client.get(path)
                check_problem(refused, 503, "too-many-answers")
                assert refused.headers["retry-after"] == "2"
            refused = web.client.post("/v1/upscale", content=bytes(2_000_000))
            check_problem(refused, 503, "too-many-answers")
            assert len(upstream.heads) == 3
        # Those who left make room.
        web.until_idle()
        upstream.says(OK)
        assert web.client.get("/v1/results/b.png").text == "ok"


def test_who_asks_again_and_again_and_does_not_read_holds_no_thread(fronted):
    # As many as are read at once; the answers are more than any buffer holds.
    asked = b"GET /static/style.css HTTP/1.1\r\n\r\n" * 220
    few = {"threads": 3, "own": 1, "followers": 1, "uploads": 1}
    with fronted(**few, body_seconds=600) as web, ExitStack() as stack:
        for _ in range(4):
            deaf = stack.enter_context(web.connection())
            deaf.sendall(asked)
            assert deaf.recv(100).startswith(b"HTTP/1.1 200")
        web.until_idle()
        assert web.client.get("/healthz").status_code == 200
        # Who reads later gets all of them.
        count, end = 1, b""
        while count < 220:
            piece = end + deaf.recv(1 << 20)
            assert len(piece) > len(end), "closed"
            count += piece.count(b"HTTP/1.1 200 OK\r\n")
            end = piece[-16:]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_pictures_are_not_held_in_memory(upstream):
    size = 40_000_000
    sizes = []

    def echo_size(connection, head):
        sizes.append(body_of(connection, head))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 1_000_000):
            connection.sendall(bytes(1_000_000))

    upstream.behave = echo_size
    program = subprocess.Popen(
        [sys.executable, "-m", "hyperfocal", "web", "--port", "0", "--api", upstream.url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_PROXY": "*"},
    )
    try:
        address = program.stdout.readline().strip()
        small = httpx.get(f"{address}/", timeout=60)
        assert small.status_code == 200
        before = peak(program.pid)
        sending = {"content": bytes(size), "timeout": 60}
        with httpx.stream("POST", f"{address}/v1/upscale", **sending) as answer:
            got = sum(len(piece) for piece in answer.iter_raw())
        assert (sizes, got) == ([size], size)
        assert peak(program.pid) - before < size / 2
    finally:
        program.terminate()
        program.wait(60)
        program.stdout.close()


def peak(pid: int) -> int:
    """Most bytes of memory that a process has had."""
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
