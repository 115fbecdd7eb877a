"""Changing the models of a running service."""

from __future__ import annotations

from fastapi import APIRouter, Request

from hyperfocal.server.errors import BodyTooLarge, UnsupportedBody
from hyperfocal.server.intake import chunks
from hyperfocal.server.json_body import parse_object
from hyperfocal.server.loading import go_back, load
from hyperfocal.server.openapi import reload_in
from hyperfocal.server.schemas import ReloadAnswer, ReloadRequest, read_form
from hyperfocal.server.service import service_of

router = APIRouter(tags=["administration"])

_BODY_BYTES = 1 << 16


@router.post(
    "/v1/admin/reload",
    summary="Load other models",
    response_model=ReloadAnswer,
    openapi_extra=reload_in(),
)
async def reload(request: Request) -> ReloadAnswer:
    """Load models, and use them for every picture that comes from then on.

    Pictures in work are finished with the models they began with. Where the new ones cannot be
    loaded, the old ones stay.
    """
    wish = read_form(ReloadRequest, await _json(request))
    service = service_of(request)
    version = await load(service, tuple(wish.models))
    return ReloadAnswer(models=sorted(service.pool.versions), version=version)


@router.post("/v1/admin/rollback", summary="Load the models before", response_model=ReloadAnswer)
async def rollback(request: Request) -> ReloadAnswer:
    """Go back to the models that were loaded before the last change."""
    service = service_of(request)
    version = await go_back(service)
    return ReloadAnswer(models=sorted(service.pool.versions), version=version)


async def _json(request: Request) -> dict[str, object]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # A page of another site can make a browser send anything but this without asking first.
    if kind != "application/json":
        raise UnsupportedBody("send application/json")
    body = bytearray()
    async for chunk in chunks(request):
        body += chunk
        if len(body) > _BODY_BYTES:
            raise BodyTooLarge(f"the request has more than {_BODY_BYTES:,} bytes")
    return parse_object(bytes(body))
