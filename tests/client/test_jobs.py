from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from faking import BROKEN_OFF, Custom, Fake, Seen, events, job, made, picture, problem, whole
from starlette.responses import JSONResponse, Response

from hyperfocal import errors
from hyperfocal.client import Client, Retry, ServiceError
from hyperfocal.client.errors import NoAnswer, NotFound, StrangeAnswer

PNG = b"\x89PNG\r\n\x1a\n and more"


def test_submitting(fake: Fake, client: Client) -> None:
    fake.otherwise = JSONResponse(job(), 202)
    submitted = client.jobs.submit(PNG, scale=4, idempotency_key="mine")
    (seen,) = fake.seen
    assert (seen.method, seen.path, seen.query) == ("POST", "/v1/jobs", {"scale": "4"})
    assert seen.headers["idempotency-key"] == "mine"
    assert (submitted.id, submitted.status, submitted.ended) == ("job-1", "queued", False)
    assert submitted.created == datetime(2026, 11, 24, tzinfo=UTC)
    assert submitted.started is submitted.result is submitted.problem is None


def test_a_job_with_a_depth_map(fake: Fake, client: Client) -> None:
    fake.otherwise = JSONResponse(job(), 202)
    client.jobs.submit(PNG, depth=PNG + b"map")
    client.jobs.submit(PNG, depth=False)
    first, second = fake.seen
    assert first.fields == {"image": [PNG], "depth": [PNG + b"map"]}
    assert second.query == {"use_depth": "false"}
    depth = {"source": "given", "used": True, "share": 0, "blur": 0.0, "given_back": 0}
    choice = {"kind": "photo", "reasons": ["no sign of noise"]}
    fake.otherwise = JSONResponse(
        job("succeeded", 1, result={**made(), "depth": depth, "choice": choice})
    )
    result = client.jobs.get("job-1").result
    assert result is not None
    assert (result.depth, result.choice) == (depth, choice)
    fake.otherwise = JSONResponse(job("succeeded", 1, result={**made(), "depth": "near"}))
    result = client.jobs.get("job-1").result
    assert result is not None
    assert (result.depth, result.choice) == (None, None)


def test_a_submission_is_tried_again_under_one_key(fake: Fake, client: Client) -> None:
    fake.answers = [BROKEN_OFF, problem(503, "draining")]
    fake.otherwise = JSONResponse(job(), 202)
    client.jobs.submit(PNG)
    client.jobs.submit(PNG)
    keys = [seen.headers["idempotency-key"] for seen in fake.seen]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert len(keys) == 4


def test_watching(fake: Fake, client: Client) -> None:
    fake.otherwise = events(job(), job("running", 0.5), job("succeeded", 1, result=made()))
    seen = list(client.jobs.events("job-1"))
    assert [(one.status, one.progress) for one in seen] == [
        ("queued", 0),
        ("running", 0.5),
        ("succeeded", 1),
    ]
    assert seen[-1].result is not None
    assert seen[-1].result.timing_ms == {"total": 25.0}


def test_waiting_goes_on_where_the_service_was_restarted(fake: Fake, client: Client) -> None:
    fake.answers = [
        events(job("running", 0.25)),
        JSONResponse(job("running", 0.5)),
        BROKEN_OFF,
        problem(503, "draining"),
        JSONResponse(job("succeeded", 1, result=made())),
    ]
    progress: list[float] = []
    done = client.jobs.wait("job-1", on_progress=progress.append)
    assert done.status == "succeeded"
    assert progress == [0.25]


@pytest.mark.parametrize(
    ("ended", "kind"),
    [
        (job("cancelled"), errors.Cancelled),
        (job("expired"), NotFound),
        (job("failed"), StrangeAnswer),
        (
            job(
                "failed",
                problem={"title": "t", "status": 422, "code": "broken-picture", "detail": "cut"},
            ),
            errors.BrokenPicture,
        ),
    ],
)
def test_waiting_raises_what_the_job_ended_with(
    fake: Fake, client: Client, ended: dict[str, object], kind: type[Exception]
) -> None:
    fake.otherwise = events(ended)
    with pytest.raises(kind) as caught:
        client.jobs.wait("job-1")
    if kind is errors.BrokenPicture:
        assert isinstance(caught.value, ServiceError)
        assert caught.value.request_id == "request-1"


