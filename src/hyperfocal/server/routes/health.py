"""How the service is: alive, ready, which version, and its figures."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from hyperfocal.server.errors import Draining
from hyperfocal.server.metrics import CONTENT_TYPE
from hyperfocal.server.service import service_of

router = APIRouter(tags=["service"])


class State(BaseModel):
    """How the service is."""

    status: str


class Version(BaseModel):
    """What runs here; ``models``: those loaded."""

    name: str = "hyperfocal"
    version: str
    models: list[str] = Field(description="The models that are loaded.")


@router.get("/healthz", summary="Alive?", response_model=State)
async def healthz() -> State:
    """Answers as long as the process does."""
    return State(status="alive")


@router.get("/readyz", summary="Ready?", response_model=State)
async def readyz(request: Request) -> State:
    """200 once the models are loaded; 503 before that, and as soon as the service is to stop."""
    service = service_of(request)
    if service.draining:
        raise Draining("the service is stopping")
    if not service.ready:
        raise Draining("the models are being loaded")
    return State(status="ready")


@router.get("/version", summary="Which version?", response_model=Version)
async def version(request: Request) -> Version:
    """The version of the program, and the models it has loaded."""
    import hyperfocal

    return Version(version=hyperfocal.__version__, models=sorted(service_of(request).pool.versions))


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counters and histograms in Prometheus' text format."""
    return Response(service_of(request).metrics.text(), headers={"content-type": CONTENT_TYPE})
