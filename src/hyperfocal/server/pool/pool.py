"""The pool: hands tasks to worker processes and outlives whatever they do to them."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from statistics import median

from hyperfocal.cores import available_cores, core_numbers
from hyperfocal.errors import Cancelled, HyperfocalError, ModelBroken
from hyperfocal.models.aliasing import aliases
from hyperfocal.models.registry import card_file
from hyperfocal.server.errors import DeadlinePassed, Draining, WorkerDied
from hyperfocal.server.pool.crew import Crew
from hyperfocal.server.pool.handle import Errand, Reason, Worker
from hyperfocal.server.pool.leftovers import sweep
from hyperfocal.server.pool.line import Line
from hyperfocal.server.pool.protocol import Order
from hyperfocal.server.pool.sizing import size
from hyperfocal.server.pool.task import Answer, Task
from hyperfocal.server.served import Served
from hyperfocal.server.settings import ServerSettings
from hyperfocal.settings import Settings

_log = logging.getLogger(__name__)

# Seconds that a worker has to stop what nobody waits for any more.
_GRACE = 2.0
# Recent tasks that tell how long one takes, and what is assumed before there are any.
_RECENT, _ASSUMED = 32, 1.0
_SHORTEST_RETRY, _LONGEST_RETRY = 1, 120


class Pool:
    """A fixed number of worker processes, each at one task at a time.

    Belongs to the event loop in which it is started. ``chosen``: what the names that the service
    was asked to load stand for, whatever an alias stands for by now.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._sizing = size(settings.workers, settings.threads, core_numbers(), available_cores())
        self._line = Line(settings.queue, self._sizing.workers)
        self._crew: Crew | None = None
        self._models: tuple[str, ...] = settings.models
        self.chosen: Mapping[str, str] = {}
        self._aliases: Mapping[str, str] = {}
        self._reloading = asyncio.Lock()
        self._loading: asyncio.Task[Crew] | None = None
        self._draining = False
        self._busy: dict[Errand, Worker] = {}
        self._settling: set[asyncio.Task[None]] = set()
        self._restarts: dict[str, int] = {"died": 0, "hung": 0, "memory": 0}
        self._recent: deque[float] = deque(maxlen=_RECENT)

    @property
    def accepts(self) -> bool:
        """Whether a task may be given: a worker that is being replaced is worth waiting for."""
        return not self._draining and self._crew is not None and self._crew.is_hopeful

    @property
    def ready(self) -> bool:
        """Whether there is a worker for a task given now."""
        return not self._draining and self._crew is not None and bool(self._crew.workers)

    @property
    def waiting(self) -> int:
        """Interactive tasks that wait for a worker."""
        return self._line.waiting

    @property
    def running(self) -> int:
        """Tasks that workers are at."""
        return len(self._busy)

    @property
    def capacity(self) -> int:
        """Tasks that can be worked on at once: the number of workers."""
        return self._sizing.workers

    @property
    def room_for_jobs(self) -> int:
        """How many more jobs would be begun at once."""
        return self._line.room_for_jobs if self.ready else 0

    def tell_room(self, tell: Callable[[], None]) -> None:
        """Have ``tell`` called, in the event loop, whenever there is room for a job again."""
        self._line.on_room = tell

    @property
    def threads(self) -> int:
        """Of each worker."""
        return self._sizing.threads

    @property
    def restarts(self) -> Mapping[str, int]:
        """Workers that had to be replaced, by reason: died, hung, memory."""
        return dict(self._restarts)

    @property
    def models(self) -> tuple[str, ...]:
        """Names that were asked to be loaded, as :meth:`reload` takes them."""
        return self._models

    @property
    def versions(self) -> Mapping[str, str]:
        """Models that every worker has loaded: the beginning of their weights' sha256, by name."""
        return dict(self._crew.versions) if self._crew else {}

    @property
    def version(self) -> str:
        """A digest of :attr:`versions`; empty before the start."""
        return self._crew.version if self._crew else ""

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers."""
        return tuple(worker.pid for worker in self._crew.workers) if self._crew else ()

    @property
    def retry_after(self) -> int:
        """Seconds after which a task that was turned away may find room."""
        each = median(self._recent) if self._recent else _ASSUMED
        ahead = (self._line.waiting + 1) / self.capacity
        return max(_SHORTEST_RETRY, min(math.ceil(each * ahead), _LONGEST_RETRY))

    async def start(self) -> None:
        """Start the workers; returns when all have loaded their models. Raises ModelError."""
        self._settings.spool.mkdir(parents=True, exist_ok=True)
        self._aliases = await asyncio.to_thread(_standing)
        self._take_over(await self._new_crew(self._models), self._models)

    async def run(
        self,
        task: Task,
        *,
        seconds: float,
        on_progress: Callable[[float], None] | None = None,
        on_model: Callable[[Served], None] | None = None,
        wait: bool = False,
    ) -> Answer:
        """Have a task done.

        ``seconds``: until :class:`DeadlinePassed`, waiting included; of a job, from when the
        work begins. ``on_progress``: told 0 to 1, in the event loop; ``on_model``: what the
        picture is given to, once that is chosen, and again if it is another then. ``wait``: a
        job, which waits however long the line is and lets everything interactive go first;
        without it :class:`QueueFull` when too many wait. Cancelling stops the work.

        Raises what the work raised in the worker; :class:`WorkerDied`, :class:`WorkerMemory`;
        :class:`Draining` when the pool is not there to work.
        """
        if self._draining or self._crew is None:
            raise _draining()
        task = self._meant(task)
        loop = asyncio.get_running_loop()
        limit = asyncio.timeout(None if wait else seconds)
        try:
            async with limit:
                worker = await self._line.take(job=wait)
                if wait:
                    limit.reschedule(loop.time() + seconds)
                return await self._work(worker, task, on_progress, on_model, job=wait)
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeadlinePassed(
                f"the picture was not done within {seconds:g} s; a smaller one, a smaller scale"
                " or a job will be"
            ) from None

    async def reload(self, models: tuple[str, ...]) -> str:
        """Change the models without dropping anything; gives the new :attr:`version`.

        New workers load first, then take over; the old ones finish what they are at. Raises
        :class:`ModelError`, or :class:`Draining`, and then nothing has changed.
        """
        async with self._reloading:
            known = await asyncio.to_thread(_known, self._aliases)
            if self._draining or self._crew is None:
                raise _draining()
            version = await self._change(self._crew, models)
            # Not before: what cannot be loaded changes nothing, for those who name an alias too.
            self._aliases = known
            return version

    async def drain(self, seconds: float) -> None:
        """Take no new tasks, wait for those there are, then end the workers.

        Jobs that have not begun are turned away at once, and what is not done after ``seconds``
        too, with :class:`Draining`.
        """
        self._draining = True
        if self._loading is not None:
            # Those workers would get nothing to do, and loading can take minutes.
            self._loading.cancel()
        self._line.turn_away(_draining(), jobs_only=True)
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (self._busy or self._line.waiting) and loop.time() < end:
            pending = {errand.done for errand in self._busy}
            if pending:
                left = max(end - loop.time(), 0)
                await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            # Whoever waited for it, and whoever comes next, gets a turn.
            await asyncio.sleep(0.005)
        self._line.turn_away(_draining(), jobs_only=False)
        async with self._reloading:
            if self._crew is not None:
                await self._crew.end()
                self._crew = None
        while self._settling:
            await asyncio.gather(*self._settling, return_exceptions=True)

    def _meant(self, task: Task) -> Task:
        """The task with the model that its alias stood for when the models were loaded.

        Workers would look in the registry, where it may stand for what was gone back from, or for
        what cannot be loaded, and each would remember what it found at another time.
        """
        name = task.options.model
        if name is None:
            return task
        model = self.chosen.get(name) or self._aliases.get(name, name)
        return replace(task, options=replace(task.options, model=model))

    async def _work(
        self,
        worker: Worker,
        task: Task,
        on_progress: Callable[[float], None] | None,
        on_model: Callable[[Served], None] | None,
        *,
        job: bool,
    ) -> Answer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        errand = worker.begin(task, on_progress, on_model)
        self._busy[errand] = worker
        try:
            # Not awaited by itself: cancelling must not take the future from the worker.
            await asyncio.wait({errand.done})
        except asyncio.CancelledError:
            self._later(self._settle(worker, errand, job=job))
            raise
        self._release(worker, errand, job=job)
        error = errand.done.exception()
        if error is None:
            self._recent.append(loop.time() - began)
            return errand.done.result()
        self._later(_swept(task))
        if self._draining and isinstance(error, WorkerDied | Cancelled):
            raise _draining() from error
        raise error

    async def _settle(self, worker: Worker, errand: Errand, *, job: bool) -> None:
        """See a task to its end that nobody waits for any more."""
        worker.cancel(errand)
        await asyncio.wait({errand.done}, timeout=_GRACE)
        if not errand.done.done():
            _log.warning("worker %d did not stop and is replaced", worker.pid)
            worker.kill("hung")
            await asyncio.wait({errand.done})
        if not errand.done.cancelled():
            errand.done.exception()
        self._release(worker, errand, job=job)
        await _swept(errand.task)

    def _release(self, worker: Worker, errand: Errand, *, job: bool) -> None:
        del self._busy[errand]
        if worker.is_spent:
            worker.kill("memory")
        elif worker.retired and not worker.gone.done():
            self._later(worker.end())
        self._line.give(worker, job=job)

    async def _change(self, old: Crew, models: tuple[str, ...]) -> str:
        self._loading = asyncio.create_task(self._new_crew(models))
        try:
            crew = await self._loading
        except asyncio.CancelledError:
            if self._draining:
                raise _draining() from None
            raise
        finally:
            self._loading = None
        if self._draining:
            await crew.end()
            raise _draining()
        self._take_over(crew, models)
        self._retire(old)
        return crew.version

    def _replaced(self, worker: Worker) -> None:
        """Take in a worker that replaces another, and see to it that it is no odd one out."""
        self._line.give(worker)
        if self._crew is not None and not self._crew.is_of_one_mind:
            self._later(self._agree())

    async def _agree(self) -> None:
        """Load everywhere what a replacement found, where a model was overwritten meanwhile."""
        async with self._reloading:
            if self._draining or self._crew is None or self._crew.is_of_one_mind:
                return
            _log.warning(
                "a model that is served was overwritten: a new worker has other weights than the"
                " rest, which are replaced now"
            )
            try:
                await self._change(self._crew, self._models)
            except HyperfocalError as error:
                if not self._draining:
                    _log.error("the workers have different weights: %s", error)

    async def _new_crew(self, models: tuple[str, ...]) -> Crew:
        crew = Crew(self._orders(models), self._sizing.threads, self._replaced, self._count)
        await crew.start()
        return crew

    def _take_over(self, crew: Crew, models: tuple[str, ...]) -> None:
        self._crew, self._models = crew, models
        for worker in crew.workers:
            self._line.give(worker)

    def _retire(self, crew: Crew) -> None:
        """End each worker of a crew as soon as it has nothing to do."""
        busy = set(self._busy.values())
        for worker in crew.retire():
            if worker not in busy:
                self._line.remove(worker)
                self._later(worker.end())

    def _count(self, reason: Reason) -> None:
        self._restarts[reason] = self._restarts.get(reason, 0) + 1

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    def _orders(self, models: tuple[str, ...]) -> tuple[Order, ...]:
        given = self._settings
        settings = Settings.read(
            threads=self._sizing.threads,
            max_bytes=given.max_body,
            max_pixels=given.max_pixels,
            max_frames=given.max_frames,
            max_output_pixels=given.max_output_pixels,
            memory=given.worker_memory,
        )
        plain = settings.model_dump(mode="json")
        return tuple(
            Order(models, plain, given.worker_memory, cores, os.getpid())
            for cores in self._sizing.cores
        )


def _draining() -> HyperfocalError:
    return Draining("the service is starting or stopping; try again in a moment")


def _standing() -> Mapping[str, str]:
    """What aliases stand for, but those that a model's own name hides. Raises ModelBroken."""
    settings = Settings.read()
    known = aliases(settings)
    return {name: model for name, model in known.items() if card_file(name, settings) is None}


def _known(before: Mapping[str, str]) -> Mapping[str, str]:
    """The same; what they stood for ``before`` where they are damaged, as for a rollback."""
    try:
        return _standing()
    except ModelBroken:
        return before


async def _swept(task: Task) -> None:
    await asyncio.to_thread(sweep, task.output)
