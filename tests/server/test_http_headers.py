from __future__ import annotations

import re

import pytest

from hyperfocal.server.envelope import _HEADERS
from hyperfocal.server.openapi import picture_out
from hyperfocal.server.security.keys import add_key

ORIGIN = "https://pages.example"
# What pages may read of any answer, and what is not meant for them.
SAFELISTED = {"cache-control", "content-length", "content-type", "last-modified"}
SAFETY = {*_HEADERS, "content-security-policy"}
NOT_THEIRS = {"connection", "date", "transfer-encoding", "vary", "x-accel-buffering"}


def answers(running):
    client = running.client
    return [
        client.get("/healthz"),
        client.get("/readyz"),
        client.get("/docs"),
        client.get("/openapi.json"),
        client.get("/metrics"),
        client.get("/nothing"),
        client.get("/v1/upscale"),
        client.post("/v1/upscale", content=b"picture"),
        client.post("/v1/upscale", content=b"broken"),
        client.post("/predict", content=b"{}"),
        client.get("/"),
        client.options("/v1/upscale"),
        client.head("/nothing"),
    ]


def test_every_answer_has_its_id_and_the_headers_of_safety(running):
    for answer in answers(running):
        headers = answer.headers
        assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"]), answer.request.url
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "geolocation=()" in headers["permissions-policy"]
        assert headers["cache-control"]
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        is_page = headers.get("content-type", "").startswith("text/html")
        assert ("script-src 'self'" in policy) == is_page


def test_what_came_out_of_a_picture_is_not_kept_by_caches(running):
    answer = running.client.post("/v1/upscale", content=b"picture")
    assert answer.headers["cache-control"] == "no-store"


def test_ids_differ(running):
    ids = {running.client.get("/healthz").headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


@pytest.mark.parametrize("given", ["a", "A-b_9", "x" * 64])
def test_a_sensible_id_is_kept(running, given):
    answer = running.client.get("/nothing", headers={"x-request-id": given})
    assert answer.headers["x-request-id"] == given
    assert answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "<x>", "a;b", "é".encode(), "a,b"])
def test_another_is_replaced(running, given):
    answer = running.client.get("/healthz", headers={"x-request-id": given})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


def test_other_sites_are_not_let_in_unless_listed(running):
    asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
    answer = running.client.options("/v1/upscale", headers=asked)
    assert "access-control-allow-origin" not in answer.headers
    answer = running.client.post("/v1/upscale", content=b"x", headers={"origin": ORIGIN})
    assert answer.status_code == 403
    assert running.pool.tasks == []


def test_a_listed_site_may_call_and_read(pretending):
    with pretending(cors=ORIGIN) as running:
        asked = {
            "origin": ORIGIN,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        }
        answer = running.client.options("/v1/upscale", headers=asked)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "access-control-allow-credentials" not in answer.headers
        answer = running.client.post("/v1/upscale", content=b"x", headers={"origin": ORIGIN})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
        assert {name.lower() for name in picture_out()[200]["headers"]} <= set(exposed)
        assert {name for name in answer.headers if name.startswith("hyperfocal-")} <= set(exposed)
        other = {"origin": "https://evil.example"}
        answer = running.client.post("/v1/upscale", content=b"x", headers=other)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        # Refusals too can be read by the page that was let in.
        answer = running.client.post("/v1/upscale", content=b"broken", headers={"origin": ORIGIN})
        assert answer.status_code == 422
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        # And so can what nobody foresaw.
        running.pool.raises.append(RuntimeError("a bug"))
        answer = running.client.post("/v1/upscale", content=b"x", headers={"origin": ORIGIN})
        assert answer.status_code == 500
        assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_a_listed_site_may_ask_and_read_all_that_there_is(pretending, png, tmp_path):
    add_key(tmp_path / "keys", "a", ("use",))
    key = add_key(tmp_path / "keys", "b", ("use",))[1]
    asks = (
        "authorization, x-api-key, content-type, x-request-id, idempotency-key, if-none-match,"
        " range, if-range, last-event-id"
    )
    with pretending(cors=ORIGIN, keys=tmp_path / "keys", rate=100) as running:
        client = running.client
        client.headers["origin"] = ORIGIN
        for method in ("GET", "HEAD", "POST", "DELETE"):
            preflight = {
                "access-control-request-method": method,
                "access-control-request-headers": asks,
            }
            assert client.options("/v1/jobs", headers=preflight).status_code == 200
        answers = [client.post("/v1/upscale", content=png)]
        client.headers["x-api-key"] = key
        answers += [client.post("/v1/upscale", content=png), client.put("/v1/upscale")]
        again = {"idempotency-key": "k"}
        answers += [client.post("/v1/jobs", content=png, headers=again) for _ in range(2)]
        job = answers[-1].headers["location"]
        answers += [client.get(f"{job}/events"), client.get(f"{job}/result")]
        link = client.get(job).json()["result"]["url"]
        answers += [client.get(link), client.get(link, headers={"range": "bytes=1-2"})]
        answers.append(client.get(link, headers={"range": "bytes=9999-"}))
        answers.append(client.get(link, headers={"if-none-match": answers[-2].headers["etag"]}))
        running.pool.capacity = 0
        running.pool.waiting = 1000
        answers.append(client.post("/v1/upscale", content=png))
    statuses = [answer.status_code for answer in answers]
    assert statuses == [401, 200, 405, 202, 202, 200, 200, 200, 206, 416, 304, 503]
    for answer in answers:
        exposed = set(answer.headers["access-control-expose-headers"].lower().split(", "))
        told = {name for name in answer.headers if not name.startswith("access-control-")}
        assert told - SAFELISTED - NOT_THEIRS - SAFETY <= exposed
