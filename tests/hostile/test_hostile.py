"""Hostile requests to a real service: each is refused in so many words, and it goes on.

Some damage leaves a picture: then that picture has to come back.
"""

from __future__ import annotations

import contextlib
import io
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from pictures import DOUBLED, HEIGHT, WIDTH, encoded, photograph
from PIL import Image
from sending import fault_of, send

_MODULES = (
    "truncated",
    "flipped",
    "lying_png",
    "lying_tiff",
    "lying_others",
    "bombs",
    "metadata",
    "not_pictures",
    "json_bodies",
    "forms",
    "options",
    "heads",
)
_AT_ONCE = 8
_FEWEST = 300

FAMILIES = [made for name in _MODULES for made in import_module(f"families.{name}").families()]


@pytest.fixture(scope="module")
def good(service):
    """A sound picture and the answer to it before anything hostile was sent."""
    content = encoded(photograph())
    answer = service.client.post("/v1/upscale", content=content)
    assert answer.status_code == 200, answer.text
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == DOUBLED
        again = np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BOX), np.float64)
    assert np.abs(again - photograph()).mean() < 4
    return content, answer.content


@pytest.fixture(scope="module")
def refusals():
    """Statuses of all that was sent, counted by family."""
    return {}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name.replace(" ", "-"))
def test_hostile_requests_are_refused_and_the_service_goes_on(service, good, refusals, family):
    before = service.restarts()
    limits = httpx.Limits(max_connections=_AT_ONCE)
    with (
        httpx.Client(base_url=service.url, timeout=120, trust_env=False, limits=limits) as client,
        ThreadPoolExecutor(_AT_ONCE) as threads,
    ):
        replies = list(threads.map(lambda case: send(client, case), family.cases))
    private = str(service.folder)
    found = [fault_of(*pair, private) for pair in zip(family.cases, replies, strict=True)]
    faults = [fault for fault in found if fault]
    refusals[family.name] = Counter(reply.status for reply in replies)
    assert not faults, "\n".join(faults)
    content, expected = good
    answer = service.client.post("/v1/upscale", content=content)
    assert answer.status_code == 200, answer.text
    assert answer.content == expected
    assert service.alive()
    assert service.restarts() - before <= family.restarts
    _wait_until_empty(service)


def test_enough_was_refused(refusals, request):
    if len(refusals) < len(FAMILIES):
        pytest.skip("not every family was sent")
    refused = sum(
        count
        for statuses in refusals.values()
        for status, count in statuses.items()
        if 400 <= status < 500
    )
    assert refused >= _FEWEST


def test_rubbish_behind_an_answer_only_ends_the_connection(service):
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        # Refused by its kind alone, while its body is still awaited.
        connection.sendall(
            b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Type: text/html\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        received = connection.recv(1 << 16)
        assert received.startswith(b"HTTP/1.1 415 ")
        # The service does not wait for it for ever, and what comes later is turned away.
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"no length of a chunk\r\n")
            while piece := connection.recv(1 << 16):
                received += piece
    assert received.count(b"HTTP/1.1") == 1
    assert service.client.get("/healthz").status_code == 200


def test_nothing_was_logged_as_unforeseen(service):
    log = service.log()
    assert '"unforeseen"' not in log
    # What went past the service's own log, such as asyncio's tracebacks, is no JSON.
    assert [line for line in log.splitlines() if not line.startswith("{")] == []


def _wait_until_empty(service) -> None:
    """A request's folder goes just after its answer."""
    end = time.monotonic() + 60
    while service.spooled():
        assert time.monotonic() < end, service.spooled()
        time.sleep(0.01)
