"""Verdicts over HTTP: nothing is kept without consent, and everything can be taken back."""

from __future__ import annotations

import shutil
from datetime import timedelta
from types import SimpleNamespace

import pytest
from test_job_routes import PNG, follow, post, problem

from hyperfocal.client import Client
from hyperfocal.errors import BrokenPicture
from hyperfocal.feedback import Request, book
from hyperfocal.feedback.records import now
from hyperfocal.server.security.keys import add_key
from hyperfocal.server.store import StoreUnavailable

DAY = timedelta(days=1)
JSON = {"request_id": "r", "verdict": "down", "reasons": ["blurry", "faces"], "comment": "é"}


def record(s, name="r", owner="", model="m"):
    s.do(s.service.store.record(Request(name, owner, model, "v", 2.0, 4, 4)))


def counted(s):
    text = s.service.metrics.text().decode()
    return [line for line in text.splitlines() if line.startswith("hyperfocal_feedback_total{")]


def verdicts(s):
    return s.do(s.service.store.call(lambda session: list(book.find(session))))


def pictures(s):
    return [entry.name for entry in s.service.store.pictures.entries()]


def give(s, **changes):
    return s.client.post("/v1/feedback", json={**JSON, **changes})


def give_form(s, picture=PNG, **fields):
    fields = {"request_id": "r", "verdict": "up", **fields}
    return s.client.post("/v1/feedback", data=fields, files={"picture": ("holiday.png", picture)})


def test_a_verdict_is_written_down_and_counted(served):
    with served() as s:
        record(s)
        answer = give(s)
        assert answer.status_code == 201
        (found,) = verdicts(s)
        assert answer.json() == {"id": found.id, "picture": False}
        assert found.opinion.comment == "é"
        assert [reason.value for reason in found.opinion.reasons] == ["blurry", "faces"]
        assert counted(s) == ['hyperfocal_feedback_total{model="m",verdict="down",version="v"} 1.0']


def test_a_change_of_mind_is_not_counted_again(served):
    with served() as s:
        record(s)
        for verdict in ("down", "up", "down"):
            assert give(s, verdict=verdict).status_code == 201
        assert counted(s) == ['hyperfocal_feedback_total{model="m",verdict="down",version="v"} 1.0']


def test_who_uses_an_id_again_neither_inherits_nor_deletes_a_verdict(served):
    with served() as s:
        record(s)
        assert give_form(s, keep_picture="true").status_code == 201
        before = verdicts(s)
        record(s, model="another")
        assert problem(give(s), 409) == "request-id-reused"
        assert problem(give(s, keep_picture=True), 409) == "request-id-reused"
        assert problem(give_form(s, keep_picture="true"), 409) == "request-id-reused"
        assert verdicts(s) == before
        assert pictures(s) == [before[0].picture]
        assert s.client.delete("/v1/feedback/r").json()["pictures"] == 1
        assert pictures(s) == []


def test_a_job_can_be_judged(served):
    with served() as s:
        made = post(s, headers={"x-request-id": "mine"}).json()
        assert problem(give(s, request_id="never"), 404) == "not-found"
        follow(s, made["id"])
        assert give(s, request_id="mine").status_code == 201


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": "maybe"},
        {"reasons": ["ugly"]},
        {"reasons": ["blurry", "blurry"]},
        {"comment": "x" * 2001},
        {"comment": "a\0b"},
        {"request_id": "../r"},
        {"request_id": None},
        {"keep_picture": "perhaps"},
        {"more": 1},
    ],
)
def test_verdicts_that_are_none(served, changes):
    with served() as s:
        record(s)
        assert problem(give(s, **changes), 422) == "usage"
        assert verdicts(s) == []


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b"1", b"[" * 60_000, b"\xff"])
def test_bodies_that_are_no_verdict(served, body):
    with served() as s:
        headers = {"content-type": "application/json"}
        answer = s.client.post("/v1/feedback", content=body, headers=headers)
        assert problem(answer, 422) in ("malformed", "usage")
        text = s.client.post("/v1/feedback", content=body, headers={"content-type": "text/plain"})
        assert problem(text, 415) == "unsupported-body"
        long = s.client.post("/v1/feedback", content=b" " * 70_000, headers=headers)
        assert problem(long, 413) == "body-too-large"


