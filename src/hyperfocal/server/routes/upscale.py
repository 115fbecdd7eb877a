"""``POST /v1/upscale``: a picture in, the restored picture out."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from hyperfocal.server.accept import options_of
from hyperfocal.server.answers import picture_answer
from hyperfocal.server.intake import receive_picture
from hyperfocal.server.openapi import picture_in, picture_out
from hyperfocal.server.schemas import UpscaleForm, read_form
from hyperfocal.server.spool import folder_of
from hyperfocal.server.work import RESULT, in_progress, restore

router = APIRouter(tags=["pictures"])


@router.post(
    "/v1/upscale",
    summary="Restore a picture",
    response_class=Response,
    responses=picture_out(),
    openapi_extra=picture_in(UpscaleForm),
)
async def upscale(request: Request) -> Response:
    """Restore a picture to a higher resolution.

    Send a form with the file `image`, or the picture itself as the body and the options in the
    address. With the file `reference`, PSNR and SSIM are against that picture; the file `depth`
    is a map by which what is out of focus is kept so.
    """
    with in_progress(request):
        incoming = await receive_picture(request)
        form = read_form(UpscaleForm, incoming.fields)
        answer = await restore(request, incoming, options_of(form, request))
        return picture_answer(folder_of(request) / RESULT, answer, incoming.name)
