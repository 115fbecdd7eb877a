"""HEAD, which is answered wherever GET is."""

from __future__ import annotations

import base64

import pytest
from pretending import check_problem


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/static/app.css",
        "/healthz",
        "/readyz",
        "/version",
        "/metrics",
        "/docs",
        "/docs/style.css",
        "/openapi.json",
        "/v1/models",
        "/nothing",
        "/v1/upscale",
        "/v1/jobs/nothing",
    ],
)
def test_the_head_is_the_one_that_get_would_be_answered_with(running, path):
    asked = running.client.head(path)
    whole = running.client.get(path)
    assert asked.status_code == whole.status_code
    assert asked.headers["content-type"] == whole.headers["content-type"]
    if path != "/metrics":
        # Its figures change with every request.
        assert asked.headers["content-length"] == whole.headers["content-length"]
    assert asked.content == b""


def test_of_results_too(running, png):
    sent = base64.b64encode(png).decode()
    link = running.client.post("/predict", json={"image": sent}).json()["url"]
    job = running.client.post("/v1/jobs", content=png).headers["location"]
    # Ends when the job has.
    running.client.get(f"{job}/events")
    for path in (link, job, f"{job}/result"):
        asked, whole = running.client.head(path), running.client.get(path)
        assert (asked.status_code, asked.content) == (200, b"")
        for name in ("content-type", "content-length", "etag", "hyperfocal-model"):
            assert asked.headers.get(name) == whole.headers.get(name)


def test_nobody_waits_for_the_end_of_events(running, png):
    running.pool.hold = True
    job = running.client.post("/v1/jobs", content=png).headers["location"]
    with running.connection() as connection:
        # The second is answered once the first is over.
        for path in (f"{job}/events", "/healthz"):
            connection.sendall(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = b""
        while received.count(b"\r\n\r\n") < 2:
            received += connection.recv(65536)
    assert received.count(b"HTTP/1.1 200 ") == 2
    assert b"text/event-stream" in received
    assert running.client.get(job).json()["status"] in ("queued", "running")


def test_a_key_is_needed_as_for_get(pretending, tmp_path):
    from hyperfocal.server.security.keys import add_key

    add_key(tmp_path / "keys", "a", ("use",))
    with pretending(keys=tmp_path / "keys") as running:
        assert running.client.head("/v1/models").status_code == 401
        check_problem(running.client.get("/v1/models"), 401, "unauthorized")


def test_it_is_counted_as_what_it_is(running):
    running.client.head("/version")
    running.until_clean()
    assert 'method="HEAD",route="/version",status="200"' in running.client.get("/metrics").text


def test_the_document_does_not_say_it_twice(running):
    document = running.client.get("/openapi.json").json()
    assert not any("head" in operations for operations in document["paths"].values())
