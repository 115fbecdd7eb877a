"""Sending a request, and whether its answer is one that is allowed."""

from __future__ import annotations

import io
import json
import socket
import warnings
from dataclasses import dataclass
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx
from cases import Case
from PIL import Image

_INSIDE = (
    "traceback", "site-packages", "spool", "request-", ".py", "/tmp", "/home", "/usr", "/opt",
    "object at 0x", "imagecodecs", "tifffile", "numpy", "openvino", "sqlite", "select ", "b'\\",
)  # fmt: skip


@dataclass(frozen=True)
class Reply:
    """What came back, over whichever kind of connection."""

    status: int
    headers: httpx.Headers
    content: bytes


def send(client: httpx.Client, case: Case) -> Reply:
    """Send a case and read all of its answer."""
    if case.raw:
        return _send_raw(str(client.base_url), case.content)
    answer = client.request(
        case.method, case.path, content=case.content, headers=dict(case.headers)
    )
    return Reply(answer.status_code, answer.headers, answer.content)


def fault_of(case: Case, reply: Reply, private: str) -> str:
    """What is wrong with an answer, "" for nothing. ``private``: a path nobody may be told."""
    told = f"{case.name} -> {reply.status} {reply.content[:300]!r}"
    if reply.status not in case.allows:
        return f"status not allowed: {told}"
    if reply.status == 200:
        return _fault_of_picture(case, reply, told)
    return _fault_of_problem(case, reply, private, told)


def _fault_of_problem(case: Case, reply: Reply, private: str, told: str) -> str:
    if reply.headers.get("content-type") != "application/problem+json":
        return f"no problem document: {told}"
    problem = json.loads(reply.content)
    if set(problem) != {"type", "title", "status", "detail", "instance", "code", "request_id"}:
        return f"other members: {told}"
    if problem["status"] != reply.status:
        return f"another status inside: {told}"
    if problem["request_id"] != reply.headers["x-request-id"]:
        return f"another request id inside: {told}"
    if problem["type"] != f"urn:hyperfocal:problem:{problem['code']}":
        return f"type and code differ: {told}"
    text = str(problem["detail"])
    if not 5 < len(text) < 500:
        return f"a detail of {len(text)} characters: {told}"
    for inside in (*_INSIDE, private.lower()):
        # An address that was asked for may be repeated.
        if inside in text.lower() and inside not in case.path.lower():
            return f"tells '{inside}': {told}"
    return ""


def _fault_of_picture(case: Case, reply: Reply, told: str) -> str:
    if not reply.headers.get("content-type", "").startswith("image/"):
        return ""
    with Image.open(io.BytesIO(reply.content)) as image:
        image.load()
        size = image.size
    told = f"{case.name} -> 200, {size}"
    stated = (int(reply.headers["hyperfocal-width"]), int(reply.headers["hyperfocal-height"]))
    if size != stated:
        return f"the headers say {stated}: {told}"
    expected = case.size or _doubled(case.content)
    if expected not in (None, size):
        return f"not {expected}: {told}"
    return ""


def _doubled(content: bytes) -> tuple[int, int] | None:
    """Twice the size that Pillow reads from the file; None where it reads none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content)) as image:
                return 2 * image.width, 2 * image.height
    except Exception:  # noqa: BLE001 - Pillow on damaged files raises anything
        return None


def _send_raw(url: str, content: bytes) -> Reply:
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(content)
        answer = HTTPResponse(connection)
        answer.begin()
        return Reply(answer.status, httpx.Headers(answer.getheaders()), answer.read())
