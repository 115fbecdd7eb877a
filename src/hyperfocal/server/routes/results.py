"""``/v1/results``: finished pictures, for whoever holds a signed link."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, Query, Request
from starlette.datastructures import MutableHeaders
from starlette.responses import FileResponse, Response, StreamingResponse

from hyperfocal.server.conditions import is_held, is_part_wanted
from hyperfocal.server.errors import NotFound
from hyperfocal.server.problems import Problem
from hyperfocal.server.results import GONE
from hyperfocal.server.service import service_of
from hyperfocal.storage import FileMissing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Message, Receive, Scope, Send

    from hyperfocal.server.results import Kept, Shelf

router = APIRouter(tags=["results"])

_PICTURE = {"image/*": {"schema": {"type": "string", "format": "binary"}}}


@router.get(
    "/v1/results/{name}",
    summary="Fetch a result by its signed link",
    response_class=Response,
    responses={
        200: {"content": _PICTURE, "description": "The picture."},
        304: {"description": "The client has it already."},
        403: {"model": Problem, "description": "The signature is not right."},
        404: {"model": Problem, "description": "The result is not there any more."},
        410: {"model": Problem, "description": "The link is no longer good."},
        416: {"model": Problem, "description": "None of the bytes asked for are there."},
    },
)
async def fetch(
    request: Request,
    name: str,
    expires: int = Query(description="As in the link: seconds since 1970."),
    signature: str = Query(max_length=100, description="As in the link."),
) -> Response:
    """The picture. No key is needed: the link is the key."""
    results = service_of(request).results
    kept = await results.opened(name, expires, signature)
    return send(request, results, kept, {"cache-control": "private, max-age=300"})


def send(request: Request, shelf: Shelf, kept: Kept, headers: Mapping[str, str]) -> Response:
    """A kept file as an answer, from the disk or piece by piece from a bucket.

    Only from the disk are parts of it given. Raises :class:`RangeNotSatisfiable`; its sending,
    :class:`NotFound`.
    """
    # What lies under a name never changes.
    etag = f'"{kept.name}"'
    own = {"content-disposition": f'inline; filename="{kept.name}"', "etag": etag, **headers}
    if is_held(etag, request.headers.get("if-none-match")):
        return Response(status_code=304, headers=own)
    if kept.path is not None:
        is_same = request.headers.get("if-range", etag) == etag
        wanted = request.headers.get("range") if is_same else None
        file = _File if is_part_wanted(wanted, kept.bytes) else _WholeFile
        return file(kept.path, media_type=kept.media_type, headers=own)
    own["content-length"] = str(kept.bytes)
    return _Pieces(shelf.chunks(kept.name), media_type=kept.media_type, headers=own)


class _OnceThere(Response):
    """An answer whose head waits for the first of its body.

    What is removed after it was found can then still be told to be gone: :class:`NotFound`.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        held: list[Message] = []
        has_begun = False

        async def send_later(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                held.append(message)
                return
            has_begun = True
            while held:
                await send(held.pop())
            await send(message)

        try:
            await super().__call__(scope, receive, send_later)
        except (FileMissing, FileNotFoundError, RuntimeError) as error:
            # The last is how the framework says it.
            if has_begun or not self._is_gone(error):
                raise
            raise NotFound(GONE) from error

    def _is_gone(self, error: Exception) -> bool:
        return not isinstance(error, RuntimeError)


class _Pieces(_OnceThere, StreamingResponse):
    """Out of a bucket."""


class _File(_OnceThere, FileResponse):
    """From the disk."""

    def _is_gone(self, error: Exception) -> bool:
        return not Path(self.path).exists()


class _WholeFile(_File):
    """All of a file, whatever part of it is asked for."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        scope = {**scope, "headers": list(scope["headers"])}
        del MutableHeaders(scope=scope)["range"]
        await super().__call__(scope, receive, send)
