"""Around every request: its id, the headers of every answer, one line in the log, the metrics."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders

from hyperfocal.server import logs, spool
from hyperfocal.server.security.caller import NOBODY

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from hyperfocal.server.metrics import Metrics

_log = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_DATA_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Envelope:
    """ASGI middleware, the outermost.

    Takes a sensible ``X-Request-ID`` from the client or makes one, and puts it into the answer,
    the log and ``scope["state"]``.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, _in_a_sentence(scope, send))
            return
        state = scope.setdefault("state", {})
        given = Headers(scope=scope).get("x-request-id", "")
        state["request_id"] = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        token = logs.request_id.set(state["request_id"])
        started, status, size = time.perf_counter(), 0, 0

        async def complete(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(scope=message), state["request_id"])
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, complete)
        except ConnectionError:
            # The client went away, or reads too slowly: nobody is left to answer.
            state.setdefault("problem", "client-gone")
            if status:
                raise
        finally:
            spool.clear(state)
            self._note(scope, status, time.perf_counter() - started, size)
            logs.request_id.reset(token)

    def _note(self, scope: Scope, status: int, seconds: float, size: int) -> None:
        state: dict[str, Any] = scope["state"]
        route = route_of(scope)
        # 499: closed by the client before there was an answer.
        status = status or 499
        self._metrics.requested(scope["method"], route, status)
        problem = state.get("problem")
        if problem is not None and status >= 400 and route != "/readyz":
            self._metrics.rejected(problem)
        # An order that is taken is counted when its job ends.
        if state.get("is_prediction") or (state.get("is_order") and status >= 400):
            self._metrics.predicted(state.get("served"), status, seconds)
        caller = state.get("caller", NOBODY)
        fields = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "bytes_in": state.get("bytes_in", 0),
            "bytes_out": size,
            "client": caller.address,
            "key": caller.owner or None,
            "problem": problem,
            "model": state.get("model"),
        }
        level = logging.DEBUG if route in ("/healthz", "/readyz", "/metrics") else logging.INFO
        _log.log(
            level,
            "request",
            extra={"fields": {name: value for name, value in fields.items() if value is not None}},
        )


def _in_a_sentence(scope: Scope, send: Send) -> Send:
    """``send`` for the start and the end of the service.

    Why it cannot start is logged by the server. Where that is foreseen it needs no traceback.
    """

    async def told(message: Message) -> None:
        failure = getattr(scope["app"].state, "failure", None)
        if message["type"] == "lifespan.startup.failed" and failure is not None:
            message = {**message, "message": str(failure)}
        await send(message)

    return told


def route_of(scope: Scope) -> str:
    """The template of the address, such as ``/v1/jobs/{id}``: there are only so many."""
    route = scope.get("route")
    path = getattr(route, "path_format", None) or getattr(route, "path", None)
    if path is None and scope["path"] == "/openapi.json":
        path = scope["path"]
    return str(path) if path else "other"


def _add_headers(headers: MutableHeaders, request_id: str) -> None:
    headers["x-request-id"] = request_id
    for name, value in _HEADERS.items():
        headers[name] = value
    is_page = headers.get("content-type", "").startswith("text/html")
    # The page brings its own, stricter, and with a 304 too: that one replaces what is cached.
    headers.setdefault("content-security-policy", _PAGE_POLICY if is_page else _DATA_POLICY)
    headers.setdefault("cache-control", "no-store")
