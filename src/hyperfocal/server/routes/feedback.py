"""``/v1/feedback``: what people think of a result."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, Response

from hyperfocal.errors import UsageError
from hyperfocal.feedback import MAX_COMMENT, Opinion, Reason, Verdict, book
from hyperfocal.feedback.records import PictureInTheWay, Written, now
from hyperfocal.imaging.formats import FORMATS
from hyperfocal.server.errors import BodyTooLarge, RateLimited, UnsupportedBody
from hyperfocal.server.intake import chunks
from hyperfocal.server.json_body import parse_object
from hyperfocal.server.kind import kind_of
from hyperfocal.server.multipart import read_form_data
from hyperfocal.server.pool import Task
from hyperfocal.server.problems import Problem, first_fault
from hyperfocal.server.security.caller import owner_of
from hyperfocal.server.service import Service, service_of
from hyperfocal.server.spool import check_reserve, folder_of, writing
from hyperfocal.server.store import removal
from hyperfocal.server.work import in_progress, unless_gone

router = APIRouter(prefix="/v1/feedback", tags=["feedback"])

_MOST_JSON = 1 << 16
_HOUR = 3600.0
_REQUEST_ID = r"^[A-Za-z0-9_-]{1,64}$"


def _listed(value: object) -> object:
    """Reasons as a form has them: separated by commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _lines(value: object) -> object:
    """Text with the line ends of which one counts as one: a browser's forms have two for each."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


class FeedbackForm(BaseModel):
    """A verdict on the result of a request."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "example": {
                "request_id": "3f0c8a52d94e4b0f8c1be4b7a8a6c1de",
                "verdict": "down",
                "reasons": ["blurry", "faces"],
                "comment": "The eyes are not the same colour any more.",
                "keep_picture": False,
            }
        },
    )

    request_id: str = Field(pattern=_REQUEST_ID, description="X-Request-ID of the result.")
    verdict: Verdict
    reasons: Annotated[list[Reason], BeforeValidator(_listed)] = Field(
        default=[], max_length=len(Reason), description="In a form: separated by commas."
    )
    comment: Annotated[str, BeforeValidator(_lines)] = Field(default="", max_length=MAX_COMMENT)
    keep_picture: bool = Field(
        default=False, description="Consent to keep the picture, to learn from it."
    )

    def opinion(self) -> Opinion:
        """What is written down."""
        return Opinion(self.verdict, tuple(self.reasons), self.comment, self.keep_picture)


class FeedbackAnswer(BaseModel):
    """What was written down. ``picture``: whether one is kept."""

    id: str
    picture: bool


class FeedbackDeleted(BaseModel):
    """How much was removed."""

    requests: int
    verdicts: int
    pictures: int
    jobs: int


def _body() -> dict[str, Any]:
    schema = _inlined(FeedbackForm.model_json_schema())
    example = schema.pop("example")
    fields = dict(schema["properties"])
    fields["reasons"] = {
        "type": "string",
        "description": f"Of {', '.join(Reason)}, separated by commas.",
    }
    fields["picture"] = {
        "type": "string",
        "format": "binary",
        "description": "The picture; only with keep_picture.",
    }
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schema, "example": example},
                "multipart/form-data": {"schema": {**schema, "properties": fields}},
            },
        }
    }


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without references, which would not be found from inside a request's body."""
    definitions = schema.pop("$defs", {})

    def resolve(value: Any) -> Any:
        if isinstance(value, dict):
            name = value.get("$ref", "").rpartition("/")[2]
            whole = {**definitions[name], **value} if name in definitions else value
            return {key: resolve(one) for key, one in whole.items() if key != "$ref"}
        return [resolve(one) for one in value] if isinstance(value, list) else value

    resolved: dict[str, Any] = resolve(schema)
    return resolved


