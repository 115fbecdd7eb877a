"""The line before the workers: interactive tasks as they came, then jobs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from hyperfocal.server.errors import QueueFull
from hyperfocal.server.pool.handle import Worker


class Line:
    """Gives idle workers to those who wait.

    ``limit``: interactive tasks that may wait; ``capacity``: how many workers there are. Jobs
    leave one of several workers to interactive tasks: a job can take half an hour, and whoever
    waits before the screen would wait as long. ``on_room``: called when a worker is left over for
    a job that is still to come.
    """

    def __init__(self, limit: int, capacity: int) -> None:
        self.on_room: Callable[[], None] = lambda: None
        self._limit = limit
        self._most_jobs = max(capacity - 1, 1)
        self._jobs_out = 0
        self._idle: deque[Worker] = deque()
        self._interactive: deque[asyncio.Future[Worker]] = deque()
        self._jobs: deque[asyncio.Future[Worker]] = deque()

    @property
    def waiting(self) -> int:
        """Interactive tasks that wait."""
        return len(self._interactive)

    @property
    def waiting_jobs(self) -> int:
        """Jobs that wait."""
        return len(self._jobs)

    @property
    def room_for_jobs(self) -> int:
        """How many more jobs would get a worker at once."""
        usable = sum(worker.is_usable for worker in self._idle)
        return max(min(usable, self._most_jobs - self._jobs_out), 0)

    @property
    def idle(self) -> tuple[Worker, ...]:
        """Workers without work."""
        return tuple(self._idle)

    async def take(self, *, job: bool) -> Worker:
        """An idle worker, when it is this one's turn; :class:`QueueFull`."""
        if not job and not self._idle and len(self._interactive) >= self._limit:
            raise QueueFull(
                f"{len(self._interactive)} pictures are waiting already; try again in a moment"
            )
        turn: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        waiting = self._jobs if job else self._interactive
        waiting.append(turn)
        self._serve()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.give(turn.result(), job=job)
            elif turn in waiting:
                waiting.remove(turn)
            raise

    def give(self, worker: Worker, *, job: bool | None = None) -> None:
        """A worker is idle; ``job``: what it was taken for, if it was taken."""
        self.finished(job=job)
        if worker.is_usable:
            self._idle.append(worker)
            self._serve()

    def finished(self, *, job: bool | None) -> None:
        """What a worker was taken for is over, whether or not the worker is."""
        if job:
            self._jobs_out -= 1
            self._serve()

    def remove(self, worker: Worker) -> None:
        """A worker is not to be given out any more."""
        if worker in self._idle:
            self._idle.remove(worker)

    def turn_away(self, error: Exception, *, jobs_only: bool) -> None:
        """Let those who wait go without a worker."""
        for waiting in (self._jobs,) if jobs_only else (self._jobs, self._interactive):
            while waiting:
                turn = waiting.popleft()
                if not turn.done():
                    turn.set_exception(error)

    def _serve(self) -> None:
        while self._idle:
            if not self._idle[0].is_usable:
                self._idle.popleft()
                continue
            turn = _next(self._interactive)
            if turn is None and self._jobs_out < self._most_jobs:
                turn = _next(self._jobs)
                self._jobs_out += turn is not None
            if turn is None:
                if self.room_for_jobs:
                    self.on_room()
                return
            turn.set_result(self._idle.popleft())


def _next(waiting: deque[asyncio.Future[Worker]]) -> asyncio.Future[Worker] | None:
    """The first who still waits."""
    while waiting:
        turn = waiting.popleft()
        if not turn.done():
            return turn
    return None
