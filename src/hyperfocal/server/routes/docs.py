"""``GET /docs``: what the service answers to, for people."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from hyperfocal.server.docs_page import STYLE, render

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """A page made from the OpenAPI document."""
    return HTMLResponse(render(request.app.openapi()))


@router.get("/docs/style.css")
async def style() -> Response:
    """Its looks."""
    return Response(STYLE, media_type="text/css")