@pytest.mark.parametrize(
    "more",
    [
        '"verdict": "down"',
        '"keep_picture": true, "keep_picture": false',
        '"comment": "\\ud800"',
        '"more": NaN',
        '"more": ' + "[" * 40 + "]" * 40,
    ],
)
def test_json_that_readers_take_differently_is_no_verdict(served, more):
    with served() as s:
        record(s)
        body = f'{{"request_id": "r", "verdict": "up", {more}}}'
        headers = {"content-type": "application/json"}
        answer = s.client.post("/v1/feedback", content=body, headers=headers)
        assert problem(answer, 422) == "malformed"
        assert verdicts(s) == []


def test_a_picture_needs_consent(served):
    with served() as s:
        record(s)
        assert problem(give_form(s), 422) == "usage"
        assert problem(give_form(s, keep_picture="false"), 422) == "usage"
        assert (pictures(s), verdicts(s)) == ([], [])
        answer = give_form(s, keep_picture="true", reasons="noise, text")
        assert answer.status_code == 201
        assert answer.json()["picture"] is True
        (found,) = verdicts(s)
        assert pictures(s) == [found.picture]
        assert found.picture.endswith(".png")
        assert "holiday" not in found.picture
        assert s.service.store.pictures.local(found.picture).read_bytes() == PNG
        assert [reason.value for reason in found.opinion.reasons] == ["noise", "text"]
        # The next verdict without a picture leaves it there while the consent stands,
        assert give(s, keep_picture=True).json()["picture"] is True
        assert pictures(s) == [found.picture]
        # and takes it back without.
        assert give(s).status_code == 201
        assert pictures(s) == []


def test_a_line_end_of_a_form_is_one_character(served):
    """Browsers send two for each, and count one."""
    text = "a line\n" * 285
    assert 1990 < len(text) <= 2000
    with served() as s:
        record(s)
        sent = text.replace("\n", "\r\n")
        assert give_form(s, keep_picture="true", comment=sent).status_code == 201
        assert [one.opinion.comment for one in verdicts(s)] == [text]
        assert give(s, comment=sent).status_code == 201
        assert [one.opinion.comment for one in verdicts(s)] == [text]
        too_long = ("a line\n" * 286).replace("\n", "\r\n")
        assert problem(give_form(s, keep_picture="true", comment=too_long), 422) == "usage"


def test_reasons_and_a_picture_of_the_client(served):
    with served() as s:
        record(s)
        with Client(str(s.client.base_url)) as client:
            client.feedback("r", "down", reasons=["noise", "text"], keep_picture=True, picture=PNG)
            (found,) = verdicts(s)
            assert [reason.value for reason in found.opinion.reasons] == ["noise", "text"]
            assert len(pictures(s)) == 1
            client.feedback("r", "up", keep_picture=True, picture=PNG)
            (found,) = verdicts(s)
            assert found.opinion.reasons == ()


def test_a_picture_that_is_none_or_nobodys(served):
    with served() as s:
        record(s)
        answer = give_form(s, b"text that is no picture", keep_picture="true")
        assert problem(answer, 415) == "unknown-format"
        answer = give_form(s, keep_picture="true", request_id="never")
        assert problem(answer, 404) == "not-found"
        assert (pictures(s), verdicts(s)) == ([], [])


def test_a_picture_that_only_begins_as_one_is_not_kept(served):
    with served() as s:
        record(s)
        s.pool.raises.append(BrokenPicture("the picture: truncated or corrupt PNG"))
        assert problem(give_form(s, keep_picture="true"), 422) == "broken-picture"
        assert (pictures(s), verdicts(s)) == ([], [])
        assert give_form(s, keep_picture="true").status_code == 201


def test_so_many_pictures_of_one_day_are_kept(served):
    with served(pictures_a_day=2) as s:
        for name in ("a", "b", "c"):
            record(s, name)
        for name in ("a", "b"):
            assert give_form(s, keep_picture="true", request_id=name).status_code == 201
        refused = give_form(s, keep_picture="true", request_id="c")
        assert problem(refused, 429) == "rate-limited"
        assert refused.headers["retry-after"] == "3600"
        assert len(pictures(s)) == 2
        assert give_form(s, request_id="c").status_code == 422
        assert give(s, request_id="c").status_code == 201
        # What is not kept any more does not count, nor does what was kept before that day.
        assert give(s, request_id="a").status_code == 201
        assert give_form(s, keep_picture="true", request_id="c").status_code == 201
        counted = s.do(s.service.store.call(book.count_pictures, "", now()))
        assert counted == 0
        assert s.do(s.service.store.call(book.count_pictures, "else", now() - DAY)) == 0


