"""The pool's side of one worker process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hyperfocal.errors import HyperfocalError
from hyperfocal.server.errors import WorkerDied, WorkerMemory
from hyperfocal.server.pool import protocol
from hyperfocal.server.pool.protocol import Order
from hyperfocal.server.pool.task import Answer, Task
from hyperfocal.server.served import Served

Reason = Literal["died", "hung", "memory", "ended"]
"""Why a worker is gone; ``ended``: because it was told to."""

ENTRY = "hyperfocal.server.pool.worker"
"""The module that a worker process runs."""

# Seconds that a worker may take to load its models, and to end when told to.
_LOADING, _ENDING = 120.0, 2.0
# Bytes of stderr that are kept.
_TAIL = 16_384

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Errand:
    """One task under way; ``done`` gets its answer or its error."""

    number: int
    task: Task
    on_progress: Callable[[float], None] | None
    on_model: Callable[[Served], None] | None
    done: asyncio.Future[Answer]


class Worker:
    """One process, and the one task it may be at. Made by :meth:`start`."""

    def __init__(self, process: asyncio.subprocess.Process, threads: int, slot: int) -> None:
        loop = asyncio.get_running_loop()
        self.slot, self.threads = slot, threads
        self.gone: asyncio.Future[Reason] = loop.create_future()
        self.versions: Mapping[str, str] = {}
        self.answered = 0
        self.retired = False
        self.is_spent = False
        self._process = process
        self._ready: asyncio.Future[None] = loop.create_future()
        # Looked at here because whoever waited for it may have been cancelled.
        self._ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())
        self._errand: Errand | None = None
        self._number = 0
        self._reason: Reason | None = None
        self._stderr = bytearray()
        self._listening = [loop.create_task(self._listen()), loop.create_task(self._overhear())]

    @classmethod
    async def start(cls, order: Order, *, threads: int, slot: int) -> Worker:
        """A worker that has loaded its models.

        Raises the :class:`ModelError` that loading gave rise to; :class:`WorkerDied` where the
        process did not get that far, or the system has no room for one.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                ENTRY,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=protocol.LONGEST,
                env=_environment(threads),
            )
        except (OSError, RuntimeError) as error:
            # RuntimeError: where it takes a thread to wait for a process, and there is none left.
            raise WorkerDied(f"a worker cannot be started: {error}") from error
        worker = cls(process, threads, slot)
        worker._send(do="load", order=order.to_plain())
        try:
            async with asyncio.timeout(_LOADING):
                await asyncio.shield(worker._ready)
        except TimeoutError:
            worker.kill("hung")
            await worker.gone
            raise WorkerDied(f"a worker did not load its models in {_LOADING:g} s") from None
        except BaseException:
            worker.kill("ended")
            await asyncio.shield(worker.gone)
            raise
        return worker

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs and nothing was decided against it."""
        return self._reason is None and not self.gone.done()

    @property
    def is_usable(self) -> bool:
        """Whether it can be given work."""
        return self.is_alive and not self.retired and not self.is_spent

    @property
    def _tail(self) -> str:
        return self._stderr.decode("utf-8", "replace")

    @property
    def _about(self) -> dict[str, Any]:
        """For a line of the log: the request whose picture it is at, which it was not begun in."""
        request_id = "" if self._errand is None else self._errand.task.request_id
        return {"fields": {"request_id": request_id}} if request_id else {}

    def begin(
        self,
        task: Task,
        on_progress: Callable[[float], None] | None = None,
        on_model: Callable[[Served], None] | None = None,
    ) -> Errand:
        """Give it a task; it must have none."""
        assert self._errand is None
        self._number += 1
        # What an earlier picture made it say is not this one's fault.
        self._stderr.clear()
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._errand = errand = Errand(self._number, task, on_progress, on_model, done)
        if self.gone.done():
            self._finish(error=self._death())
        else:
            self._send(do="task", number=self._number, task=task.to_plain())
        return errand

    def cancel(self, errand: Errand) -> None:
        """Ask it to stop; it answers the errand with :class:`Cancelled` or an answer."""
        errand.on_progress = errand.on_model = None
        if not errand.done.done():
            self._send(do="cancel", number=errand.number)

    def kill(self, reason: Reason) -> None:
        """End it at once, whatever it is at."""
        if self.is_alive:
            self._reason = reason
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """End it, politely at first."""
        self.retired = True
        if self.is_alive:
            self._reason = "ended"
            self._send(do="stop")
            if self._process.stdin is not None:
                self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.gone), _ENDING)
        self.kill("ended")
        await asyncio.shield(self.gone)

    def _send(self, **message: Any) -> None:
        stdin = self._process.stdin
        # A broken pipe shows when the process is waited for.
        if stdin is not None and not stdin.is_closing():
            with contextlib.suppress(OSError, RuntimeError):
                stdin.write(protocol.encode(message))

    async def _listen(self) -> None:
        """Take in messages until the process is gone."""
        stdout = self._process.stdout
        assert stdout is not None
        try:
            while line := await stdout.readline():
                self._take(protocol.decode(line))
        except Exception as error:  # noqa: BLE001 - whatever it said, its end must be noticed
            # Not a message: nothing that comes from this process can be believed any more.
            _log.error("worker %d spoke nonsense: %r", self.pid, error, extra=self._about)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        code = await self._process.wait()
        await self._listening[1]
        self._bury(code)

    async def _overhear(self) -> None:
        """Keep the end of what it says on stderr: libraries tell there why they abort."""
        stderr = self._process.stderr
        assert stderr is not None
        while chunk := await stderr.read(4096):
            self._stderr += chunk
            del self._stderr[:-_TAIL]

    def _take(self, message: Mapping[str, Any]) -> None:
        say = message.get("say")
        if say == "ready":
            self.versions = dict(message["versions"])
            if not self._ready.done():
                self._ready.set_result(None)
        elif say == "failed":
            if not self._ready.done():
                self._ready.set_exception(protocol.error_from_plain(message["error"]))
        elif self._errand is not None and message.get("number") == self._errand.number:
            self._answered(say, message, self._errand)

    def _answered(self, say: object, message: Mapping[str, Any], errand: Errand) -> None:
        if say == "progress":
            if errand.on_progress is not None:
                errand.on_progress(float(message["done"]))
            return
        if say == "model":
            if errand.on_model is not None:
                errand.on_model(Served(str(message["model"]), str(message["version"])))
            return
        if say == "answer":
            answer = Answer.from_plain(message["answer"])
            error = None
        else:
            answer, error = None, protocol.error_from_plain(message["error"])
        self.answered += 1
        self.is_spent = bool(message.get("spent"))
        if "trace" in message:
            trace = message["trace"]
            _log.error("worker %d met an unexpected error:\n%s", self.pid, trace, extra=self._about)
        self._finish(answer, error)

    def _finish(self, answer: Answer | None = None, error: HyperfocalError | None = None) -> None:
        errand, self._errand = self._errand, None
        if errand is None or errand.done.done():
            return
        if answer is not None:
            errand.done.set_result(answer)
        elif error is not None:
            errand.done.set_exception(error)

    def _bury(self, code: int) -> None:
        """The process is gone: say why to whoever waits for it."""
        if self._reason is None:
            self._reason = "memory" if self._ran_out_of_memory(code) else "died"
            ending = _ending(code, self._reason)
            _log.error("worker %d %s\n%s", self.pid, ending, self._tail, extra=self._about)
        if not self._ready.done():
            self._ready.set_exception(self._death())
        if not self.gone.done():
            self.gone.set_result(self._reason)
        self._finish(error=self._death())

    def _ran_out_of_memory(self, code: int) -> bool:
        tail = self._tail
        words = ("bad_alloc", "Cannot allocate memory", "MemoryError", "out of memory")
        return code != -signal.SIGKILL and any(word in tail for word in words)

    def _death(self) -> HyperfocalError:
        if self._reason == "memory":
            return WorkerMemory(
                "this picture needs more memory than a worker may use; send a smaller one or"
                " ask for less"
            )
        return WorkerDied(
            "the process that worked on the picture ended; trying again helps unless the"
            " picture itself is the reason"
        )


def _ending(code: int, reason: Reason) -> str:
    how = f"was killed by signal {-code}" if code < 0 else f"exited with {code}"
    return f"ran out of memory: it {how}" if reason == "memory" else how


def _environment(threads: int) -> dict[str, str]:
    """Libraries read these when they are loaded."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        # More threads than one would still be spinning, waiting for work, beside the model.
        "OPENBLAS_NUM_THREADS": "1",
        # Each arena reserves address space, which is what a worker's memory is limited by.
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUNBUFFERED": "1",
    }
