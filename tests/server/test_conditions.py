"""Results asked for in part, or only if they are new."""

from __future__ import annotations

import base64
import uuid

import pytest
from pretending import check_problem

from hyperfocal.server.conditions import is_held, is_part_wanted
from hyperfocal.server.errors import RangeNotSatisfiable


@pytest.fixture
def link(running, png):
    sent = base64.b64encode(png).decode()
    return running.client.post("/predict", json={"image": sent}).json()["url"]


@pytest.mark.parametrize(
    "header", ["bytes=abc", "bytes=", "bytes", "pages=1-2", "bytes=5-2", "bytes=1-2,x", "bytes=--5"]
)
def test_a_range_that_cannot_be_understood_is_passed_over(running, png, link, header):
    answer = running.client.get(link, headers={"range": header})
    assert (answer.status_code, answer.content) == (200, png[::-1])


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("Bytes=10-", slice(10, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=20-999999", slice(20, None)),
    ],
)
def test_a_part_is_given(running, png, link, header, part):
    answer = running.client.get(link, headers={"range": header})
    assert (answer.status_code, answer.content) == (206, png[::-1][part])
    assert answer.headers["content-range"].endswith(f"/{len(png)}")


@pytest.mark.parametrize("header", ["bytes=999999-", "bytes=-0", "bytes=999999-9999999"])
def test_a_part_that_is_not_there_is_a_problem(running, png, link, header):
    answer = running.client.get(link, headers={"range": header})
    check_problem(answer, 416, "range-not-satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(png)}"


def test_a_part_of_something_else_is_not_wanted(running, png, link):
    etag = running.client.get(link).headers["etag"]
    asked = {"range": "bytes=0-9", "if-range": etag}
    assert running.client.get(link, headers=asked).status_code == 206
    for header in ("bytes=0-9", "bytes=999999-"):
        asked = {"range": header, "if-range": '"another"'}
        answer = running.client.get(link, headers=asked)
        assert (answer.status_code, answer.content) == (200, png[::-1])


def test_what_the_client_has_is_not_sent_again(running, png, link):
    job = running.client.post("/v1/jobs", content=png).headers["location"]
    # Ends when the job has.
    running.client.get(f"{job}/events")
    for path in (link, f"{job}/result"):
        etag = running.client.get(path).headers["etag"]
        answer = running.client.get(path, headers={"if-none-match": f'"x", {etag}'})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
        again = running.client.get(path, headers={"if-none-match": '"x"'})
        assert (again.status_code, again.content) == (200, png[::-1])


def test_nor_from_a_bucket(pretending, png):
    with pretending(results=f"memory://{uuid.uuid4().hex}/results") as running:
        sent = base64.b64encode(png).decode()
        link = running.client.post("/predict", json={"image": sent}).json()["url"]
        etag = running.client.get(link).headers["etag"]
        answer = running.client.get(link, headers={"if-none-match": etag})
        assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("", False),
        ("bytes=0-0", True),
        ("bytes= 0-0 , 2-3", True),
        ("bytes=0-0,200-", False),
        ("bytes=9-9,5-4", False),
        ("bytes=0-0;1-1", False),
        (f"bytes=0-{'9' * 5000}", False),
        ("bytes=٣-٤", False),
    ],
)
def test_which_ranges_are_understood(header, expected):
    assert is_part_wanted(header, 100) is expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-,-0"])
def test_which_are_nowhere(header):
    with pytest.raises(RangeNotSatisfiable) as caught:
        is_part_wanted(header, 100)
    assert caught.value.size == 100


def test_which_tags_are_held():
    assert is_held('"a"', '"b", W/"a"')
    assert is_held('"a"', "*")
    for header in (None, "", '"b"', "a"):
        assert not is_held('"a"', header)
