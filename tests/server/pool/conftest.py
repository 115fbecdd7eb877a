"""Pools of real worker processes, and pictures that make them misbehave."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import tricky_worker

from hyperfocal import imaging
from hyperfocal.imaging import Picture
from hyperfocal.server.pool import Options, Pool, Task
from hyperfocal.server.settings import ServerSettings

PATIENCE = 60


class Desk:
    """A folder of inputs and outputs, and the two pipes of the tricky worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = count()
        for name in ("begun", "go"):
            os.mkfifo(folder / name)
        # Open at both ends, so that nobody ever waits for the other side to open it.
        self.begun_end = os.open(folder / "begun", os.O_RDWR)
        self.go_end = os.open(folder / "go", os.O_RDWR)
        self.reader = self.transport = None

    def write(self, pixels, suffix=".png", **options):
        path = self.folder / f"in{next(self.numbers)}{suffix}"
        imaging.save(Picture(pixels), path, **options)
        return path

    def task(self, pixels, *, kind="upscale", reference=None, suffix=".png", **options):
        source = pixels if isinstance(pixels, Path) else self.write(pixels, suffix)
        output = None if kind == "estimate" else self.folder / f"out{next(self.numbers)}"
        return Task(source, output, Options(**options), reference, kind)

    def flat(self, level, height=64, width=64, **options):
        return self.task(np.full((height, width, 3), level, np.uint8), **options)

    async def begun(self):
        """The process id of the worker that is now held at a tile."""
        if self.reader is None:
            self.reader = asyncio.StreamReader()
            loop = asyncio.get_running_loop()
            self.transport, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(self.reader), os.fdopen(self.begun_end, "rb")
            )
        return int(await asyncio.wait_for(self.reader.readline(), PATIENCE))

    def go(self, tiles=1, *, late=False):
        """Let tiles go on; ``late``: when the worker knows that the task is cancelled."""
        os.write(self.go_end, (tricky_worker.LATE if late else b".") * tiles)

    def close(self):
        os.close(self.go_end)
        if self.transport is None:
            os.close(self.begun_end)
        else:
            self.transport.close()

    def leftovers(self):
        return sorted(path.name for path in self.folder.iterdir() if "out" in path.name)


@pytest.fixture(scope="session")
def runner():
    with asyncio.Runner() as loop:
        yield loop


@pytest.fixture
def desk(tmp_path, monkeypatch):
    desk = Desk(tmp_path)
    monkeypatch.setenv("HOLDING", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr("hyperfocal.server.pool.handle.ENTRY", "tricky_worker")
    yield desk
    desk.close()


@pytest.fixture
def open_pool(tmp_path):
    """``async with open_pool(workers=1) as pool``: of the bicubic model, which loads quickly."""

    @asynccontextmanager
    async def opened(**given):
        settings = {
            "workers": 1,
            "threads": 1,
            "models": ("bicubic-x2",),
            "data": tmp_path,
            "worker_memory": 600_000_000,
            **given,
        }
        pool = Pool(ServerSettings(**settings))
        await pool.start()
        try:
            yield pool
        finally:
            await pool.drain(0)

    return opened


@pytest.fixture(scope="session")
def tricky():
    return tricky_worker


@pytest.fixture(scope="session")
def noise():
    """A picture of its own for each seed, smooth enough to be a photograph."""

    def make(seed, height=48, width=64):
        rng = np.random.default_rng(seed)
        coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
        return coarse.repeat(8, 0).repeat(8, 1)[:height, :width]

    return make