@router.post(
    "",
    status_code=201,
    summary="Judge a result",
    response_model=FeedbackAnswer,
    openapi_extra=_body(),
    responses={
        404: {"model": Problem, "description": "No such request, or not of this key."},
        409: {"model": Problem, "description": "Judged, and its id was used again since."},
        413: {"model": Problem, "description": "The body is too large."},
        415: {"model": Problem, "description": "Neither JSON nor a form, or not a picture."},
        422: {"model": Problem, "description": "A field or the picture is not as it should be."},
        504: {"model": Problem, "description": "The time for looking at the picture is over."},
    },
)
async def give(request: Request) -> Response:
    """The latest verdict on a request replaces the one before.

    A picture is taken only together with ``keep_picture``. It stays until a verdict without that
    or with another picture, or ``DELETE``. Where the id was used for another request after the
    first verdict, no verdict is taken any more.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    kept = None
    if kind == "application/json":
        form = _checked(await _json(request))
    elif kind == "multipart/form-data":
        # It may bring a picture, which takes the place of one that is to be restored.
        with in_progress(request, is_prediction=False):
            form, picture = await _form(request)
            if picture is not None:
                kept = await _keep(request, form, picture)
    else:
        raise UnsupportedBody("send application/json or multipart/form-data")
    service = service_of(request)
    written = await _write(service, form, owner_of(request), kept)
    if written.is_first:
        service.metrics.judged(form.verdict.value, written.model, written.model_version)
    return JSONResponse({"id": written.id, "picture": written.has_picture}, 201)


@router.delete(
    "/{request_id}",
    summary="Remove everything about a request",
    response_model=FeedbackDeleted,
    responses={404: {"model": Problem, "description": "No such request, or not of this key."}},
)
async def forget(request: Request, request_id: str) -> Response:
    """Removes the verdict, the picture, what is known of the request, and its jobs."""
    service, owner = service_of(request), owner_of(request)
    jobs = await service.jobs.forget(request_id, owner)
    if not jobs:
        await service.store.read(book.know, request_id, owner)
    gone = await removal.forget(service.store, request_id, owner)
    return JSONResponse(
        {
            "requests": gone.requests,
            "verdicts": gone.verdicts,
            "pictures": gone.pictures,
            "jobs": jobs,
        }
    )


async def _write(
    service: Service, form: FeedbackForm, owner: str, kept: tuple[str, str, int] | None
) -> Written:
    given = (form.request_id, owner, form.opinion(), kept)
    gone: str | None = None
    try:
        while True:
            try:
                return await service.store.call(book.give, *given, gone)
            except PictureInTheWay as error:
                # Its row last, as wherever pictures are removed.
                await asyncio.to_thread(service.store.pictures.delete, error.name)
                gone = error.name
    except Exception:
        # Nothing is kept that nobody could find again.
        if kept is not None:
            await asyncio.to_thread(service.store.pictures.delete, kept[0])
        raise


async def _form(request: Request) -> tuple[FeedbackForm, Path | None]:
    place = folder_of(request) / "picture"
    content_type = request.headers["content-type"]
    with writing("another picture"):
        sent = await read_form_data(chunks(request), content_type, {"picture": place})
    form, picture = _checked(sent.fields), sent.files.get("picture")
    if picture is not None and not form.keep_picture:
        raise UsageError("a picture may only be sent with keep_picture: true, your consent")
    return form, picture


async def _keep(request: Request, form: FeedbackForm, picture: Path) -> tuple[str, str, int]:
    """Put a picture into the storage, if it is one and there is room; as ``book.give`` has it."""
    service, owner = service_of(request), owner_of(request)
    await service.store.read(book.check_open, form.request_id, owner)
    most = service.settings.pictures_a_day
    if await service.store.read(book.count_pictures, owner, now() - timedelta(days=1)) >= most:
        raise RateLimited(
            f"{most} pictures of one day are kept at most (setting pictures_a_day)", _HOUR
        )
    check_reserve(service.settings.disk_reserve, service.store.pictures.folder)
    kind = FORMATS[await kind_of(picture)]
    # Its beginning proves nothing: it is decoded, where that can do no harm.
    task = Task(picture, None, kind="check", request_id=request.state.request_id)
    run = service.pool.run(task, seconds=service.settings.task_seconds)
    await unless_gone(request, run)
    suffix = kind.suffixes[0].removeprefix(".")
    name, size = await asyncio.to_thread(service.store.keep, picture, suffix)
    return name, kind.media_type, size


async def _json(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for chunk in chunks(request):
        body += chunk
        if len(body) > _MOST_JSON:
            raise BodyTooLarge(f"a verdict has {_MOST_JSON:,} bytes at most")
    return parse_object(bytes(body))


def _checked(content: object) -> FeedbackForm:
    try:
        return FeedbackForm.model_validate(content)
    except ValidationError as error:
        raise UsageError(first_fault(error.errors(include_input=False))) from error
