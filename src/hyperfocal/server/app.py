"""The application: its parts, started and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from importlib import import_module
from typing import TYPE_CHECKING

from anyio import to_thread
from fastapi import FastAPI

from hyperfocal.errors import HyperfocalError
from hyperfocal.models.aliasing import aliases
from hyperfocal.server import openapi, problems, spool
from hyperfocal.server.envelope import Envelope
from hyperfocal.server.gate import Gate
from hyperfocal.server.heads import Heads
from hyperfocal.server.last_resort import LastResort
from hyperfocal.server.limits import BodyLimits
from hyperfocal.server.loading import choose, follow
from hyperfocal.server.metrics import Metrics
from hyperfocal.server.security.keys import Keys
from hyperfocal.server.security.starting import check_media, check_production, make_private
from hyperfocal.server.service import Service

if TYPE_CHECKING:
    from hyperfocal.server.settings import ServerSettings

__all__ = ["Service", "create_app"]

_log = logging.getLogger(__name__)
_ROUTES = (
    "predict",
    "upscale",
    "preview",
    "estimate",
    "jobs",
    "results",
    "feedback",
    "models",
    "health",
    "admin",
    "docs",
    "page",
)
_ABOUT = "Restores low-quality photographs to high resolution. Errors are RFC 9457 problems."
_ASKS = [
    "authorization",
    "x-api-key",
    "content-type",
    "x-request-id",
    "idempotency-key",
    "if-none-match",
    "range",
    "if-range",
    "last-event-id",
]
_TELLS = [
    "x-request-id",
    "retry-after",
    "location",
    "allow",
    "www-authenticate",
    "idempotency-replayed",
    "etag",
    "last-modified",
    "accept-ranges",
    "content-range",
    "content-disposition",
    *(name.lower() for name in openapi.picture_out()[200]["headers"]),
]


def create_app(settings: ServerSettings) -> FastAPI:
    """The ASGI application; nothing is started before its lifespan begins.

    Raises :class:`SettingsError` for keys that cannot be read or a media folder that is not there,
    and :class:`ProductionRefused`.
    """
    import hyperfocal

    check_media(settings)
    keys = Keys(settings.keys) if settings.keys is not None else None
    check_production(settings, len(keys) if keys is not None else 0)
    metrics = Metrics()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            # Before what lies in it is made, which would give it what modes folders have.
            make_private(settings.data, f"setting 'data': {settings.data}: the folder")
            with spool.prepared(settings.spool):
                async with _running(settings, metrics, keys) as service:
                    app.state.service = service
                    yield
        except HyperfocalError as error:
            # For whoever started the server, which only tells that it could not start.
            app.state.failure = error
            raise

    app = FastAPI(
        title="Hyperfocal",
        version=hyperfocal.__version__,
        description=_ABOUT,
        lifespan=lifespan,
        # The framework's own pages take their scripts from other sites.
        docs_url=None,
        redoc_url=None,
        # It would lead to http:// where a proxy in front speaks TLS.
        redirect_slashes=False,
    )
    for name in _ROUTES:
        app.include_router(import_module(f"hyperfocal.server.routes.{name}").router)
    problems.install(app)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    # The last is the outermost.
    app.add_middleware(Heads)
    app.add_middleware(BodyLimits, max_bytes=settings.max_body, seconds=settings.body_seconds)
    app.add_middleware(Gate, settings=settings, keys=keys)
    app.add_middleware(LastResort)
    if settings.cors:
        from starlette.middleware.cors import CORSMiddleware

        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors,
            allow_methods=["GET", "HEAD", "POST", "DELETE"],
            allow_headers=_ASKS,
            expose_headers=_TELLS,
        )
    app.add_middleware(Envelope, metrics=metrics)
    return app


@contextlib.asynccontextmanager
async def _running(
    settings: ServerSettings, metrics: Metrics, keys: Keys | None
) -> AsyncIterator[Service]:
    from hyperfocal.server.jobs import JobRunner
    from hyperfocal.server.pool import Pool
    from hyperfocal.server.results import Results
    from hyperfocal.server.store import Store

    # Before it is looked what they stand for: an alias that moves meanwhile has moved since.
    seen = await to_thread.run_sync(aliases)
    chosen = await to_thread.run_sync(choose, settings.models)
    pool = Pool(settings.model_copy(update={"models": chosen.models}))
    results = Results(settings)
    store = await to_thread.run_sync(Store.open, settings)
    jobs = JobRunner(settings, pool, store, results, metrics)
    service = Service(settings, metrics, pool, store, results, jobs, chosen, keys)
    metrics.watch(pool)
    if settings.alias_seconds:
        metrics.followed(True)
    # In the background, so that the service can already say that it is not ready.
    loading = asyncio.create_task(_load(service, seen))
    try:
        yield service
    finally:
        service.draining = True
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)
        await jobs.stop()
        await pool.drain(settings.drain_seconds)
        await to_thread.run_sync(store.close)


async def _load(service: Service, seen: dict[str, str]) -> None:
    """Load the models, begin with the jobs, and then follow the aliases."""
    try:
        # Before anything is counted, which is as soon as the pool is there.
        await service.tell_models()
        await service.pool.start()
        await service.jobs.start()
    except HyperfocalError as error:
        _log.critical("the service cannot start: %s", error)
        service.failure = error
    except Exception as error:
        _log.exception("the service cannot start")
        service.failure = HyperfocalError(f"the service cannot start: {error}")
        raise
    else:
        _log.info("ready", extra={"fields": {"models": service.pool.models}})
        if service.settings.alias_seconds:
            await follow(service, seen, service.settings.alias_seconds)
