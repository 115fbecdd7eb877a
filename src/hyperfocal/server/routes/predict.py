"""``POST /predict``: the JSON door, whose form existing clients rely on."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from hyperfocal.errors import UsageError
from hyperfocal.server.answers import finite, pieces
from hyperfocal.server.errors import Malformed, UnsupportedBody
from hyperfocal.server.intake import Incoming, save
from hyperfocal.server.json_body import SHORT, JsonBody, is_data_url, looks_like_base64
from hyperfocal.server.openapi import predict_in
from hyperfocal.server.pool import Options
from hyperfocal.server.schemas import PredictAnswer, PredictMetrics, PredictRequest, read_form
from hyperfocal.server.security.media import copy_from_media
from hyperfocal.server.service import Service
from hyperfocal.server.settings import ServerSettings
from hyperfocal.server.spool import folder_of, writing
from hyperfocal.server.work import RESULT, in_progress, restore

router = APIRouter(tags=["pictures"])

# A multiple of 3, so that pieces of base64 can simply be joined.
_PIECE = 3 << 16


@router.post(
    "/predict",
    summary="Restore a picture (JSON)",
    response_model=PredictAnswer,
    openapi_extra=predict_in(),
)
async def predict(request: Request) -> Response:
    """Restore a picture given in base64, as a data URL, or by its path below the media folder."""
    with in_progress(request) as service:
        if not _is_json(request):
            raise UnsupportedBody("send application/json")
        folder = folder_of(request)
        body = folder / "body"
        with writing("another picture"):
            await save(request, body)
            # Base64 takes time and address space; a few at once are enough.
            incoming, wish = await to_thread.run_sync(
                _read, body, folder, service.settings, limiter=service.decoders
            )
        options = Options(scale=wish.scale, model=wish.model)
        answer = await restore(request, incoming, options)
        result = folder / RESULT
        plain = {
            "metrics": PredictMetrics(
                PSNR=finite(answer.psnr), SSIM=answer.ssim, basis=answer.basis
            ).model_dump(),
            "request_id": request.state.request_id,
            "model": answer.model,
            "width": answer.width,
            "height": answer.height,
            "timing_ms": dict(answer.timing_ms),
        }
        return await _answer(service, result, answer.media_type, plain, wish.returned == "image")


async def _answer(
    service: Service, result: Path, media_type: str, plain: dict[str, object], with_image: bool
) -> Response:
    name = await service.results.put(result, media_type, move=not with_image)
    plain = {"prediction": name, "url": service.results.url(name), **plain}
    if not with_image:
        return JSONResponse(plain)
    # The picture goes into the last, empty string as it is read.
    whole, tail = bytes(JSONResponse({**plain, "image": ""}).body), b'"}'
    return StreamingResponse(
        _joined(whole.removesuffix(tail), result, tail), media_type="application/json"
    )


async def _joined(head: bytes, path: Path, tail: bytes) -> AsyncIterator[bytes]:
    yield head
    for piece in pieces(path, _PIECE):
        yield base64.b64encode(piece)
    yield tail


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def _read(body: Path, folder: Path, settings: ServerSettings) -> tuple[Incoming, PredictRequest]:
    with JsonBody(body) as sent:
        wish = read_form(PredictRequest, sent.fields)
        source, reference = folder / "image", folder / "reference"
        _place(sent, wish.image, source, settings)
        if wish.reference is None:
            return Incoming(source), wish
        _place(sent, wish.reference, reference, settings)
        return Incoming(source, reference), wish


def _place(sent: JsonBody, text: str, target: Path, settings: ServerSettings) -> None:
    """Put the picture that a member stands for into a file."""
    if sent.is_long(text) or is_data_url(text):
        sent.write_picture(text, target)
        return
    if settings.media_root is None:
        if not looks_like_base64(text):
            raise Malformed(
                "the picture is neither base64 nor a data URL "
                "(paths are not taken here: setting media_root)"
            )
        sent.write_picture(text, target)
        return
    if looks_like_base64(text) and _is_picture(sent, text, target):
        return
    if len(text) > SHORT:
        raise UsageError("the path is too long")
    copy_from_media(settings.media_root, text, target, max_bytes=settings.max_body)


def _is_picture(sent: JsonBody, text: str, target: Path) -> bool:
    """Whether it is a picture in base64, for a path can look like base64; if so, write it."""
    from hyperfocal.imaging.content import HEAD, sniff

    sent.write_picture(text, target)
    with target.open("rb") as file:
        return sniff(file.read(HEAD)) is not None