def test_waiting_has_an_end(fake: Fake, client: Client) -> None:
    fake.otherwise = lambda seen: (
        events(job("running"))
        if seen.path.endswith("events")
        else JSONResponse(job("running", 0.1))
    )
    with pytest.raises(NoAnswer, match="has not ended in time"):
        client.jobs.wait("job-1", timeout=0.05)


def test_when_the_time_is_over_the_job_is_looked_at_once_more(fake: Fake, client: Client) -> None:
    async def endless(scope: Any, receive: Any, send: Any) -> None:
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        while True:
            body = events(job("running", 0.5)).body
            await send({"type": "http.response.body", "body": body, "more_body": True})
            if await is_gone(receive):
                return

    async def is_gone(receive: Any) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                while (await receive())["type"] != "http.disconnect":
                    pass
                return True
        return False

    async def later(seen: Seen) -> Response:
        await asyncio.sleep(0.2)
        return JSONResponse(found)

    found = job("running", 0.5)
    fake.otherwise = lambda seen: Custom(endless) if seen.path.endswith("events") else later(seen)
    with pytest.raises(NoAnswer, match="has not ended in time; it goes on"):
        client.jobs.wait("job-1", timeout=0.1)
    found = job("succeeded", 1, result=made())
    assert client.jobs.wait("job-1", timeout=0.1).status == "succeeded"


@pytest.mark.parametrize("answer", [problem(503, "draining"), BROKEN_OFF])
def test_waiting_ends_in_time_where_the_service_is_gone(
    fake: Fake, client: Client, answer: Response
) -> None:
    fake.otherwise = answer
    with (
        Client(fake.url, retry=Retry(attempts=99, first=60.0, longest=60.0)) as patient,
        pytest.raises(NoAnswer, match="no answer in time; the last was: "),
    ):
        patient.jobs.wait("job-1", timeout=5.0)
    assert fake.paths() == ["/v1/jobs/job-1/events", "/v1/jobs/job-1"]


def test_a_result_is_named_as_what_it_is(fake: Fake, client: Client, tmp_path: Path) -> None:
    fake.otherwise = picture(media_type="image/jpeg")
    with pytest.raises(errors.OutputRefused, match=r"is jpeg, and the name of .*x\.png says png"):
        client.jobs.result("job-1", tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []
    for name in ("x.JPG", "x", "x.part"):
        assert client.jobs.result("job-1", tmp_path / name).path == tmp_path / name


def test_the_result(fake: Fake, client: Client, tmp_path: Path) -> None:
    fake.otherwise = picture()
    output = tmp_path / "x.png"
    assert client.jobs.result("job-1", output).path == output
    assert output.read_bytes() == whole(b"a picture")
    fake.otherwise = problem(409, "job-unfinished")
    with pytest.raises(ServiceError) as caught:
        client.jobs.result("job-1")
    assert caught.value.status == 409


def test_cancelling(fake: Fake, client: Client) -> None:
    fake.otherwise = JSONResponse(job("cancelled"))
    assert client.jobs.cancel("job-1").status == "cancelled"
    assert fake.seen[0].method == "DELETE"


@pytest.mark.parametrize("name", ["", "../admin/reload", "a?b", "a b", "é"])
def test_an_identifier_cannot_lead_elsewhere(fake: Fake, client: Client, name: str) -> None:
    with pytest.raises(errors.UsageError, match="no job"):
        client.jobs.get(name)
    assert fake.seen == []


@pytest.mark.parametrize(
    "answer",
    [
        job("asleep"),
        {**job(), "created": None},
        {**job(), "created": "yesterday"},
        {**job(), "progress": True},
        {**job(), "result": {**made(), "notes": "none"}},
        {**job(), "result": {**made(), "width": 1.5}},
    ],
)
def test_a_job_that_was_not_agreed(fake: Fake, client: Client, answer: dict[str, object]) -> None:
    fake.otherwise = JSONResponse(answer)
    with pytest.raises(StrangeAnswer):
        client.jobs.get("job-1")


def test_events_that_are_no_json(fake: Fake, client: Client) -> None:
    fake.otherwise = Response("event: job\ndata: {\n\n", media_type="text/event-stream")
    with pytest.raises(StrangeAnswer):
        list(client.jobs.events("job-1"))
