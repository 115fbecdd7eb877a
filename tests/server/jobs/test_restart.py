"""The service is killed with jobs queued and running; after a restart every job ends."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from job_service import settings_for

from bound import bound
from hyperfocal import Picture, imaging
from hyperfocal.server.jobs import JobRunner
from hyperfocal.server.metrics import Metrics
from hyperfocal.server.pool import Options, Pool
from hyperfocal.server.results import Results
from hyperfocal.server.store import Status, Store, jobs

JOBS = 4
PATIENCE = 180


@contextmanager
def service(data: Path, *options: str):
    program = Path(__file__).with_name("job_service.py")
    process = subprocess.Popen(bound(sys.executable, str(program), str(data), *options))
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def wait_until(condition):
    ends = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < ends
        time.sleep(0.02)
    return found


def test_after_a_kill_every_job_ends(tmp_path):
    settings = settings_for(tmp_path)
    store, results = Store.open(settings), Results(settings)
    levels = np.random.default_rng(0).random((700, 900, 3), dtype=np.float32)

    async def submit():
        runner = JobRunner(settings, Pool(settings), store, results, Metrics())
        made = []
        for number in range(JOBS):
            sent = tmp_path / f"sent{number}.png"
            imaging.save(Picture(levels[number:]), sent)
            options = Options(scale=2, model="bicubic-x2", format="png")
            job, _ = await runner.submit(sent, options, request_id=f"r{number}")
            made.append(job.id)
        return made

    made = asyncio.run(submit())

    def counts():
        return store.blocking(jobs.counts)

    with service(tmp_path, "--held"):
        # One is begun, and however late it is seen, it has not ended and no other was begun.
        wait_until(lambda: counts()[Status.RUNNING])
    before = counts()
    assert before[Status.QUEUED]
    assert before[Status.RUNNING] == 1
    inputs = tmp_path / "results" / "inputs"
    with service(tmp_path):
        wait_until(lambda: counts()[Status.SUCCEEDED] == JOBS)
        # A job has succeeded once that is written; what was sent is removed after it.
        wait_until(lambda: not any(inputs.glob("[0-9]*")))
    found = [store.blocking(jobs.get, job_id) for job_id in made]
    assert sum(job.attempts for job in found) == JOBS + 1
    for number, job in enumerate(found):
        kept = asyncio.run(results.find(job.output))
        facts = imaging.inspect(kept.path)
        # Each job has its own picture.
        assert (facts.width, facts.height) == (1800, 2 * (700 - number))
    store.close()
