"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from hyperfocal.errors import GarbledOutput, HyperfocalError, OutputRefused
from hyperfocal.server.errors import RangeNotSatisfiable, WorkerError
from hyperfocal.server.service import service_of

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.types import Scope

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger(__name__)
_UNFORESEEN = "something went wrong that nobody foresaw; the log has it under the request id"
# What the framework refuses by itself.
_CODES = {
    400: "malformed",
    404: "not-found",
    405: "method-not-allowed",
    413: "body-too-large",
    415: "unsupported-body",
}
_UNREAD = {
    400: ("malformed", "the request is not valid HTTP"),
    431: ("head-too-large", "the head of the request is too large"),
}
_RETRY_SECONDS = 5
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Of what is repeated in an answer, such as an address.
_LONGEST = 500
_NOT_THEIRS = "the service is not set up as it should be; its log tells more"


class Problem(BaseModel):
    """An error, as RFC 9457 has it. Programs decide by ``code``, people read ``detail``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:hyperfocal:problem:unknown-format",
                "title": "Unknown format",
                "status": 415,
                "detail": "not a picture in a format that is read here",
                "instance": "/v1/upscale",
                "code": "unknown-format",
                "request_id": "3f0c8a52d94e4b0f8c1be4b7a8a6c1de",
            }
        }
    )

    type: str = Field(description="urn:hyperfocal:problem: and the code.")
    title: str = Field(description="The code in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong with this request, and what to do.")
    instance: str = Field(description="The address that was asked.")
    code: str = Field(description="Stable; for programs.")
    request_id: str = Field(description="The request; the answer's X-Request-ID.")


def status_of(error: HyperfocalError) -> int:
    """The HTTP status of an error."""
    # Over HTTP the output is the client's choice: a format that cannot hold the picture.
    return 422 if isinstance(error, OutputRefused) else error.status


def problem_of(error: HyperfocalError, *, instance: str, request_id: str) -> dict[str, Any]:
    """The document of an error; also what a job that failed shows."""
    return _document(error.code, status_of(error), detail_of(error), instance, request_id)


def detail_of(error: HyperfocalError) -> str:
    """What a client is told: of a fault of the installation, such as a path, nothing."""
    if (told := _instead(error)) is not None:
        return told
    inside = isinstance(error, WorkerError | GarbledOutput)
    return str(error) if inside or status_of(error) != 500 else _NOT_THEIRS


def _instead(error: HyperfocalError) -> str | None:
    """What is told in place of an error whose own words say how the service is set up."""
    told: str | None = getattr(error, "told", None)
    return told


def respond(
    error: HyperfocalError, scope: Scope, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer to a request that ended in an error."""
    status = status_of(error)
    extra = dict(headers or {})
    if status in (429, 503) and "retry-after" not in extra:
        extra["retry-after"] = str(max(1, math.ceil(getattr(error, "retry_after", _RETRY_SECONDS))))
    if status == 401:
        extra["www-authenticate"] = 'Bearer realm="hyperfocal"'
    if isinstance(error, RangeNotSatisfiable):
        extra["content-range"] = f"bytes */{error.size}"
    return _answer(error.code, status, detail_of(error), scope, extra)


def unforeseen(scope: Scope) -> JSONResponse:
    """The answer to a request that ended in a bug: it says nothing about it."""
    return _answer("unexpected", 500, _UNFORESEEN, scope, {})


def no_http(status: int, request_id: str) -> bytes:
    """The document for what never gets as far as the application: no HTTP, or too large a head."""
    code, detail = _UNREAD[status]
    return bytes(JSONResponse(_document(code, status, detail, "", request_id)).body)


def install(app: FastAPI) -> None:
    """Make every error of the application a problem document."""
    app.add_exception_handler(HyperfocalError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)


async def _on_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HyperfocalError)
    if status_of(error) == 500 or _instead(error) is not None:
        _log.error("%s: %s", error.code, error)
    if status_of(error) == 503 and not hasattr(error, "retry_after"):
        return respond(
            error, request.scope, {"retry-after": str(max(1, service_of(request).pool.retry_after))}
        )
    return respond(error, request.scope)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = error.status_code
    code = _CODES.get(status, "http")
    detail = f"there is nothing at {request.url.path[:200]}" if status == 404 else str(error.detail)
    headers = dict(error.headers or {})
    if status == 405:
        detail = f"{request.method} is not answered here"
        headers = {"allow": ", ".join(_answered(request))}
    return _answer(code, status, detail, request.scope, headers)


def _answered(request: Request) -> list[str]:
    """The methods that its address answers: the framework tells those of one route only."""
    found = [
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]
    # As is HEAD, wherever GET is.
    return ["GET", "HEAD", *found[1:]] if "GET" in found else found


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return _answer("validation", 422, first_fault(error.errors()), request.scope, {})


def first_fault(errors: Any) -> str:
    """What pydantic found first, without the value: it may be a picture."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
    return f"{where or 'body'}: {first['msg']}"


def _answer(
    code: str, status: int, detail: str, scope: Scope, headers: dict[str, str]
) -> JSONResponse:
    state = scope.setdefault("state", {})
    # For the log and the metrics, which see only what goes past them.
    state["problem"] = code
    document = _document(code, status, detail, scope["path"], state.get("request_id", ""))
    return JSONResponse(document, status, headers, MEDIA_TYPE)


def _document(
    code: str, status: int, detail: str, instance: str, request_id: str
) -> dict[str, Any]:
    title = HTTPStatus(status).phrase if code == "http" else code.replace("-", " ").capitalize()
    return {
        "type": f"urn:hyperfocal:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail[:_LONGEST],
        "instance": instance[:_LONGEST],
        "code": code,
        "request_id": request_id,
    }
