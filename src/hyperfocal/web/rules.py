"""What is passed on to the API, and with which headers."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from urllib.parse import urlsplit

# RFC 9110, 7.6.1, and what belongs to the connection by custom.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Of a request: the new connection has its own. Of an answer: this server says them itself.
# Cookies are this server's origin's, and the API has none.
_OWN_REQUEST = frozenset(
    {"host", "expect", "content-length", "cookie", "x-forwarded-for", "x-request-id"}
)
_OWN_ANSWER = frozenset({"date", "server", "set-cookie"})
# What browsers and programs ask of the API. Not its administration, not its figures, and nothing
# that is not named here.
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_FORWARDED = re.compile(
    "|".join(
        (
            "/predict",
            "/readyz",
            "/version",
            "/openapi[.]json",
            "/docs(/style[.]css)?",
            "/v1/(upscale|preview|estimate|models|jobs|feedback)",
            f"/v1/jobs/{_NAME}(/events|/result)?",
            f"/v1/(results|feedback)/{_NAME}",
        )
    )
)
_EVENTS = re.compile(f"/v1/jobs/{_NAME}/events")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

Headers = Iterable[tuple[str, str]]


def is_forwarded(path: str) -> bool:
    """Whether a path (decoded) is the API's to answer through here.

    None of them has to be encoded again, and none can mean another one to whoever reads it next.
    """
    return _FORWARDED.fullmatch(path) is not None


def follows_events(path: str) -> bool:
    """Whether its answer goes on for as long as a job does."""
    return _EVENTS.fullmatch(path) is not None


def forwarded_address(path: str, query: bytes) -> str:
    """Path and query of the request to the API."""
    return f"{path}?{query.decode('latin-1')}" if query else path


def request_id(given: str | None) -> str:
    """The caller's, where it is a plain one, else a new one."""
    return given if given and _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def request_headers(given: Headers, *, address: str, request_id: str) -> list[tuple[str, str]]:
    """Headers of the request to the API; ``address``: whom it is passed on for."""
    given = list(given)
    kept = _without_hops(given, _OWN_REQUEST)
    if is_own_origin(given):
        # The page's origin is this server, which the API does not know.
        kept = [(name, value) for name, value in kept if name.lower() != "origin"]
    chain = [value for name, value in given if name.lower() == "x-forwarded-for"]
    return [
        *kept,
        ("X-Forwarded-For", ", ".join([*chain, address])),
        ("X-Request-ID", request_id),
    ]


def answer_headers(given: Headers) -> list[tuple[str, str]]:
    """Headers of the answer to the browser."""
    return _without_hops(list(given), _OWN_ANSWER)


def is_own_origin(given: Headers) -> bool:
    """Whether a browser sent this for the page that came from here."""
    found = {name.lower(): value for name, value in given}
    origin = found.get("origin")
    if origin is None:
        return False
    if found.get("sec-fetch-site") == "same-origin":
        return True
    try:
        place = urlsplit(origin).netloc
    except ValueError:
        return False
    return bool(found.get("host")) and place == found["host"]


def _without_hops(given: list[tuple[str, str]], own: frozenset[str]) -> list[tuple[str, str]]:
    named = {
        part.strip().lower()
        for name, value in given
        if name.lower() == "connection"
        for part in value.split(",")
    }
    dropped = _HOP_BY_HOP | own | named
    return [(name, value) for name, value in given if name.lower() not in dropped]
