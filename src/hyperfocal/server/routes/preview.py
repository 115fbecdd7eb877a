"""``POST /v1/preview``: a small part of a picture, restored quickly."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from hyperfocal.server.accept import options_of
from hyperfocal.server.answers import picture_answer
from hyperfocal.server.intake import receive_picture
from hyperfocal.server.openapi import picture_in, picture_out
from hyperfocal.server.schemas import PreviewForm, read_form
from hyperfocal.server.spool import folder_of
from hyperfocal.server.work import RESULT, in_progress, restore

router = APIRouter(tags=["pictures"])


@router.post(
    "/v1/preview",
    summary="Restore a small part",
    response_class=Response,
    responses=picture_out(),
    openapi_extra=picture_in(PreviewForm),
)
async def preview(request: Request) -> Response:
    """Restore a part of a picture, 512 x 512 pixels at most, with the quickest model."""
    with in_progress(request, is_prediction=False):
        incoming = await receive_picture(request)
        form = read_form(PreviewForm, incoming.fields)
        answer = await restore(request, incoming, options_of(form, request), "preview")
        return picture_answer(folder_of(request) / RESULT, answer, incoming.name)
