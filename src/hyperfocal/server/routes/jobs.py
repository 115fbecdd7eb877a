"""``/v1/jobs``: pictures that take longer than a client waits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from hyperfocal.errors import HyperfocalError
from hyperfocal.server.answers import disposition, facts
from hyperfocal.server.intake import ordering, receive_picture
from hyperfocal.server.jobs.document import document
from hyperfocal.server.jobs.events import last_seen, stream
from hyperfocal.server.jobs.orders import check_key
from hyperfocal.server.jobs.schemas import JobDocument
from hyperfocal.server.kind import kind_of
from hyperfocal.server.openapi import picture_in
from hyperfocal.server.pool import Answer
from hyperfocal.server.problems import Problem
from hyperfocal.server.routes.results import send
from hyperfocal.server.schemas import UpscaleForm, read_form
from hyperfocal.server.security.caller import may_still, owner_of
from hyperfocal.server.service import Service, service_of
from hyperfocal.server.store import Job, Status, jobs

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "No such job, or not of this key."}
}


class NotDone(HyperfocalError):
    """The job has no result, or none yet."""

    code = "not-done"
    status = 409


@router.post(
    "",
    status_code=202,
    summary="Queue a picture",
    response_model=JobDocument,
    openapi_extra=picture_in(UpscaleForm),
    responses={
        413: {"model": Problem, "description": "The body is too large."},
        415: {"model": Problem, "description": "Not a picture."},
        422: {"model": Problem, "description": "Options that cannot work, or a key used again."},
        503: {"model": Problem, "description": "Too many jobs, no room, or the service stops."},
    },
)
async def submit(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="The same key with the same picture and options: the same job, unless that"
            " was cancelled, has expired, or failed for no fault of the picture (a 5xx problem)."
        ),
    ] = None,
) -> Response:
    """Takes what ``POST /v1/upscale`` takes; the job is worked on whether or not anybody waits."""
    request.state.is_order = True
    owner = owner_of(request)
    with ordering(request) as service:
        check_key(idempotency_key)
        await service.store.read(
            jobs.check_kept, owner, idempotency_key, limit=service.settings.jobs_kept
        )
        incoming = await receive_picture(request)
        options = read_form(UpscaleForm, incoming.fields).options()
        request.state.model = options.model
        request.state.served = service.metrics.expected(options.model, options.scale)
        for path in incoming.files:
            await kind_of(path)
        job, is_new = await service.jobs.submit(
            incoming.source,
            options,
            reference=incoming.reference,
            depth=incoming.depth,
            request_id=request.state.request_id,
            owner=owner,
            key=idempotency_key,
            name=incoming.name,
        )
    headers = {"location": f"/v1/jobs/{job.id}"}
    if not is_new:
        headers["idempotency-replayed"] = "true"
    return JSONResponse(document(job, service.results), 202, headers)


@router.get("/{job_id}", summary="How a job is", response_model=JobDocument, responses=_NOT_FOUND)
async def show(request: Request, job_id: str) -> Response:
    """The job as it is now."""
    service, job = await _job(request, job_id)
    return JSONResponse(document(job, service.results))


@router.delete(
    "/{job_id}", summary="Cancel a job", response_model=JobDocument, responses=_NOT_FOUND
)
async def cancel(request: Request, job_id: str) -> Response:
    """Stops the work and removes the files; of a job that has succeeded, the result."""
    service = service_of(request)
    job = await service.jobs.cancel(job_id, owner_of(request))
    return JSONResponse(document(job, service.results))


@router.get(
    "/{job_id}/events",
    summary="Follow a job",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "An event at every change."},
        204: {"description": "The job has ended and the last event was seen."},
        **_NOT_FOUND,
    },
)
async def events(
    request: Request,
    job_id: str,
    last_event_id: Annotated[
        str | None, Header(description="Sent by browsers that connect again.")
    ] = None,
) -> Response:
    """``event: job`` with the job's document at every change; ends when the job has."""
    service, job = await _job(request, job_id)
    seen = last_seen(last_event_id)
    if job.status.has_ended and job.revision == seen:
        # Tells a browser not to connect again.
        return Response(status_code=204)
    owner, runner = owner_of(request), service.jobs

    async def is_over() -> bool:
        # A stream lasts as long as its job: longer than the key it was asked for with, maybe.
        is_let_in = may_still(request, "use", service.keys)
        return service.draining or not is_let_in or await request.is_disconnected()

    body = stream(
        lambda: runner.get(job_id, owner),
        lambda job: document(job, service.results),
        runner.changes,
        job_id,
        seen=seen,
        is_over=is_over,
        timing=runner.timing,
    )
    # Proxies that buffer would hold the events back.
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


@router.get(
    "/{job_id}/result",
    summary="Fetch a job's picture",
    response_class=Response,
    responses={
        200: {"content": {"image/*": {}}, "description": "The picture; facts in headers."},
        304: {"description": "The client has it already."},
        409: {"model": Problem, "description": "The job has no result, or none yet."},
        416: {"model": Problem, "description": "None of the bytes asked for are there."},
        **_NOT_FOUND,
    },
)
async def result(request: Request, job_id: str) -> Response:
    """The picture, with the same headers as ``POST /v1/upscale``."""
    service, job = await _job(request, job_id)
    if job.status is not Status.SUCCEEDED or job.output is None or job.answer is None:
        raise NotDone(f"the job is {job.status.value}; it has no result")
    kept = await service.results.find(job.output)
    return send(request, service.results, kept, _headers(job.answer, job.name))


def _headers(plain: Mapping[str, Any], name: str) -> dict[str, str]:
    # JSON has no infinity: of a result that equals what it is compared with, the PSNR is null.
    psnr = math.inf if plain["psnr"] is None else plain["psnr"]
    answer = Answer.from_plain({**plain, "psnr": psnr})
    return {**facts(answer), **disposition(answer, name)}


async def _job(request: Request, job_id: str) -> tuple[Service, Job]:
    service = service_of(request)
    return service, await service.jobs.get(job_id, owner_of(request))