def test_no_picture_is_kept_where_its_disk_is_nearly_full(served, tmp_path, monkeypatch):
    place = tmp_path / "elsewhere"
    place.mkdir()
    with served(pictures=str(place)) as s:
        record(s)
        usage = shutil.disk_usage
        monkeypatch.setattr(
            "hyperfocal.server.spool.shutil.disk_usage",
            lambda path: SimpleNamespace(free=0, total=100) if path == place else usage(path),
        )
        assert problem(give_form(s, keep_picture="true"), 503) == "spool-full"
        assert (pictures(s), verdicts(s)) == ([], [])


def test_no_picture_stays_where_its_verdict_could_not_be_written(served, monkeypatch):
    def unavailable(*given):
        raise StoreUnavailable("away")

    with served() as s:
        record(s)
        monkeypatch.setattr(book, "give", unavailable)
        answer = give_form(s, keep_picture="true")
        assert problem(answer, 503) == "store-unavailable"
        assert "retry-after" in answer.headers
        assert pictures(s) == []


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_picture_that_cannot_be_removed_is_not_forgotten(served, refused, is_replaced):
    with served() as s:
        record(s)
        assert give_form(s, keep_picture="true").status_code == 201
        (before,) = verdicts(s)

        def take_back():
            return give_form(s, keep_picture="true") if is_replaced else give(s)

        refused.add(before.picture)
        assert problem(take_back(), 503) == "storage-unavailable"
        # Its name is known, so that it goes with its time, or the next time.
        assert verdicts(s) == [before]
        assert pictures(s) == [before.picture]
        refused.clear()
        assert take_back().status_code == 201
        (after,) = verdicts(s)
        assert (after.picture is not None) == is_replaced
        assert after.picture != before.picture
        assert pictures(s) == ([after.picture] if is_replaced else [])


def test_deleting_takes_everything_along(served):
    with served() as s:
        made = post(s, headers={"x-request-id": "mine"}).json()
        url = follow(s, made["id"])[-1]["result"]["url"]
        assert give_form(s, request_id="mine", keep_picture="true").status_code == 201
        gone = s.client.delete("/v1/feedback/mine")
        assert gone.json() == {"requests": 1, "verdicts": 1, "pictures": 1, "jobs": 1}
        assert (pictures(s), verdicts(s)) == ([], [])
        assert problem(s.client.get(f"/v1/jobs/{made['id']}"), 404) == "not-found"
        assert problem(s.client.get(url), 404) == "not-found"
        assert problem(s.client.delete("/v1/feedback/mine"), 404) == "not-found"


def test_requests_of_another_key_are_not_there(served, tmp_path):
    file = tmp_path / "keys.json"
    mine, theirs = ({"x-api-key": add_key(file, name, ["use"])[1]} for name in ("one", "two"))
    with served(keys=file) as s:
        made = post(s, headers={**mine, "x-request-id": "r"}).json()
        follow(s, made["id"], mine)
        send = {"json": JSON, "headers": theirs}
        assert problem(s.client.post("/v1/feedback", **send), 404) == "not-found"
        assert problem(s.client.delete("/v1/feedback/r", headers=theirs), 404) == "not-found"
        assert s.client.post("/v1/feedback", **{**send, "headers": mine}).status_code == 201
        assert s.client.delete("/v1/feedback/r", headers=mine).json()["jobs"] == 1


def test_the_description_shows_both_bodies(served):
    with served() as s:
        operation = s.app.openapi()["paths"]["/v1/feedback"]["post"]
        content = operation["requestBody"]["content"]
        assert set(content) == {"application/json", "multipart/form-data"}
        assert "$ref" not in str(content)
        record(s, content["application/json"]["example"]["request_id"])
        example = s.client.post("/v1/feedback", json=content["application/json"]["example"])
        assert example.status_code == 201
