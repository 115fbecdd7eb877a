"""The web page."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from hyperfocal.server.errors import NotFound
from hyperfocal.server.page import INDEX, assets

router = APIRouter(include_in_schema=False)


@router.get("/")
async def index(request: Request) -> Response:
    """The page itself."""
    return _answer(request, INDEX)


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """One of its scripts, styles or pictures."""
    if name == INDEX:
        raise NotFound("the page is at /")
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    asset = assets().get(name)
    if asset is None:
        raise NotFound(f"there is nothing at {request.url.path}")
    if asset.is_held(request.headers.get("if-none-match")):
        return Response(status_code=304, headers=asset.headers)
    return Response(asset.body, headers=asset.headers, media_type=asset.media_type)
