"""A worker process: ``python -m hyperfocal.server.pool.worker``, started by the pool only."""

from __future__ import annotations

import errno
import faulthandler
import gc
import os
import queue
import threading
import time
import traceback
from typing import IO, Any, NoReturn

from hyperfocal.errors import Cancelled, HyperfocalError
from hyperfocal.server.errors import WorkerFailed, WorkerMemory
from hyperfocal.server.pool import process, protocol, work
from hyperfocal.server.pool.estimate import Rates
from hyperfocal.server.pool.models import Models
from hyperfocal.server.pool.task import Task
from hyperfocal.settings import Settings

# Bytes, or a part of the memory it may take, beyond which a worker gives back what it holds.
_UNTIDY, _UNTIDY_PART = 100_000_000, 0.25
# Of the memory it may take, what a worker may hold on to before it asks to be replaced.
_SPENT = 0.5
# Seconds in which to clean up after the pool has gone.
_FAREWELL = 2.0
_OUT_OF_MEMORY = (
    "this picture needs more memory than a worker may use; send a smaller one or ask for less"
)


class Worker:
    """Reads orders, one task at a time; a thread listens for cancelling meanwhile."""

    def __init__(self, inbox: IO[bytes], outbox: IO[bytes]) -> None:
        self._inbox, self._outbox = inbox, outbox
        self._orders: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._cancelled: set[int] = set()
        self._orphaned = False
        self._baseline: int | None = None

    def run(self) -> int:
        """Until told to stop or the pool is gone; gives the exit code."""
        first = protocol.decode(self._inbox.readline())
        order = protocol.Order.from_plain(first["order"])
        process.die_with(order.parent)
        process.keep_to(order.cores)
        threading.Thread(target=self._listen, name="orders", daemon=True).start()
        self._settings = Settings.model_validate(order.settings)
        self._memory = order.memory
        try:
            self._models = Models(order.models, self._settings)
            self._rates = Rates()
            warm_up(self._models, self._rates)
        except HyperfocalError as error:
            self._say(say="failed", error=protocol.error_to_plain(error))
            return 1
        self._set_limit()
        self._say(say="ready", versions=self._models.versions)
        while True:
            message = self._orders.get()
            if message is None or message.get("do") == "stop":
                return 0
            self._task(message["number"], Task.from_plain(message["task"]))

    def _listen(self) -> None:
        for line in self._inbox:
            message = protocol.decode(line)
            if message.get("do") == "cancel":
                self._cancelled.add(message["number"])
            else:
                self._orders.put(message)
        # The pool has gone. What is half done cleans up after itself, if it is quick.
        self._orphaned = True
        self._orders.put(None)
        time.sleep(_FAREWELL)
        os._exit(1)

    def _task(self, number: int, task: Task) -> None:
        reached = 0.0

        def report(done: float) -> None:
            nonlocal reached
            # Tiles can become more on the way; progress never goes back.
            if done > reached:
                reached = done
                self._say(say="progress", number=number, done=round(done, 4))

        job = work.Job(
            task,
            self._models,
            self._settings,
            report,
            lambda: self._orphaned or number in self._cancelled,
            self._rates,
            self._set_limit,
            lambda served: self._say(say="model", number=number, **served._asdict()),
        )
        error: HyperfocalError | None = None
        answer: dict[str, Any] = {}
        try:
            answer = {"say": "answer", "answer": work.do(job).to_plain()}
        except BaseException as raised:  # noqa: BLE001 - whatever it is, the pool must be told
            error = _as_ours(raised)
            answer = {
                "say": "error",
                "error": protocol.error_to_plain(error, work.tell(error, task)),
            }
            if isinstance(error, WorkerFailed):
                answer["trace"] = _trace(raised)
        self._cancelled.discard(number)
        self._tidy(error)
        self._say(**answer, number=number, spent=self._is_spent())

    def _tidy(self, error: HyperfocalError | None) -> None:
        """Give memory back after a large picture, or one that was too large."""
        enough = min(_UNTIDY, self._memory * _UNTIDY_PART)
        if isinstance(error, WorkerMemory) or self._held() > enough:
            gc.collect()
            self._models.release()
            process.give_back_free_memory()

    def _held(self) -> int:
        """Bytes beyond what was in use after loading; 0 where the system does not tell."""
        used = process.address_space()
        return 0 if used is None or self._baseline is None else used - self._baseline

    def _is_spent(self) -> bool:
        return self._held() > self._memory * _SPENT

    def _set_limit(self) -> None:
        self._baseline = process.limit_address_space(self._memory)

    def _say(self, **message: Any) -> None:
        with self._writing:
            try:
                self._outbox.write(protocol.encode(message))
                self._outbox.flush()
            except OSError:
                # Nobody listens any more.
                os._exit(1)


def warm_up(models: Models, rates: Rates) -> None:
    """Do everything once: the limit on memory is set on top of what that needs.

    Libraries are imported and threads started now rather than in the first request.
    """
    import numpy as np

    from hyperfocal import imaging
    from hyperfocal.imaging import Picture
    from hyperfocal.quality.statistics import measure
    from hyperfocal.server.pool.scoring import against_input

    tile = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    for form in ("jpeg", "png"):
        imaging.open(imaging.encode(Picture(tile), form))
    measure(tile)
    against_input(tile, tile)
    for net in models.usual.nets.values():
        rates.try_out(net)


def _trace(raised: BaseException) -> str:
    """Where it happened; not what it says, which may quote the picture's metadata."""
    return "".join(traceback.format_tb(raised.__traceback__, -12)) + type(raised).__name__


def _as_ours(raised: BaseException) -> HyperfocalError:
    """Every error as one that the pool knows; memory by its cause, however it was reported."""
    if isinstance(raised, Cancelled):
        return raised
    at: BaseException | None = raised
    while at is not None:
        text = str(at).lower()
        if (
            isinstance(at, MemoryError)
            or (isinstance(at, OSError) and at.errno == errno.ENOMEM)
            or "bad_alloc" in text
            or "can't start new thread" in text
            or "not enough memory" in text
        ):
            return WorkerMemory(_OUT_OF_MEMORY)
        at = at.__cause__ or at.__context__
    if isinstance(raised, HyperfocalError):
        return raised
    return WorkerFailed("the picture could not be worked on: an unexpected error, which was logged")


def main() -> NoReturn:
    """The process: orders on stdin, answers on what was stdout."""
    process.leave_stopping_to_the_parent()
    process.volunteer_for_the_oom_killer()
    faulthandler.enable()
    # Whatever a library prints must not get between the answers.
    outbox = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    code = Worker(os.fdopen(0, "rb"), outbox).run()
    # Not sys.exit: the thread that listens cannot be woken.
    outbox.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
