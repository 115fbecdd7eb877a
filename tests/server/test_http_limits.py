"""Limits, on real connections: what is too much, too slow or too often."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack

import httpx
import pytest
from pretending import check_problem, drop_until_answered, read_answer
from waiting import wait_until

from hyperfocal.server.errors import RateLimited
from hyperfocal.server.limits import Rate


def head(method="POST", path="/v1/upscale", **headers) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def test_a_body_of_the_largest_size_is_taken_and_one_byte_more_is_not(pretending):
    with pretending(max_body=1000) as running:
        assert running.client.post("/v1/upscale", content=b"x" * 1000).status_code == 200
        answer = running.client.post("/v1/upscale", content=b"x" * 1001)
        check_problem(answer, 413, "body-too-large")
        running.until_clean()


def test_a_declared_size_is_refused_before_a_byte_is_sent(pretending):
    with pretending(max_body=1000) as running, running.connection() as connection:
        connection.sendall(head(Content_Length=10**12, Expect="100-continue"))
        status, headers, _ = read_answer(connection)
        assert status == 413
        assert headers["connection"] == "close"
        assert connection.recv(10) == b""


def test_bytes_are_counted_whatever_was_declared(pretending):
    def endless():
        for _ in range(100):
            yield b"x" * 100

    with pretending(max_body=1000) as running:
        answer = running.client.post("/v1/upscale", content=endless())
        check_problem(answer, 413, "body-too-large")
        assert running.pool.tasks == []
        running.until_clean()


@pytest.mark.parametrize("path", ["/predict", "/v1/jobs", "/v1/feedback", "/nowhere", "/healthz"])
def test_the_limit_holds_everywhere(pretending, path):
    kind = "image/png" if path == "/v1/jobs" else "application/json"
    with pretending(max_body=1000) as running:
        for content in (b"x" * 5000, iter([b"x" * 500] * 10)):
            answer = running.client.post(path, content=content, headers={"content-type": kind})
            unread = {"/nowhere": 404, "/healthz": 405}.get(path, 413)
            assert answer.status_code in (413, unread), answer.text


def test_a_large_body_gets_to_read_why_it_is_refused(pretending):
    # Much more than the buffers of a connection hold, so that the client is still sending.
    with pretending(max_body=6_000_000) as running:
        answer = running.client.post("/v1/upscale", content=b"x" * 8_000_000)
        check_problem(answer, 413, "body-too-large")


def test_a_slow_body_is_given_up(pretending):
    with pretending(body_seconds=1) as running, running.connection() as connection:
        connection.sendall(head(Content_Length=100) + b"x")
        status, headers, body = read_answer(connection)
        assert status == 408
        assert b"body-too-slow" in body
        assert headers["connection"] == "close"
        assert connection.recv(10) == b""
        assert running.pool.tasks == []


def test_drops_do_not_buy_time(pretending):
    with pretending(body_seconds=1) as running, running.connection() as connection:
        connection.sendall(head(Content_Length=1_000_000))
        assert drop_until_answered(connection).startswith(b"HTTP/1.1 408 ")


def test_slow_bodies_hold_no_worker(pretending, png):
    with pretending() as running, running.connection() as one, running.connection() as two:
        for connection in (one, two):
            connection.sendall(head(Content_Length=100) + b"x")
        assert running.client.post("/v1/upscale", content=png).status_code == 200
        assert running.pool.running == 0


@pytest.mark.parametrize("sent", [b"", b"POST /v1/upscale HTTP/1.1\r\nHost:"])
def test_a_slow_head_is_given_up(pretending, sent):
    with pretending(body_seconds=0.3) as running, running.connection() as connection:
        connection.sendall(sent)
        assert connection.recv(10) == b""


def test_drops_of_a_head_do_not_buy_time_either(pretending):
    with pretending(body_seconds=0.4) as running, running.connection() as connection:
        connection.settimeout(0.02)
        ends, closed = time.monotonic() + 60, False
        while not closed and time.monotonic() < ends:
            try:
                connection.sendall(b"G")
                closed = connection.recv(10) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True
        assert closed


def test_a_client_that_does_not_read_is_given_up(pretending):
    # As much time has the picture to arrive.
    with pretending(body_seconds=5) as running, running.connection(room=1 << 16) as connection:
        # More than the buffers of the connection hold, of which nothing is read.
        size = 15_000_000
        connection.sendall(head(Content_Length=size))
        connection.sendall(b"x" * size)
        assert running.pool.arrived.wait(60)
        running.until_clean()


def test_a_head_that_is_too_large_is_refused(running):
    with running.connection() as connection:
        connection.sendall(head(X_Large="x" * 200_000))
        assert connection.recv(12) == b"HTTP/1.1 431"


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_the_service_goes_on(running, sent):
    with running.connection() as connection:
        connection.sendall(sent)
        assert connection.recv(10).startswith(b"HTTP/1.1 4")
    assert running.ready()


def test_what_is_refused_as_no_http_is_not_answered_twice(running, caplog):
    # The application would refuse it for its kind, just after the rubbish was read.
    sent = head(Content_Type="text/html", Transfer_Encoding="chunked") + b"1\r\nx\r\nZZ\r\n"
    received = b""
    with running.connection() as connection:
        connection.sendall(sent)
        while piece := connection.recv(65536):
            received += piece
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1
    running.until_clean()
    assert [line.getMessage() for line in caplog.records if line.levelname == "ERROR"] == []


def test_too_many_connections_are_turned_away(pretending):
    with pretending(max_connections=3) as running:
        running.client.close()
        one, two, three = (running.connection() for _ in range(3))
        with one, two, three as last:
            last.sendall(head("GET", "/healthz"))
            assert read_answer(last)[0] == 200
            with running.connection() as beyond:
                beyond.sendall(head("GET", "/healthz"))
                status, headers, body = read_answer(beyond)
                assert (status, json.loads(body)["code"]) == (503, "crowded")
                assert headers["connection"] == "close"
                assert headers["x-request-id"]
                assert int(headers["retry-after"]) >= 1
                assert beyond.recv(10) == b""
            # Those who were first are still served.
            last.sendall(head("GET", "/healthz"))
            assert read_answer(last)[0] == 200
            assert b'reason="crowded"} 1.0' in running.service.metrics.text()


def test_the_rate_is_counted_for_each_address(pretending):
    with pretending(rate=3) as running:
        for _ in range(3):
            assert running.client.get("/v1/models").status_code == 200
        answer = running.client.get("/v1/models")
        check_problem(answer, 429, "rate-limited")
        assert 1 <= int(answer.headers["retry-after"]) <= 20
        # Nobody has to be let in to see that the service lives.
        assert running.ready()


def test_each_key_has_a_rate_of_its_own(pretending, tmp_path):
    from hyperfocal.server.security.keys import add_key

    keys = [add_key(tmp_path / "keys", name, ("use",))[1] for name in ("a", "b")]
    with pretending(rate=2, keys=tmp_path / "keys") as running:

        def get(key):
            return running.client.get("/v1/models", headers={"x-api-key": key}).status_code

        assert [get(keys[0]) for _ in range(3)] == [200, 200, 429]
        assert [get(keys[1]) for _ in range(3)] == [200, 200, 429]
        # Guessing is counted by address.
        assert [get("wrong") for _ in range(3)] == [401, 401, 429]


def test_a_bucket_fills_again():
    now = [0.0]
    rate = Rate(60, now=lambda: now[0])
    for _ in range(60):
        rate.take("a")
    with pytest.raises(RateLimited) as caught:
        rate.take("a")
    assert caught.value.retry_after == pytest.approx(1.0)
    now[0] = 0.5
    with pytest.raises(RateLimited) as caught:
        rate.take("a")
    assert caught.value.retry_after == pytest.approx(0.5)
    now[0] = 2.0
    rate.take("a")
    rate.take("a")
    with pytest.raises(RateLimited):
        rate.take("a")
    now[0] = 10_000.0
    for _ in range(60):
        rate.take("a")
    with pytest.raises(RateLimited):
        rate.take("a")


def test_no_rate_is_no_limit():
    rate = Rate(0)
    for _ in range(1000):
        rate.take("a")


@pytest.mark.parametrize(
    ("path", "kind", "count"),
    [
        ("/v1/upscale", "image/png", "in_progress"),
        ("/predict", "application/json", "in_progress"),
        ("/v1/feedback", "multipart/form-data; boundary=b", "in_progress"),
        ("/v1/jobs", "image/png", "ordering"),
    ],
)
def test_not_all_may_send_at_once(pretending, png, path, kind, count):
    # Four times the one worker; nobody waits for it yet.
    with pretending(queue=0) as running, ExitStack() as stack:
        several = [stack.enter_context(running.connection()) for _ in range(4)]
        sent = {"path": path, "Content_Type": kind, "Content_Length": 100}
        for connection in several:
            connection.sendall(head(**sent) + b"x")
        wait_until(lambda: getattr(running.service, count) == 4)
        another = stack.enter_context(running.connection())
        another.sendall(head(**sent, Expect="100-continue"))
        status, headers, body = read_answer(another)
        assert (status, json.loads(body)["code"]) == (503, "queue-full")
        assert "retry-after" in headers
        several[0].close()
        wait_until(lambda: getattr(running.service, count) < 4)
        assert running.client.post("/v1/upscale", content=png).status_code == 200


def test_who_sends_slowly_keeps_nobody_waiting(pretending, png):
    with pretending(queue=0) as running, running.connection() as slow:
        slow.sendall(head(Content_Length=100) + b"x")
        wait_until(lambda: running.service.in_progress)
        assert running.client.post("/v1/upscale", content=png).status_code == 200


def test_a_verdict_alone_takes_no_place(pretending):
    with pretending(queue=0) as running, ExitStack() as stack:
        for _ in range(4):
            connection = stack.enter_context(running.connection())
            connection.sendall(head(Content_Length=100) + b"x")
        wait_until(lambda: running.service.in_progress == 4)
        answer = running.client.post("/v1/feedback", json={"request_id": "r", "verdict": "up"})
        check_problem(answer, 404, "not-found")


def test_a_full_queue_is_told_before_the_body_is_read(pretending, png):
    with pretending(queue=0) as running:
        running.pool.hold = True
        with httpx.Client(base_url=running.url, timeout=60) as other:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(1) as threads:
                first = threads.submit(other.post, "/v1/upscale", content=png)
                assert running.pool.arrived.wait(60)
                with running.connection() as connection:
                    connection.sendall(head(Content_Length=100, Expect="100-continue"))
                    status, headers, body = read_answer(connection)
                assert status == 503
                assert b"queue-full" in body
                assert headers["retry-after"] == "7"
                check_problem(running.client.post("/predict", json={}), 503, "queue-full")
                running.release()
                assert first.result(60).status_code == 200
