"""``/v1/results``: finished pictures, for whoever holds a signed link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, Response, StreamingResponse

from hyperfocal.server.problems import Problem
from hyperfocal.server.service import service_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hyperfocal.server.results import Kept, Shelf

router = APIRouter(tags=["results"])

_PICTURE = {"image/*": {"schema": {"type": "string", "format": "binary"}}}


@router.head("/v1/results/{name}", include_in_schema=False)
@router.get(
    "/v1/results/{name}",
    summary="Fetch a result by its signed link",
    response_class=Response,
    responses={
        200: {"content": _PICTURE, "description": "The picture."},
        403: {"model": Problem, "description": "The signature is not right."},
        404: {"model": Problem, "description": "The result is not there any more."},
        410: {"model": Problem, "description": "The link is no longer good."},
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
    return send(results, kept, {"cache-control": "private, max-age=300"})


def send(shelf: Shelf, kept: Kept, headers: Mapping[str, str]) -> Response:
    """A kept file as an answer, from the disk or piece by piece from a bucket."""
    own = {"content-disposition": f'inline; filename="{kept.name}"', **headers}
    if kept.path is not None:
        return FileResponse(kept.path, media_type=kept.media_type, headers=own)
    own["content-length"] = str(kept.bytes)
    return StreamingResponse(shelf.chunks(kept.name), media_type=kept.media_type, headers=own)
