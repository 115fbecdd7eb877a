from __future__ import annotations

import re
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from faking import BROKEN_OFF, Custom, Fake, picture, problem, silent_port, whole
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hyperfocal import errors
from hyperfocal.client import Client, Retry, ServiceError
from hyperfocal.client import errors as refusals
from hyperfocal.client.errors import class_of
from hyperfocal.client.retry import read_retry_after

PNG = b"\x89PNG\r\n\x1a\n and more"


@pytest.mark.parametrize(
    ("status", "code", "kind", "exit_code"),
    [
        (422, "broken-picture", errors.BrokenPicture, 3),
        (415, "unknown-format", errors.UnknownFormat, 3),
        (413, "too-large", errors.TooLarge, 3),
        (404, "model-missing", errors.ModelMissing, 4),
        (422, "usage", errors.UsageError, 2),
        (422, "fidelity-too-low", errors.FidelityTooLow, 1),
        (413, "body-too-large", refusals.BodyTooLarge, 3),
        (413, "out-of-memory", refusals.WorkerMemory, 3),
        (500, "worker-died", refusals.WorkerDied, 1),
        (504, "deadline", refusals.DeadlinePassed, 1),
        (401, "unauthorized", refusals.Unauthorized, 2),
        (403, "forbidden", refusals.Forbidden, 2),
        (404, "not-found", refusals.NotFound, 1),
        (418, "of-tomorrow", ServiceError, 1),
    ],
)
def test_a_problem_is_the_exception_of_its_code(
    fake: Fake,
    client: Client,
    status: int,
    code: str,
    kind: type[errors.HyperfocalError],
    exit_code: int,
) -> None:
    fake.otherwise = problem(status, code, "no end of file")
    with pytest.raises(kind, match="no end of file") as caught:
        client.upscale(PNG)
    error = caught.value
    assert isinstance(error, ServiceError)
    assert (error.code, error.status, error.exit_code) == (code, status, exit_code)
    assert error.request_id == "request-9"
    assert error.retry_after is None
    assert len(fake.seen) == 1


def test_every_error_of_restoring_has_its_twin() -> None:
    def tree(kind: type[errors.HyperfocalError]) -> list[type[errors.HyperfocalError]]:
        return [kind, *(low for child in kind.__subclasses__() for low in tree(child))]

    ours = [kind for kind in tree(errors.HyperfocalError) if kind.__module__ == errors.__name__]
    for kind in ours[1:]:
        twin = class_of(kind.code)
        assert issubclass(twin, kind)
        assert issubclass(twin, ServiceError)
        assert twin("x").exit_code == kind.exit_code


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"(\w+) +(\d+)   ", refusals.__doc__ or "")
    kinds = [
        kind
        for kind in (ServiceError, *ServiceError.__subclasses__())
        # Those joined with an error of restoring have two bases.
        if kind is ServiceError or kind.__bases__ == (ServiceError,)
    ]
    assert drawn == [(kind.__name__, str(kind.exit_code)) for kind in kinds]


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_busy_service_is_tried_again(fake: Fake, client: Client, status: int) -> None:
    fake.answers = [problem(status, "queue-full"), Response("a proxy's words", status)]
    assert client.upscale(PNG).data == whole(b"made of " + PNG)
    assert [seen.body for seen in fake.seen] == [PNG, PNG, PNG]


def test_and_not_for_ever(fake: Fake, client: Client) -> None:
    fake.otherwise = problem(503, "queue-full", "16 tasks are waiting", "0")
    with pytest.raises(refusals.QueueFull, match="16 tasks are waiting") as caught:
        client.upscale(PNG)
    assert caught.value.retry_after == 0
    assert len(fake.seen) == 4


def test_a_service_that_asks_for_more_than_our_patience_is_not_waited_for(fake: Fake) -> None:
    fake.otherwise = problem(429, "rate-limited", retry_after="3600")
    with (
        Client(fake.url, retry=Retry(patience=60)) as client,
        pytest.raises(refusals.RateLimited) as caught,
    ):
        client.upscale(PNG)
    assert caught.value.retry_after == 3600
    assert len(fake.seen) == 1


def test_an_error_of_the_picture_is_not_tried_again(fake: Fake, client: Client) -> None:
    fake.answers = [problem(422, "broken-picture")]
    with pytest.raises(errors.BrokenPicture):
        client.upscale(PNG)
    assert len(fake.seen) == 1


def test_an_answer_that_breaks_off_is_fetched_again(
    fake: Fake, client: Client, tmp_path: Path
) -> None:
    fake.answers = [BROKEN_OFF, BROKEN_OFF]
    output = tmp_path / "out.png"
    client.upscale(PNG, output)
    assert output.read_bytes() == whole(b"made of " + PNG)
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


