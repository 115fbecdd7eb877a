"""``/v1/feedback``: what people think of a result."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, Response

from hyperfocal.errors import UsageError
from hyperfocal.feedback import MAX_COMMENT, Opinion, Reason, Verdict, book
from hyperfocal.imaging.formats import FORMATS
from hyperfocal.server.errors import BodyTooLarge, Malformed, UnsupportedBody
from hyperfocal.server.intake import chunks
from hyperfocal.server.kind import kind_of
from hyperfocal.server.multipart import read_form_data
from hyperfocal.server.problems import Problem, first_fault
from hyperfocal.server.security.caller import owner_of
from hyperfocal.server.service import Service, service_of
from hyperfocal.server.spool import folder_of

router = APIRouter(prefix="/v1/feedback", tags=["feedback"])

_MOST_JSON = 1 << 16
_REQUEST_ID = r"^[A-Za-z0-9_-]{1,64}$"


def _listed(value: object) -> object:
    """Reasons as a form has them: separated by commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


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
    comment: str = Field(default="", max_length=MAX_COMMENT)
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
        413: {"model": Problem, "description": "The body is too large."},
        415: {"model": Problem, "description": "Neither JSON nor a form, or not a picture."},
        422: {"model": Problem, "description": "A field is not as it should be."},
    },
)
async def give(request: Request) -> Response:
    """The latest verdict on a request replaces the one before.

    A picture is taken only together with ``keep_picture``, and ``DELETE`` removes it again.
    """
    service = service_of(request)
    form, picture = await _read(request)
    if picture is not None and not form.keep_picture:
        raise UsageError("a picture may only be sent with keep_picture: true, your consent")
    kept = None
    owner = owner_of(request)
    if picture is not None:
        await service.store.call(book.know, form.request_id, owner)
        kept = await _keep(service, picture)
    verdict_id = await _write(service, form, owner, kept)
    service.metrics.judged(form.verdict.value)
    return JSONResponse({"id": verdict_id, "picture": kept is not None}, 201)


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
        await service.store.call(book.know, request_id, owner)
    gone = await service.store.forget(request_id, owner)
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
) -> str:
    try:
        verdict_id, dropped = await service.store.call(
            book.give, form.request_id, owner, form.opinion(), kept
        )
    except Exception:
        # Nothing is kept that nobody could find again.
        if kept is not None:
            await asyncio.to_thread(service.store.pictures.delete, kept[0])
        raise
    if dropped is not None:
        await asyncio.to_thread(service.store.pictures.delete, dropped)
    return verdict_id


async def _keep(service: Service, picture: Path) -> tuple[str, str, int]:
    kind = FORMATS[await kind_of(picture)]
    name, size = await asyncio.to_thread(
        book.keep, service.store.pictures, picture, kind.suffixes[0].removeprefix(".")
    )
    return name, f"image/{kind.name}", size


async def _read(request: Request) -> tuple[FeedbackForm, Path | None]:
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return _checked(await _json(request)), None
    if kind != "multipart/form-data":
        raise UnsupportedBody("send application/json or multipart/form-data")
    place = folder_of(request) / "picture"
    form = await read_form_data(chunks(request), content_type, {"picture": place})
    return _checked(form.fields), form.files.get("picture")


async def _json(request: Request) -> object:
    body = bytearray()
    async for chunk in chunks(request):
        body += chunk
        if len(body) > _MOST_JSON:
            raise BodyTooLarge(f"a verdict has {_MOST_JSON:,} bytes at most")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed("the body is not JSON") from error


def _checked(content: object) -> FeedbackForm:
    try:
        return FeedbackForm.model_validate(content)
    except ValidationError as error:
        raise UsageError(first_fault(error.errors(include_input=False))) from error
