"""A job runner on a database and folders of its own."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from fake_pool import FakePool
from quick import QUICK
from serving import serve
from waiting import wait_until

from hyperfocal.server.app import create_app
from hyperfocal.server.jobs import JobRunner, Timing
from hyperfocal.server.jobs.changes import heard
from hyperfocal.server.metrics import Metrics
from hyperfocal.server.pool import Options
from hyperfocal.server.results import Results
from hyperfocal.server.settings import ServerSettings
from hyperfocal.server.store import Store

_ROUTES = ("jobs", "results", "feedback", "health")
PNG = b"\x89PNG\r\n\x1a\n"


class Bench:
    """A runner, what it works with, and the folder it works in."""

    def __init__(self, settings: ServerSettings, pool: FakePool, timing: Timing) -> None:
        self.settings = settings
        self.pool = pool
        self.store = Store.open(settings)
        self.results = Results(settings)
        self.metrics = Metrics()
        self.runner = JobRunner(settings, pool, self.store, self.results, self.metrics, timing)
        self._numbers = count()

    def picture(self, content: bytes = b"picture") -> Path:
        self.settings.spool.mkdir(parents=True, exist_ok=True)
        path = self.settings.spool / f"sent{next(self._numbers)}"
        path.write_bytes(PNG + content)
        return path

    async def submit(self, content: bytes = b"picture", options=None, **given):
        job, is_new = await self.runner.submit(
            self.picture(content), options or Options(), **{"request_id": "r1", **given}
        )
        assert is_new
        return job

    async def until(self, job, condition):
        """The job once it is so."""
        with self.runner.changes.watch(job.id) as bell:
            async with asyncio.timeout(60):
                while not condition(found := await self.runner.get(job.id)):
                    await heard(bell, 0.05)
                    bell.clear()
        return found

    async def until_ended(self, job):
        """The job once it has, and its runner has done with it.

        That a job has ended is written down before its inputs are removed.
        """
        found = await self.until(job, lambda found: found.status.has_ended)
        if (work := self.runner._works.get(job.id)) is not None:
            await work.ended.wait()
        return found

    def files(self, folder: str) -> list[Path]:
        """Files kept as inputs or results; by what the storage is known does not count."""
        place = self.settings.data / "results" / folder
        found = place.iterdir() if place.exists() else ()
        return sorted(path for path in found if not path.name.startswith("storage-"))

    def spooled(self) -> list[Path]:
        return sorted(self.settings.spool.glob("request-*"))


@pytest.fixture
def settings(tmp_path):
    return ServerSettings(data=tmp_path, secret="a secret of the tests", jobs=5)


@pytest.fixture
def bench(settings):
    """``async with bench(…) as b``: a runner that works; or ``bench.still(…)``: one that not."""

    @asynccontextmanager
    async def working(*, pool=None, timing=QUICK, **changes):
        with still(pool=pool, timing=timing, **changes) as made:
            await made.runner.start()
            try:
                yield made
            finally:
                await made.runner.stop()

    @contextmanager
    def still(*, pool=None, timing=QUICK, **changes):
        made = Bench(settings.model_copy(update=changes), pool or FakePool(), timing)
        try:
            yield made
        finally:
            made.store.close()

    working.still = still
    return working


@pytest.fixture
def served(settings, monkeypatch):
    """The service with a fake pool; ``with served(…) as s``."""

    @contextmanager
    def start(*, hold: bool = False, **changes):
        monkeypatch.setattr(
            "hyperfocal.server.pool.Pool",
            lambda settings: FakePool(settings, hold=hold),
            raising=False,
        )
        monkeypatch.setattr(
            "hyperfocal.server.jobs.runner.Timing", lambda: replace(QUICK, keep_alive=0.05)
        )
        # What has nothing to do with jobs is left out.
        monkeypatch.setattr("hyperfocal.server.app._ROUTES", _ROUTES)
        with serve(create_app(settings.model_copy(update=changes))) as made:
            wait_until(lambda: made.client.get("/readyz").status_code == 200)
            yield made

    return start
