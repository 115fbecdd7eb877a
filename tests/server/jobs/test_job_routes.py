"""Jobs over HTTP, with a fake pool behind the whole service."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import unquote

import pytest
from waiting import wait_until

from hyperfocal.errors import BrokenPicture
from hyperfocal.server.errors import WorkerDied
from hyperfocal.server.jobs.orders import as_plain, fingerprint_of
from hyperfocal.server.pool import Options
from hyperfocal.server.security.keys import add_key, revoke_key

PNG = b"\x89PNG\r\n\x1a\n picture"


def post(s, content=PNG, headers=None, **options):
    return s.client.post(
        "/v1/jobs",
        content=content,
        params=options,
        headers={"content-type": "image/png", **(headers or {})},
    )


def follow(s, job_id: str, headers=None) -> list[dict]:
    """The documents of a job's events, to the end of the stream."""
    with s.client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [
            json.loads(line.removeprefix("data: "))
            for line in answer.iter_lines()
            if line.startswith("data: ")
        ]


def problem(answer, status: int) -> str:
    """The code of a problem document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()["code"]


def test_from_the_order_to_the_picture(served):
    with served() as s:
        answer = post(s, scale=2, format="png", headers={"x-request-id": "mine"})
        assert answer.status_code == 202
        made = answer.json()
        assert answer.headers["location"] == f"/v1/jobs/{made['id']}"
        assert made["request_id"] == answer.headers["x-request-id"] == "mine"
        assert made["result"] is made["problem"] is None
        last = follow(s, made["id"])[-1]
        assert (last["status"], last["progress"]) == ("succeeded", 1.0)
        assert s.client.get(answer.headers["location"]).json() == last
        picture = s.client.get(f"/v1/jobs/{made['id']}/result")
        assert picture.content == b"made of " + PNG
        assert picture.headers["content-type"] == "image/png"
        assert picture.headers["hyperfocal-model"] == "photo-fast-x2"
        assert picture.headers["hyperfocal-psnr"] == "44.500"
        assert picture.headers["hyperfocal-notes"] == "%5B%22%C3%A9%22%5D"
        assert 'filename="picture@2x.png"' in picture.headers["content-disposition"]
        linked = s.client.get(last["result"]["url"])
        assert linked.content == picture.content
        assert linked.headers["x-content-type-options"] == "nosniff"
        assert s.client.head(last["result"]["url"]).headers["content-length"] == str(
            len(picture.content)
        )
        task = s.pool.begun[0]
        assert (task.options.scale, task.options.format) == (2.0, "png")


def test_a_form_with_a_reference(served):
    with served() as s:
        answer = s.client.post(
            "/v1/jobs",
            files={"image": ("a.png", PNG), "reference": ("b.png", PNG + b"!")},
            data={"long_edge": "900"},
        )
        follow(s, answer.json()["id"])
        picture = s.client.get(f"/v1/jobs/{answer.json()['id']}/result")
        assert picture.content == b"made of " + PNG + PNG + b"!"
        assert picture.headers["content-disposition"] == 'attachment; filename="a@2x.png"'
        assert s.pool.begun[0].options.long_edge == 900


def test_a_form_with_a_depth_map(served):
    told = {"source": "given", "used": True, "share": 0.25, "blur": 1.5, "given_back": 1.2}
    with served() as s:
        s.pool.changes = {"depth": told}
        files = {"image": ("a.png", PNG), "depth": ("b.png", PNG + b"!")}
        answer = s.client.post("/v1/jobs", files=files)
        assert follow(s, answer.json()["id"])[-1]["result"]["depth"] == told
        picture = s.client.get(f"/v1/jobs/{answer.json()['id']}/result")
        assert picture.content == b"made of " + PNG + PNG + b"!"
        assert json.loads(unquote(picture.headers["hyperfocal-depth"])) == told
        # What was sent goes.
        inputs = s.service.settings.data / "inputs"
        wait_until(lambda: not [path for path in inputs.rglob("*") if path.is_file()])


def test_a_depth_map_that_is_no_picture(served):
    with served() as s:
        files = {"image": ("a.png", PNG), "depth": ("b.txt", b"text that is no picture")}
        assert problem(s.client.post("/v1/jobs", files=files), 415) == "unknown-format"
        assert s.pool.begun == []


def test_a_depth_map_is_part_of_what_was_asked_for(served):
    with served(hold=True) as s:
        headers = {"idempotency-key": "k-1"}
        maps = [{"depth": ("m.png", PNG + end)} for end in (b"1", b"1", b"2")] + [{}]
        answers = [
            s.client.post("/v1/jobs", files={"image": ("a.png", PNG), **one}, headers=headers)
            for one in maps
        ]
        assert [answer.status_code for answer in answers] == [202, 202, 422, 422]
        assert answers[0].json()["id"] == answers[1].json()["id"]
        s.release()


def test_what_older_versions_asked_for_keeps_its_fingerprint(tmp_path):
    """Made by the version before there were depth maps, so that its idempotency keys go on."""
    source, reference = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"a picture")
    reference.write_bytes(b"a reference")
    options = Options(scale=2.0, model="photo-fast")
    before = "90ef2cd182099cc07fcfc24d8df474afaa19d82da9b137e077eb6e76926ec5f2"
    assert fingerprint_of(source, reference, None, as_plain(options)) == before
    assert "use_depth" not in as_plain(options)
    without = replace(options, use_depth=False)
    assert fingerprint_of(source, reference, None, as_plain(without)) != before


def test_a_perfect_result_has_its_headers(served):
    with served() as s:
        s.pool.changes = {"psnr": float("inf"), "consistency_db": float("inf")}
        made = post(s).json()
        last = follow(s, made["id"])[-1]
        assert last["result"]["psnr"] is None
        picture = s.client.get(f"/v1/jobs/{made['id']}/result")
        assert picture.headers["hyperfocal-psnr"] == "inf"


def test_what_is_no_order(served):
    with served() as s:
        assert problem(post(s, b"text that is no picture"), 415) == "unknown-format"
        assert problem(post(s, b""), 422) == "malformed"
        assert problem(post(s, scale=99), 422) == "usage"
        assert problem(post(s, sclae=2), 422) == "usage"
        assert problem(post(s, headers={"idempotency-key": "two words"}), 422) == "usage"
        assert problem(post(s, headers={"content-type": "text/plain"}), 415) == "unsupported-body"
        assert s.pool.begun == []
        spool = s.service.settings.spool
    assert list(spool.glob("request-*")) == []


def test_too_many_jobs(served):
    with served(hold=True, jobs=1) as s:
        first = post(s).json()
        s.do(s.pool.until_begun())
        assert post(s).status_code == 202
        refused = post(s)
        assert problem(refused, 503) == "queue-full"
        assert int(refused.headers["retry-after"]) >= 1
        s.release()
        follow(s, first["id"])


def test_the_same_key_twice(served):
    with served(hold=True) as s:
        headers = {"idempotency-key": "k-1"}
        first = post(s, headers=headers)
        again = post(s, headers=headers)
        assert again.status_code == 202
        assert again.json()["id"] == first.json()["id"]
        assert again.headers["idempotency-replayed"] == "true"
        assert "idempotency-replayed" not in first.headers
        other = post(s, PNG + b"!", headers=headers)
        assert problem(other, 422) == "idempotency-key-reused"
        s.release()


@pytest.mark.parametrize("error", [None, WorkerDied("gone"), BrokenPicture("truncated")])
def test_a_key_gives_no_dead_job(served, monkeypatch, error):
    monkeypatch.setattr("hyperfocal.server.jobs.work.ATTEMPTS", 1)
    with served() as s:
        headers = {"idempotency-key": "k-1"}
        s.pool.raises = [error] if error else []
        first = post(s, headers=headers).json()["id"]
        follow(s, first)
        if error is None:
            assert s.client.delete(f"/v1/jobs/{first}").json()["status"] == "expired"
        again = post(s, headers=headers)
        assert again.status_code == 202
        is_theirs = isinstance(error, BrokenPicture)
        assert (again.json()["id"] == first) is is_theirs
        assert ("idempotency-replayed" in again.headers) is is_theirs
        expected = "failed" if is_theirs else "succeeded"
        assert follow(s, again.json()["id"])[-1]["status"] == expected


def test_a_failed_job_shows_its_problem(served):
    with served() as s:
        s.pool.raises = [BrokenPicture("the file ends in the middle")]
        made = post(s).json()
        last = follow(s, made["id"])[-1]
        assert last["status"] == "failed"
        assert last["problem"]["code"] == "broken-picture"
        assert problem(s.client.get(f"/v1/jobs/{made['id']}/result"), 409) == "not-done"


def test_cancelling_stops_the_work(served):
    with served(hold=True) as s:
        made = post(s).json()
        s.do(s.pool.until_begun())
        assert problem(s.client.get(f"/v1/jobs/{made['id']}/result"), 409) == "not-done"
        gone = s.client.delete(f"/v1/jobs/{made['id']}")
        assert (gone.status_code, gone.json()["status"]) == (200, "cancelled")
        assert len(s.pool.stopped) == 1
        assert follow(s, made["id"])[-1]["status"] == "cancelled"
        s.release()


def test_what_is_not_there(served):
    with served() as s:
        for way in ("", "/events", "/result"):
            assert problem(s.client.get(f"/v1/jobs/{'0' * 32}{way}"), 404) == "not-found"
        assert problem(s.client.delete(f"/v1/jobs/{'0' * 32}"), 404) == "not-found"
        assert problem(s.client.get("/v1/jobs/%00"), 404) == "not-found"


def test_a_job_of_another_key_is_not_there(served, tmp_path):
    file = tmp_path / "keys.json"
    keys = [add_key(file, name, ["use"])[1] for name in ("one", "two")]
    with served(keys=file) as s:
        mine, theirs = ({"x-api-key": key} for key in keys)
        assert problem(post(s), 401) == "unauthorized"
        made = post(s, headers={**mine, "idempotency-key": "k"}).json()
        last = follow(s, made["id"], mine)[-1]
        place = f"/v1/jobs/{made['id']}"
        for way in ("", "/events", "/result"):
            assert problem(s.client.get(place + way, headers=theirs), 404) == "not-found"
        assert problem(s.client.delete(place, headers=theirs), 404) == "not-found"
        # The same idempotency key of another API key is another key.
        other = post(s, PNG + b"!", headers={**theirs, "idempotency-key": "k"})
        assert other.status_code == 202
        assert s.client.get(f"{place}/result", headers=mine).status_code == 200
        # The signed link needs no key: it is one.
        assert s.client.get(last["result"]["url"]).status_code == 200


def test_a_link_that_was_changed(served):
    with served() as s:
        made = post(s).json()
        url = follow(s, made["id"])[-1]["result"]["url"]
        assert problem(s.client.get(url[:-1] + "-"), 403) == "forbidden"
        assert problem(s.client.get(url.partition("?")[0]), 422) == "validation"
        s.client.delete(f"/v1/jobs/{made['id']}")
        assert problem(s.client.get(url), 404) == "not-found"


def test_events_tell_every_change_and_end(served):
    with served(hold=True) as s:
        made = post(s).json()
        s.do(s.pool.until_begun())
        with s.client.stream("GET", f"/v1/jobs/{made['id']}/events") as answer:
            lines = answer.iter_lines()
            heard = []
            for line in lines:
                if line == ": keep-alive" and len(heard) == 1:
                    s.pool.tellers[0](0.5)
                if line.startswith("data: "):
                    heard.append(json.loads(line.removeprefix("data: ")))
                    if heard[-1]["progress"] == 0.5:
                        s.release()
        assert [(one["status"], one["progress"]) for one in heard] == [
            ("running", 0.0),
            ("running", 0.5),
            ("succeeded", 1.0),
        ]


def test_events_are_taken_up_again(served):
    with served(hold=True) as s:
        made = post(s).json()
        s.do(s.pool.until_begun())
        with s.client.stream("GET", f"/v1/jobs/{made['id']}/events") as answer:
            lines = answer.iter_lines()
            first = next(line for line in lines if line.startswith("id: "))
        s.release()
        seen = {"last-event-id": first.removeprefix("id: ")}
        rest = follow(s, made["id"], seen)
        assert [one["status"] for one in rest] == ["succeeded"]
        with s.client.stream("GET", f"/v1/jobs/{made['id']}/events") as answer:
            last = [line for line in answer.iter_lines() if line.startswith("id: ")][-1]
        # A browser would connect again for ever, were it not told that this was all.
        headers = {"last-event-id": last.removeprefix("id: ")}
        assert s.client.get(f"/v1/jobs/{made['id']}/events", headers=headers).status_code == 204
        for nonsense in ("", "x", "-1", "9" * 40):
            assert follow(s, made["id"], {"last-event-id": nonsense})


def test_a_client_that_leaves_is_not_waited_for(served):
    with served(hold=True) as s:
        made = post(s).json()
        s.do(s.pool.until_begun())
        with s.client.stream("GET", f"/v1/jobs/{made['id']}/events") as answer:
            # Kept: lines that nobody holds any more close the connection.
            lines = answer.iter_lines()
            next(line for line in lines if line.startswith("data: "))
            assert s.service.jobs.changes.watched == 1

        async def until_nobody_watches():
            import asyncio

            async with asyncio.timeout(60):
                while s.service.jobs.changes.watched:
                    await asyncio.sleep(0.005)

        s.do(until_nobody_watches())
        # The job goes on: it is not the client's to end by leaving.
        assert s.pool.stopped == []
        s.release()


@pytest.mark.parametrize("way", ["revoked", "emptied", "replaced"])
def test_event_streams_end_with_the_key_that_they_were_asked_for_with(served, tmp_path, way):
    file = tmp_path / "keys.json"
    mine, theirs = ({"x-api-key": add_key(file, name, ["use"])[1]} for name in ("one", "two"))
    with served(hold=True, keys=file) as s:
        made, other = post(s, headers=mine).json(), post(s, headers=theirs).json()
        s.do(s.pool.until_begun())
        path = f"/v1/jobs/{made['id']}/events"
        with s.client.stream("GET", path, headers=mine) as answer:
            lines = answer.iter_lines()
            next(line for line in lines if line.startswith("data: "))
            if way == "revoked":
                revoke_key(file, "one")
            elif way == "emptied":
                file.write_text("")
            else:
                # By hand: the same id, and another secret.
                gone, rest = file.read_text().splitlines()
                file.write_text(f"{json.dumps({**json.loads(gone), 'hash': 'ab' * 32})}\n{rest}\n")
            # It ends though the job has not, which goes on.
            assert not any(line.startswith("data: ") for line in lines)
        assert problem(s.client.get(path, headers=mine), 401) == "unauthorized"
        assert s.pool.stopped == []
        s.release()
        if way != "emptied":
            assert follow(s, other["id"], theirs)[-1]["status"] == "succeeded"


def test_event_streams_end_when_the_service_stops(served):
    with served(hold=True) as s:
        made = post(s).json()
        s.do(s.pool.until_begun())
        with s.client.stream("GET", f"/v1/jobs/{made['id']}/events") as answer:
            lines = answer.iter_lines()
            next(line for line in lines if line.startswith("data: "))
            s.service.draining = True
            assert not any(line.startswith("data: ") for line in lines)
        assert problem(post(s), 503) == "draining"
        s.release()


@pytest.mark.parametrize(
    "query", ["", "?expires=x&signature=y", "?expires=1&signature=" + "a" * 200]
)
def test_links_that_are_none(served, query):
    with served() as s:
        answer = s.client.get(f"/v1/results/1-{'0' * 32}.png{query}")
        assert answer.status_code == 422


def test_so_many_jobs_of_one_key_are_kept(served, tmp_path):
    file = tmp_path / "keys.json"
    mine, theirs = ({"x-api-key": add_key(file, name, ["use"])[1]} for name in ("one", "two"))
    with served(keys=file, jobs_kept=2) as s:
        first = post(s, headers={**mine, "idempotency-key": "a"}).json()
        second = post(s, headers=mine).json()
        refused = post(s, headers=mine)
        assert problem(refused, 503) == "queue-full"
        assert "jobs_kept" in refused.json()["detail"]
        again = post(s, headers={**mine, "idempotency-key": "a"})
        assert (again.status_code, again.json()["id"]) == (202, first["id"])
        other = post(s, headers=theirs).json()
        for job, whose in ((first, mine), (second, mine), (other, theirs)):
            follow(s, job["id"], whose)
        # A result that is removed makes room, and so does a job that failed.
        s.client.delete(f"/v1/jobs/{first['id']}", headers=mine)
        s.pool.raises.append(BrokenPicture("truncated"))
        failed = post(s, headers=mine).json()
        assert follow(s, failed["id"], mine)[-1]["status"] == "failed"
        assert post(s, headers=mine).status_code == 202
        assert problem(post(s, headers=mine), 503) == "queue-full"
