"""A service without HTTP: real workers and a job runner, until killed. ``DATA`` is given.

With ``--held``, no job ever ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from hyperfocal.server import spool
from hyperfocal.server.jobs import JobRunner
from hyperfocal.server.metrics import Metrics
from hyperfocal.server.pool import Answer, Pool, Task
from hyperfocal.server.results import Results
from hyperfocal.server.settings import ServerSettings
from hyperfocal.server.store import Store


def settings_for(data: Path) -> ServerSettings:
    return ServerSettings(data=data, workers=1, threads=1, models=("bicubic-x2",), secret="s")


class HeldPool(Pool):
    """Does the work and keeps the answer to itself."""

    async def run(self, task: Task, **given: Any) -> Answer:
        await super().run(task, **given)
        await asyncio.Event().wait()
        raise AssertionError


async def main(data: Path, kind: type[Pool]) -> None:
    settings = settings_for(data)
    with spool.prepared(settings.spool):
        pool, store = kind(settings), Store.open(settings)
        await pool.start()
        runner = JobRunner(settings, pool, store, Results(settings), Metrics())
        await runner.start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), HeldPool if "--held" in sys.argv else Pool))
