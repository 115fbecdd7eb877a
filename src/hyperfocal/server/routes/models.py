"""``GET /v1/models``: what pictures can be restored with."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request

from hyperfocal.server.catalogue import Listed, list_models
from hyperfocal.server.schemas import ModelFacts
from hyperfocal.server.service import service_of

router = APIRouter(tags=["models"])


@router.get("/v1/models", summary="List the models", response_model=list[ModelFacts])
async def models(request: Request) -> list[ModelFacts]:
    """All models; any of them can be asked for, those not loaded take a moment longer."""
    listed: list[Listed] = await to_thread.run_sync(list_models)
    loaded = service_of(request).pool.versions
    return [
        ModelFacts(
            name=entry.card.name,
            scale=entry.card.scale,
            tier=entry.card.tier,
            purpose=entry.card.purpose,
            version=entry.version,
            loaded=entry.card.name in loaded,
            licence=entry.card.licence,
            precision=entry.precision,
        )
        for entry in listed
    ]
