"""``POST /v1/estimate``: what a restoration would take, without doing it."""

from __future__ import annotations

from fastapi import APIRouter, Request

from hyperfocal.server.intake import receive_picture
from hyperfocal.server.openapi import picture_in
from hyperfocal.server.schemas import EstimateAnswer, UpscaleForm, read_form
from hyperfocal.server.work import in_progress, restore

router = APIRouter(tags=["pictures"])


@router.post(
    "/v1/estimate",
    summary="Tell what it would take",
    response_model=EstimateAnswer,
    openapi_extra=picture_in(UpscaleForm),
)
async def estimate(request: Request) -> EstimateAnswer:
    """Size of the result, seconds, bytes of memory and tiles, from the header alone."""
    with in_progress(request, is_prediction=False):
        incoming = await receive_picture(request)
        form = read_form(UpscaleForm, incoming.fields)
        answer = await restore(request, incoming, form.options(), "estimate")
        return EstimateAnswer(
            width=int(answer.statistics["width"]),
            height=int(answer.statistics["height"]),
            output_width=answer.width,
            output_height=answer.height,
            seconds=answer.estimate["seconds"],
            memory_bytes=int(answer.estimate["memory_bytes"]),
            model=answer.model,
            format=answer.format,
            tiles=int(answer.estimate["tiles"]),
        )
