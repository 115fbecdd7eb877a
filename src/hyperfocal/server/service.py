"""What all routes share: one object, made when the application starts."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anyio import CapacityLimiter, to_thread

from hyperfocal.errors import ModelBroken
from hyperfocal.models.aliasing import aliases
from hyperfocal.server.catalogue import list_models

if TYPE_CHECKING:
    from starlette.requests import Request

    from hyperfocal.errors import HyperfocalError
    from hyperfocal.server.jobs import JobRunner
    from hyperfocal.server.metrics import Metrics
    from hyperfocal.server.pool import Pool
    from hyperfocal.server.results import Results
    from hyperfocal.server.security.keys import Keys
    from hyperfocal.server.settings import ServerSettings
    from hyperfocal.server.store import Store


@dataclass(frozen=True, slots=True)
class Chosen:
    """Models to load: the ``names`` asked for, and the ``models`` that these stood for then."""

    names: tuple[str, ...]
    models: tuple[str, ...]


@dataclass
class Service:
    """The parts of a running service.

    ``keys``: None where no key is asked for. ``draining``: no new picture is taken; what is in
    progress is finished. ``in_progress``: requests that send a picture or wait for it at present;
    ``ordering``: those that send a job.
    ``failure``: why the models could not be loaded. ``decoders``: how many bodies are decoded at
    once. ``chosen``: what is loaded, ``previous``: what was before, latest last; ``held``: since
    that was gone back to, what its names stood for then; ``changing``: held while others are
    loaded.
    """

    settings: ServerSettings
    metrics: Metrics
    pool: Pool
    store: Store
    results: Results
    jobs: JobRunner
    chosen: Chosen
    keys: Keys | None = None
    draining: bool = False
    in_progress: int = 0
    ordering: int = 0
    failure: HyperfocalError | None = None
    previous: list[Chosen] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    decoders: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))

    @property
    def ready(self) -> bool:
        """Whether a picture sent now would be worked on."""
        return self.pool.ready and not self.draining

    async def tell_models(self) -> None:
        """Let the metrics know which models there are, and what aliases stand for."""
        listed = await to_thread.run_sync(list_models)
        known: dict[str, str] = {}
        # Damaged ones are told by whoever goes by them.
        with suppress(ModelBroken):
            known = await to_thread.run_sync(aliases)
        self.metrics.know_models((entry.card.name for entry in listed), known)


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    service: Service = request.app.state.service
    return service