def test_an_answer_that_always_breaks_off_leaves_no_file(
    fake: Fake, client: Client, tmp_path: Path
) -> None:
    fake.answers = [BROKEN_OFF] * 4
    with pytest.raises(refusals.Unreachable, match="broke off"):
        client.upscale(PNG, tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_feedback_is_not_given_twice(fake: Fake, client: Client) -> None:
    fake.answers = [BROKEN_OFF]
    with pytest.raises(refusals.Unreachable):
        client.feedback("request-1", "up")
    assert len(fake.seen) == 1


def test_nobody_there() -> None:
    port = silent_port()
    retry = Retry(attempts=3, first=0, longest=0)
    with Client(f"http://127.0.0.1:{port}", "secret-key", retry=retry) as client:
        with pytest.raises(refusals.Unreachable, match=f"127.0.0.1:{port} cannot be reached") as e:
            client.upscale(PNG)
        assert "secret-key" not in str(e.value)
        health = client.health()
    assert (health.alive, health.ready, health.version) == (False, False, None)


def test_a_silent_service(fake: Fake) -> None:
    release = threading.Event()

    async def silent(seen: object) -> Response:
        import asyncio

        while not release.is_set():
            await asyncio.sleep(0.01)
        return picture()

    fake.otherwise = silent
    with Client(fake.url, timeout=1.5) as client, pytest.raises(refusals.NoAnswer):
        client.upscale(PNG)
    release.set()
    # On a busy machine not even the first has arrived by then.
    assert len(fake.seen) <= 1


def test_a_stranger_at_the_address(fake: Fake, client: Client, tmp_path: Path) -> None:
    fake.otherwise = HTMLResponse("<h1>Please sign in</h1>")
    with pytest.raises(refusals.StrangeAnswer):
        client.upscale(PNG, tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(refusals.StrangeAnswer, match="not JSON"):
        client.models()
    fake.otherwise = HTMLResponse("<h1>No such page</h1>", 404)
    with pytest.raises(refusals.StrangeAnswer, match="address of the service") as caught:
        client.upscale(PNG)
    assert caught.value.status == 404


def test_nobody_is_followed_elsewhere(fake: Fake, client: Client) -> None:
    fake.otherwise = RedirectResponse("http://192.0.2.1/")
    with pytest.raises(refusals.StrangeAnswer):
        client.upscale(PNG)
    assert len(fake.seen) == 1


def test_a_problem_without_an_end(fake: Fake, client: Client) -> None:
    fake.otherwise = Response(b'{"detail": "' + b"x" * 3_000_000, 422, media_type="text/json")
    with pytest.raises(refusals.StrangeAnswer):
        client.upscale(PNG)


def test_calls_in_progress_can_be_broken_off(fake: Fake, tmp_path: Path) -> None:
    arrived, gone = threading.Semaphore(0), threading.Semaphore(0)

    async def stalling(scope: Any, receive: Any, send: Any) -> None:
        await picture(b"half").__call__(scope, receive, _but_never_end(send))
        arrived.release()
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.release()

    fake.otherwise = lambda seen: Custom(stalling)
    caught: list[BaseException] = []

    def call(output: Path | None) -> None:
        try:
            client.upscale(PNG, output)
        except errors.HyperfocalError as error:
            caught.append(error)

    with Client(fake.url, timeout=60) as client:
        threads = [
            threading.Thread(target=call, args=(output,)) for output in (None, tmp_path / "x.png")
        ]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert arrived.acquire(timeout=60)
        client.cancel()
        for thread in threads:
            thread.join(60)
        assert [type(error) for error in caught] == [errors.Cancelled] * 2
        for _ in threads:
            assert gone.acquire(timeout=60)
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(errors.Cancelled):
            client.upscale(PNG)


@pytest.mark.parametrize("name", [None, "x.png"])
def test_what_is_broken_off_is_not_whole_where_no_length_is_told(
    tmp_path: Path, name: str | None
) -> None:
    """Behind a proxy that takes the length away, the end of the connection is the answer's."""
    answer = picture(b"half")
    lines = [f"{key}: {value}" for key, value in answer.headers.items() if key != "content-length"]
    head = "\r\n".join(["HTTP/1.1 200 OK", *lines, "connection: close", "", ""])
    caught: list[BaseException] = []

    def call() -> None:
        try:
            client.upscale(PNG, None if name is None else tmp_path / name)
        except errors.HyperfocalError as error:
            caught.append(error)

    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        Client(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=60) as client,
    ):
        thread = threading.Thread(target=call)
        thread.start()
        connection, _ = server.accept()
        with connection:
            connection.settimeout(60)
            assert connection.recv(1)
            connection.sendall(head.encode() + b"half a picture")
            client.cancel()
            thread.join(60)
    assert [type(error) for error in caught] == [errors.Cancelled]
    assert list(tmp_path.iterdir()) == []


def _but_never_end(send: Any) -> Any:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if pair[0] != b"content-length"]
            message = {**message, "headers": [*kept, (b"content-length", b"1000")]}
        else:
            message = {**message, "more_body": True}
        await send(message)

    return sending


@given(
    tried=st.integers(1, 20),
    waited=st.floats(0, 200),
    asked=st.none() | st.floats(0, 200),
    draw=st.floats(0, 0.999),
)
def test_pauses_are_bounded_and_never_shorter_than_asked_for(
    tried: int, waited: float, asked: float | None, draw: float
) -> None:
    retry = Retry(attempts=8, first=0.5, longest=30, patience=120)
    pause = retry.pause(tried, waited, asked, draw=lambda: draw)
    if tried >= 8:
        assert pause is None
    elif pause is not None:
        assert waited + pause <= 120
        assert pause >= (asked if asked is not None else 0.25)
        assert pause <= (asked if asked is not None else 0) + 30


def test_pauses_double() -> None:
    retry = Retry(first=1, longest=5)
    assert [retry.pause(n, 0, None, draw=lambda: 0.0) for n in range(1, 7)] == [1, 2, 4, 5, 5, None]


@pytest.mark.parametrize("given", [{"attempts": 0}, {"first": 2, "longest": 1}, {"patience": -1}])
def test_an_impossible_patience(given: dict[str, float]) -> None:
    with pytest.raises(errors.UsageError, match="Retry needs"):
        Retry(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("7", 7),
        (" 7 ", 7),
        ("-1", None),
        ("soon", None),
        ("Tue, 24 Nov 2026 00:01:00 GMT", 60),
        ("Tue, 24 Nov 2026 00:01:00 -0000", 60),
        ("Mon, 23 Nov 2026 00:01:00 GMT", 0),
        ("9" * 400, 999_999_999),
    ],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    assert read_retry_after(text, datetime(2026, 11, 24, tzinfo=UTC)) == seconds
