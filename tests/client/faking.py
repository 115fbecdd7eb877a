"""A small service on loopback that does as it is told, for the tests of the client."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Answer = Callable[["Seen"], Response | Any]


@dataclass(frozen=True)
class Seen:
    """A request as the service saw it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    fields: dict[str, Any]


@dataclass
class Fake:
    """``answers``: what to answer to the next requests, in order; then ``otherwise``, for good."""

    url: str = ""
    answers: list[Any] = field(default_factory=list)
    otherwise: Any = None
    seen: list[Seen] = field(default_factory=list)

    def reset(self) -> None:
        """As new."""
        self.answers, self.otherwise, self.seen = [], None, []

    def paths(self) -> list[str]:
        return [seen.path for seen in self.seen]

    async def handle(self, request: Request) -> Any:
        fields: dict[str, Any] = {}
        body = b""
        try:
            if request.headers.get("content-type", "").startswith("multipart/"):
                form = await request.form()
                for name, value in form.multi_items():
                    content = value if isinstance(value, str) else await value.read()
                    fields[name] = [*fields.get(name, []), content]
            else:
                body = await request.body()
        except ClientDisconnect:
            return Response(status_code=499)
        seen = Seen(
            request.method,
            request.url.path,
            dict(request.query_params),
            dict(request.headers),
            body,
            fields,
        )
        self.seen.append(seen)
        answer = self.answers.pop(0) if self.answers else self.otherwise
        if callable(answer) and not isinstance(answer, Response):
            answer = answer(seen)
            if hasattr(answer, "__await__"):
                answer = await answer
        if answer is None:
            answer = picture(b"made of " + seen.body)
        if isinstance(answer, _Picture) and answer.of_format is not None:
            asked = seen.query.get("format") or seen.fields.get("format", ["png"])[0]
            answer = answer.of_format(asked)
        return answer


class Custom(Response):
    """Whatever an ASGI application does, as an answer."""

    def __init__(self, application: Any) -> None:
        super().__init__()
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._application(scope, receive, send)


async def _break_off(scope: Any, receive: Any, send: Any) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in _FACTS.items()]
    headers += [(b"content-type", b"image/png"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"half a picture", "more_body": True})
    raise ConnectionResetError


BROKEN_OFF = Custom(_break_off)
"""An answer that ends before its body is whole."""

_FACTS = {
    "X-Request-ID": "request-1",
    "Hyperfocal-Model": "photo-fast-x2",
    "Hyperfocal-Model-Version": "0123abcd",
    "Hyperfocal-Width": "32",
    "Hyperfocal-Height": "24",
    "Hyperfocal-Scale": "2",
    "Hyperfocal-Consistency-DB": "41.25",
    "Hyperfocal-PSNR": "41.25",
    "Hyperfocal-SSIM": "0.991",
    "Hyperfocal-Basis": "consistency",
    "Hyperfocal-Notes": "%5B%22made%20%C3%A9%22%5D",
    "Hyperfocal-Choice": quote('{"kind":"photo","reasons":["no sign of noise"]}'),
    "Server-Timing": "decode;dur=1.5, model;dur=20, encode;dur=3.25, total;dur=25",
    "Content-Disposition": "attachment; filename=\"x.png\"; filename*=UTF-8''%C3%A9t%C3%A9.png",
}


def whole(data: bytes, form: str = "png") -> bytes:
    """The least file that is all there to whoever does not decode it; ``data`` lies inside."""
    if form == "png":
        start, end = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"
        return data if data.startswith(start) and data.endswith(end) else start + data + end
    if form == "jpeg":
        return b"\xff\xd8\xff" + data + b"\xff\xd9"
    if form == "webp":
        return b"RIFF" + (4 + len(data)).to_bytes(4, "little") + b"WEBP" + data
    assert form == "tiff"
    # A directory of one field, behind the rest.
    directory = struct.pack("<HHHIII", 1, 256, 4, 1, 32, 0)
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + directory


def picture(
    data: bytes = b"a picture", media_type: str | None = None, *, raw: bool = False, **more: str
) -> Response:
    """A restored picture, as the service answers it: a whole file, or ``raw``, the data itself.

    Of the format that is asked for, if no ``media_type`` is given.
    """
    changed = {name.replace("_", "-"): value for name, value in more.items()}
    kept = {
        name: value
        for name, value in _FACTS.items()
        if name.lower() not in {changed_name.lower() for changed_name in changed}
    }
    kind = media_type or "image/png"
    made = data if raw else whole(data, kind.removeprefix("image/"))
    answer = _Picture(made, media_type=kind, headers={**kept, **changed})
    if media_type is None:
        answer.of_format = lambda form: picture(data, f"image/{form}", raw=raw, **more)
    return answer


class _Picture(Response):
    of_format: Callable[[str], Response] | None = None


def problem(
    status: int, code: str, detail: str = "it cannot be", retry_after: str | None = None
) -> Response:
    """A refusal, as the service words it."""
    document = {
        "type": f"urn:hyperfocal:problem:{code}",
        "title": code,
        "status": status,
        "detail": detail,
        "instance": "/v1/upscale",
        "code": code,
        "request_id": "request-9",
    }
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return JSONResponse(document, status, headers, "application/problem+json")


def job(status: str = "queued", progress: float = 0.0, **more: Any) -> dict[str, Any]:
    """A job's JSON."""
    return {
        "id": "job-1",
        "request_id": "request-1",
        "status": status,
        "progress": progress,
        "created": "2026-11-24T00:00:00Z",
        "started": None,
        "finished": None,
        "expires": None,
        "result": None,
        "problem": None,
        **more,
    }


def made() -> dict[str, Any]:
    """What a job made, as JSON."""
    return {
        "url": "/v1/results/r.png?expires=1&signature=s",
        "width": 32,
        "height": 24,
        "format": "png",
        "media_type": "image/png",
        "bytes": 9,
        "model": "photo-fast-x2",
        "model_version": "0123abcd",
        "scale": 2.0,
        "consistency_db": 41.25,
        "psnr": 41.25,
        "ssim": 0.991,
        "basis": "consistency",
        "timing_ms": {"total": 25.0},
        "notes": [],
    }


def events(*jobs: dict[str, Any]) -> Response:
    """An event stream."""
    text = ": hello\n\n" + "".join(f"event: job\ndata: {json.dumps(one)}\n\n" for one in jobs)
    return Response(text, media_type="text/event-stream")


@contextmanager
def serving(fake: Fake) -> Iterator[Fake]:
    """The fake on a free port of loopback while inside."""
    application = Starlette(
        routes=[
            Route("/{path:path}", fake.handle, methods=["GET", "POST", "DELETE"]),
        ]
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        fake.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(application, log_level="critical", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield fake
        finally:
            server.should_exit = server.force_exit = True
            thread.join()


_TAKEN: list[socket.socket] = []


def silent_port() -> int:
    """A port of loopback at which nobody listens, nor can: it stays taken."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    _TAKEN.append(taken)
    return int(taken.getsockname()[1])
