"""The workers of one set of models: started together, each replaced when it is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from hashlib import sha256

from hyperfocal.errors import HyperfocalError
from hyperfocal.server.logs import of_no_request
from hyperfocal.server.pool.handle import Reason, Worker
from hyperfocal.server.pool.protocol import Order

_log = logging.getLogger(__name__)

# Seconds before a replacement, doubled with each worker that is gone without having answered
# anything. A worker that cannot even load costs a second of computing each time; one that dies
# of its first picture may be doing so because of a single caller, which the others must not feel.
_PAUSE, _LONGEST, _LONGEST_LOADING = 0.25, 2.0, 30.0


class Crew:
    """Keeps as many workers alive as there are orders.

    ``orders``: how each is set up; ``on_ready``: called with each worker that replaces another;
    ``on_gone``: called with the reason for each that is gone without having been told to.
    """

    def __init__(
        self,
        orders: tuple[Order, ...],
        threads: int,
        on_ready: Callable[[Worker], None],
        on_gone: Callable[[Reason], None],
    ) -> None:
        self._orders, self._threads = orders, threads
        self._on_ready, self._on_gone = on_ready, on_gone
        self._workers: dict[int, Worker] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._failing: set[int] = set()
        self.versions: Mapping[str, str] = {}

    @property
    def workers(self) -> tuple[Worker, ...]:
        """Those that have loaded."""
        return tuple(self._workers.values())

    @property
    def is_hopeful(self) -> bool:
        """Whether there is a worker, or one is being replaced and that has not failed."""
        return bool(self._workers) or len(self._failing) < len(self._orders)

    @property
    def is_of_one_mind(self) -> bool:
        """Whether all workers have the weights that were there at the start."""
        return all(worker.versions == self.versions for worker in self.workers)

    @property
    def version(self) -> str:
        """A short digest of the models' names and weights."""
        text = "\n".join(f"{name} {digest}" for name, digest in sorted(self.versions.items()))
        return sha256(text.encode()).hexdigest()[:12]

    async def start(self) -> None:
        """Load everywhere. Raises what one of them raised, and then none is left."""
        starting = [
            asyncio.create_task(self._hire(slot, order), context=of_no_request())
            for slot, order in enumerate(self._orders)
        ]
        try:
            workers = await asyncio.gather(*starting)
        except BaseException:
            for task in starting:
                task.cancel()
            for found in await asyncio.gather(*starting, return_exceptions=True):
                if isinstance(found, Worker):
                    await found.end()
            raise
        self.versions = workers[0].versions
        for worker in workers:
            self._workers[worker.slot] = worker
            keeping = asyncio.create_task(self._keep(worker), context=of_no_request())
            self._keepers.append(keeping)

    async def end(self) -> None:
        """End all workers, whatever they are at, and replace none."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in self.workers))
        self._workers.clear()

    def retire(self) -> tuple[Worker, ...]:
        """Replace none any more, and give the workers none any more; gives those there are."""
        for keeper in self._keepers:
            keeper.cancel()
        for worker in self.workers:
            worker.retired = True
        return self.workers

    async def _hire(self, slot: int, order: Order) -> Worker:
        return await Worker.start(order, threads=self._threads, slot=slot)

    async def _keep(self, worker: Worker) -> None:
        """See to it that there is a worker in this one's place."""
        failures = 0
        while True:
            reason = await asyncio.shield(worker.gone)
            if reason == "ended":
                return
            self._workers.pop(worker.slot, None)
            self._on_gone(reason)
            failures = 0 if worker.answered else failures + 1
            await asyncio.sleep(_pause(failures, _LONGEST))
            worker = await self._replace(worker.slot)
            self._workers[worker.slot] = worker
            self._on_ready(worker)

    async def _replace(self, slot: int) -> Worker:
        failures = 0
        while True:
            try:
                worker = await self._hire(slot, self._orders[slot])
            except HyperfocalError as error:
                failures += 1
                self._failing.add(slot)
                _log.error("a worker could not be replaced: %s", error)
                await asyncio.sleep(_pause(failures + 1, _LONGEST_LOADING))
            else:
                self._failing.discard(slot)
                return worker


def _pause(failures: int, longest: float) -> float:
    """None the first time: most often it was one bad file."""
    return 0.0 if failures < 2 else min(_PAUSE * 2 ** (failures - 2), longest)
