"""What is passed on, and with which headers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperfocal.web import rules


@pytest.mark.parametrize(
    "path",
    [
        "/predict",
        "/readyz",
        "/version",
        "/docs",
        "/docs/style.css",
        "/openapi.json",
        "/v1/upscale",
        "/v1/preview",
        "/v1/estimate",
        "/v1/models",
        "/v1/feedback",
        "/v1/feedback/ab-c_1",
        "/v1/jobs",
        "/v1/jobs/0123abc",
        "/v1/jobs/0123abc/events",
        "/v1/jobs/0123abc/result",
        "/v1/results/0123abc.png",
    ],
)
def test_what_the_page_and_clients_ask_is_passed_on(path):
    assert rules.is_forwarded(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/metrics",
        "/v1/admin/reload",
        "/v1/Admin/reload",
        "/v1/jobs/../admin/reload",
        "/v1/jobs/..",
        "/v1/jobs/.",
        "/v1/jobs/",
        "/v1/jobs//events",
        "//v1/jobs",
        "/v1//jobs",
        "/v1/jobs/a/b",
        "/v1/jobs/a/events/",
        "/v1/jobs/a\\..\\admin",
        "/v1/jobs/a%2e%2e",
        "/v1/jobs/a?b",
        "/v1/jobs/a#b",
        "/v1/jobs/a\n",
        "/v1/jobs/a\r\nX: y",
        "/v1/jobs/é",
        "/v2/upscale",
        "/V1/upscale",
        "/v1",
        "/predict/",
        "//elsewhere.example/predict",
        "http://elsewhere.example/predict",
    ],
)
def test_nothing_else_is(path):
    assert not rules.is_forwarded(path)


@given(st.text(max_size=30))
@settings(max_examples=200)
def test_a_job_is_named_by_letters_only(name):
    if rules.is_forwarded(f"/v1/jobs/{name}"):
        parts = name.split("/")
        assert parts[0].isascii()
        assert not set(parts[0]) & set("%?#\\ \r\n")
        assert parts[0] not in (".", "..")
        assert parts[1:] in ([], ["events"], ["result"])


def named(headers):
    return {name.lower(): value for name, value in headers}


def sent(*given):
    return named(rules.request_headers(given, address="10.0.0.9", request_id="r-1"))


def test_headers_of_the_connection_end_here():
    got = sent(
        ("Connection", "keep-alive, X-Mine"),
        ("X-Mine", "1"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Trailer", "X"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "h2c"),
        ("Proxy-Authorization", "Basic x"),
        ("Host", "page.example"),
        ("Expect", "100-continue"),
        ("Content-Length", "5"),
        ("Cookie", "session=1"),
        ("Accept", "image/png"),
    )
    assert got == {"accept": "image/png", "x-forwarded-for": "10.0.0.9", "x-request-id": "r-1"}


def test_the_key_and_what_else_is_said_goes_on():
    got = sent(("Authorization", "Bearer k"), ("X-API-Key", "k"), ("Idempotency-Key", "i"))
    assert got["authorization"] == "Bearer k"
    assert got["x-api-key"] == "k"
    assert got["idempotency-key"] == "i"


def test_the_address_is_added_to_those_before():
    # The last entry is the one that this server has seen itself.
    assert sent(("X-Forwarded-For", "1.1.1.1, 2.2.2.2"))["x-forwarded-for"] == (
        "1.1.1.1, 2.2.2.2, 10.0.0.9"
    )


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ([("Origin", "http://page.example"), ("Host", "page.example")], False),
        ([("Origin", "http://other.example"), ("Host", "page.example")], True),
        ([("Origin", "null"), ("Host", "page.example")], True),
        ([("Origin", "http://page.example"), ("Sec-Fetch-Site", "same-origin")], False),
        ([("Origin", "http://["), ("Host", "[")], True),
        ([("Origin", "http://other.example"), ("Sec-Fetch-Site", "cross-site")], True),
    ],
)
def test_only_the_origin_of_the_page_is_left_out(headers, kept):
    assert ("origin" in sent(*headers)) is kept


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 65, "a\n", "ä"])
def test_a_request_without_a_good_id_gets_one(given):
    assert len(rules.request_id(given)) == 32


def test_a_good_id_stays():
    assert rules.request_id("a-B_9") == "a-B_9"


def test_answers_keep_what_is_theirs():
    got = rules.answer_headers(
        [
            ("Content-Type", "image/png"),
            ("Link", "a"),
            ("Link", "b"),
            ("Connection", "close, X-Hop"),
            ("X-Hop", "1"),
            ("Transfer-Encoding", "chunked"),
            ("Server", "x"),
            ("Date", "x"),
            ("Set-Cookie", "a=b"),
        ]
    )
    assert got == [("Content-Type", "image/png"), ("Link", "a"), ("Link", "b")]
