"""A pool that keeps the contract of the real one and does as a test says."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hyperfocal.server.errors import Draining
from hyperfocal.server.pool import Answer, Task


def answer_for(content: bytes, **changes) -> Answer:
    facts = {
        "model": "photo-fast-x2",
        "model_version": "0123456789ab",
        "width": 32,
        "height": 24,
        "scale": 2.0,
        "format": "png",
        "media_type": "image/png",
        "bytes": len(content),
        "consistency_db": 44.5,
        "psnr": 44.5,
        "ssim": 0.99,
        "basis": "consistency",
        "timing_ms": {"decode": 1.0, "model": 2.0, "encode": 3.0, "total": 6.0},
        "statistics": {"width": 16.0, "height": 12.0, "brightness": 0.5},
        "notes": ("é",),
    }
    return Answer(**{**facts, **changes})


class FakePool:
    """Writes ``made of`` and the input. ``hold``: tasks wait until :meth:`release`.

    ``raises``: errors that the next tasks end in, first come first served. ``chooses``: the model
    that is told before a job's picture ends. ``interactive``: workers that jobs do not get;
    ``on_room``: to be called when that becomes less.
    """

    def __init__(self, settings=None, *, capacity: int = 1, hold: bool = False) -> None:
        self.capacity = capacity
        self.ready = True
        self.waiting = self.running = self.interactive = 0
        self.restarts = {}
        self.models = ("photo-fast-x2",)
        self.versions = {"photo-fast-x2": "0123456789ab"}
        self.version = "1"
        self.retry_after = 1
        self.threads = 1
        self.pids = ()
        self.hold = hold
        self.raises: list[BaseException] = []
        self.changes: dict = {}
        self.chooses = None
        self.begun: list[Task] = []
        self.stopped: list[Task] = []
        self.seconds: list[float] = []
        self.tellers = []
        self._go = asyncio.Event()
        self._arrived = asyncio.Event()

    async def start(self) -> None:
        self.ready = True

    async def drain(self, seconds: float) -> None:
        self.ready = False

    def release(self) -> None:
        self.hold = False
        self._go.set()

    async def until_begun(self, count: int = 1) -> None:
        async with asyncio.timeout(60):
            while len(self.begun) < count:
                self._arrived.clear()
                await self._arrived.wait()

    @property
    def accepts(self) -> bool:
        return self.ready

    @property
    def room_for_jobs(self) -> int:
        return self.capacity - self.running - self.interactive if self.ready else 0

    def tell_room(self, tell) -> None:
        self.on_room = tell

    async def run(
        self, task: Task, *, seconds, on_progress=None, on_model=None, wait=False
    ) -> Answer:
        assert wait or task.kind == "check"
        if not self.ready:
            raise Draining("stopping")
        if task.kind == "check":
            if self.raises:
                raise self.raises.pop(0)
            return answer_for(b"")
        self.begun.append(task)
        self.seconds.append(seconds)
        self.tellers.append(on_progress)
        self._arrived.set()
        self.running += 1
        content = task.source.read_bytes()
        beside = [path for path in (task.reference, task.depth) if path is not None]
        rest = b"".join(path.read_bytes() for path in beside)
        try:
            if self.hold:
                await self._go.wait()
            if self.chooses is not None:
                on_model(self.chooses)
            if self.raises:
                raise self.raises.pop(0)
        except asyncio.CancelledError:
            self.stopped.append(task)
            raise
        finally:
            self.running -= 1
        made = b"made of " + content + rest
        Path(task.output).write_bytes(made)
        return answer_for(made, **self.changes)
