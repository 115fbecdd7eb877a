"""A real ``hyperfocal serve`` in processes of its own, watched from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import httpx
import psutil

WORKER = "hyperfocal.server.pool.worker"
SETTINGS = "HYPERFOCAL_"
_PATIENCE = 120.0
_POLL = 0.05
_EVERY = 0.2


class Broken(Exception):
    """The service is not there, or not in the state that was waited for."""


class Service:
    """The program with its default settings, on a free port of loopback; a context manager.

    No setting of the environment reaches it, neither the service's nor the engine's.

    ``folder``: where its data and its log lie; started again on the same one, it finds its jobs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Service:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)
        }
        command = [sys.executable, "-m", "hyperfocal", "serve", "--port", "0"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--data", str(self._folder / "data")],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self._main = psutil.Process(self._process.pid)
        with httpx.Client(base_url=self.url or "http://-", trust_env=False) as client:
            self._wait(lambda: self.url and client.get("/readyz").status_code == 200)
        self.capacity = len(self.workers())
        self.cores = len(self._main.cpu_affinity())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        found = []
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in self._main.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if WORKER in child.cmdline():
                        found.append(child)
        return found

    def resident(self) -> int:
        """Bytes of memory in use by all its processes; pages they share are counted in each."""
        total = 0
        for process in (self._main, *self.workers()):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def kill(self) -> None:
        """As ``kill -9`` of the service; returns when its workers are gone as well."""
        workers = self.workers()
        self._process.kill()
        self._process.wait()
        _, alive = psutil.wait_procs(workers, timeout=10)
        if alive:
            raise Broken(f"{len(alive)} workers outlived the service")

    def is_alive(self) -> bool:
        """Whether its main process runs."""
        return self._process.poll() is None

    def log(self) -> str:
        """The end of what it logged."""
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]

    def _wait(self, condition: Callable[[], object]) -> None:
        ends = time.monotonic() + _PATIENCE
        while not condition():
            if not self.is_alive() or time.monotonic() > ends:
                self._process.kill()
                self._process.wait()
                raise Broken(f"the service did not start\n{self.log()}")
            time.sleep(_POLL)


class Memory:
    """Bytes in use over the course of a part, one figure every 0.2 s."""

    def __init__(self) -> None:
        self.samples: list[int] = []

    def peaks_mb(self) -> tuple[float, float]:
        """The highest of the first and of the last fifth."""
        part = max(1, len(self.samples) // 5)
        return max(self.samples[:part]) / 1e6, max(self.samples[-part:]) / 1e6


@contextlib.asynccontextmanager
async def watched(service: Service) -> AsyncIterator[Memory]:
    """Take samples while the body runs."""
    memory = Memory()

    async def look() -> None:
        while True:
            memory.samples.append(await asyncio.to_thread(service.resident))
            await asyncio.sleep(_EVERY)

    memory.samples.append(service.resident())
    looking = asyncio.create_task(look())
    try:
        yield memory
    finally:
        looking.cancel()
        memory.samples.append(service.resident())


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds below which a half, 95 % and 99 % lie; empty without any."""
    if not seconds:
        return {}
    if len(seconds) == 1:
        seconds = [*seconds, *seconds]
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    named = (("p50", 49), ("p95", 94), ("p99", 98))
    return {name: round(1000 * cuts[at], 1) for name, at in named}
