"""Whatever happens to a worker happens to one task only."""

import asyncio
import errno
import io
import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from hyperfocal import imaging
from hyperfocal.errors import ModelMissing
from hyperfocal.models.card import ModelCard
from hyperfocal.server import logs
from hyperfocal.server.errors import (
    DeadlinePassed,
    Draining,
    WorkerDied,
    WorkerFailed,
    WorkerMemory,
)
from hyperfocal.server.pool import crew, handle
from hyperfocal.server.served import Served


def test_kill_9_loses_the_one_task(runner, desk, open_pool, tricky):
    async def killed():
        async with open_pool(workers=2) as pool:
            first = asyncio.create_task(pool.run(desk.flat(tricky.HELD), seconds=60))
            victim = await desk.begun()
            second = asyncio.create_task(pool.run(desk.flat(tricky.HELD), seconds=60))
            await desk.begun()
            third = asyncio.create_task(pool.run(desk.flat(9), seconds=60))
            os.kill(victim, signal.SIGKILL)
            with pytest.raises(WorkerDied, match="trying again"):
                await first
            # Served by the replacement, since the other worker is still held.
            await third
            assert victim not in pool.pids
            assert len(pool.pids) == 2
            desk.go()
            await second
            return pool.restarts

    assert runner.run(killed()) == {"died": 1, "hung": 0, "memory": 0}
    assert len(desk.leftovers()) == 2


def test_a_worker_being_replaced_is_waited_for_until_that_fails(
    runner, desk, open_pool, tricky, monkeypatch
):
    async def gone():
        async with open_pool() as pool:
            monkeypatch.setattr(handle, "ENTRY", "no_such_module")
            with pytest.raises(WorkerDied):
                await pool.run(desk.flat(tricky.CRASHING), seconds=60)
            while pool.ready:
                await asyncio.sleep(0)
            assert pool.accepts
            while pool.accepts:
                await asyncio.sleep(0.01)
            monkeypatch.setattr(handle, "ENTRY", "tricky_worker")
            await pool.run(desk.flat(9), seconds=60)
            return pool.ready and pool.accepts

    assert runner.run(gone())


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EAGAIN, "Resource temporarily unavailable"),
        OSError(errno.EMFILE, "Too many open files"),
        RuntimeError("can't start new thread"),
    ],
)
def test_a_system_without_room_for_a_worker_is_asked_again(
    runner, desk, open_pool, tricky, monkeypatch, caplog, error
):
    def refuse(*_, **__):
        raise error

    async def gone():
        async with open_pool() as pool:
            with monkeypatch.context() as patch:
                patch.setattr(asyncio, "create_subprocess_exec", refuse)
                with pytest.raises(WorkerDied):
                    await pool.run(desk.flat(tricky.CRASHING), seconds=60)
                async with asyncio.timeout(60):
                    while pool.accepts:
                        await asyncio.sleep(0.01)
            await pool.run(desk.flat(9), seconds=60)
            return pool.ready and pool.accepts

    assert runner.run(gone())
    assert f"could not be replaced: a worker cannot be started: {error}" in caplog.text


def test_all_workers_have_the_same_weights_where_a_model_is_overwritten(
    runner, desk, open_pool, tricky, monkeypatch, caplog
):
    folder = desk.folder / "models"
    monkeypatch.setenv("HYPERFOCAL_MODELS", str(folder))

    def write(version):
        ModelCard(name="bicubic-own-x2", kind="builtin", scale=2, version=version).write(
            folder / "bicubic-own-x2.toml"
        )

    folder.mkdir()
    write("1")

    async def overwritten():
        async with open_pool(workers=2, models=("bicubic-own-x2",)) as pool:
            old = pool.pids
            assert pool.versions == {"bicubic-own-x2": "1"}
            write("2")
            with pytest.raises(WorkerDied):
                await pool.run(desk.flat(tricky.CRASHING), seconds=60)
            async with asyncio.timeout(60):
                while pool.versions != {"bicubic-own-x2": "2"}:
                    await asyncio.sleep(0.01)
            assert not set(old) & set(pool.pids)
            answers = [await pool.run(desk.flat(9), seconds=60) for _ in range(2)]
            assert {answer.model_version for answer in answers} == {"2"}

    runner.run(overwritten())
    assert caplog.text.count("was overwritten") == 1


@pytest.mark.parametrize(
    ("level", "kind", "restarts"),
    [
        ("CRASHING", WorkerDied, {"died": 1, "hung": 0, "memory": 0}),
        ("ABORTING", WorkerMemory, {"died": 0, "hung": 0, "memory": 1}),
        ("HUNGRY", WorkerMemory, {"died": 0, "hung": 0, "memory": 0}),
        ("FAULTY", WorkerFailed, {"died": 0, "hung": 0, "memory": 0}),
    ],
)
def test_what_a_picture_does_to_a_worker(
    runner, desk, open_pool, tricky, caplog, level, kind, restarts
):
    told = []

    async def struck():
        async with open_pool() as pool:
            task = desk.flat(getattr(tricky, level))
            with pytest.raises(kind) as caught:
                await pool.run(task, seconds=60, on_model=told.append)
            assert type(caught.value) is kind
            # Which model it was at is known whatever has become of the worker.
            assert told == [Served("bicubic-x2", pool.versions["bicubic-x2"])]
            good = await pool.run(desk.flat(9), seconds=60)
            assert good.width == 128
            return pool.restarts

    assert runner.run(struck()) == restarts
    assert len(desk.leftovers()) == 1
    if level == "FAULTY":
        assert "ZeroDivisionError" in caplog.text
        assert "in behave" in caplog.text


def test_what_a_library_prints_is_no_answer(runner, desk, open_pool, tricky):
    async def printing():
        async with open_pool() as pool:
            await pool.run(desk.flat(tricky.BROKEN), seconds=60)
            return pool.restarts

    assert sum(runner.run(printing()).values()) == 0


def test_memory_is_limited(runner, desk, open_pool, noise):
    """A picture of 36 megapixels of 16 bits and its result need more than 200 MB."""
    import numpy as np

    large = desk.folder / "large.png"
    imaging.save(imaging.Picture(np.zeros((6000, 6000), np.uint16)), large)

    async def limited():
        async with open_pool(worker_memory=200_000_000) as pool:
            with pytest.raises(WorkerMemory, match="memory"):
                await pool.run(desk.task(large), seconds=60)
            return await pool.run(desk.task(noise(1)), seconds=60)

    assert runner.run(limited()).width == 128


def test_a_worker_that_hangs_is_replaced(runner, desk, open_pool, tricky, monkeypatch):
    monkeypatch.setattr("hyperfocal.server.pool.pool._GRACE", 0.1)

    async def hung():
        async with open_pool() as pool:
            task = desk.flat(tricky.HELD)
            running = asyncio.create_task(pool.run(task, seconds=0.5))
            os.kill(pool.pids[0], signal.SIGSTOP)
            with pytest.raises(DeadlinePassed, match="within"):
                await running
            await pool.run(desk.flat(9), seconds=60)
            return pool.restarts

    assert runner.run(hung()) == {"died": 0, "hung": 1, "memory": 0}
    assert len(desk.leftovers()) == 1


def test_cancelling_stops_the_work(runner, desk, open_pool, tricky, monkeypatch):
    """Seen by the progress: tiles that come after the cancelling are never begun."""
    # On a busy machine too it is the worker that stops, not the pool that loses its patience.
    monkeypatch.setattr("hyperfocal.server.pool.pool._GRACE", 60.0)

    async def cancelled():
        # So little memory that there are many tiles.
        async with open_pool(worker_memory=190_000_000) as pool:
            progress = []
            task = desk.flat(tricky.HELD, 900, 900)
            running = asyncio.create_task(pool.run(task, seconds=60, on_progress=progress.append))
            for _ in range(3):
                pid = await desk.begun()
                desk.go()
            await desk.begun()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert pool.running == 1
            told = list(progress)
            desk.go(late=True)
            # The same worker goes on with the next task: it did stop, else it would be held again.
            answer = await pool.run(desk.flat(9), seconds=60)
            assert pool.pids == (pid,)
            return told, progress, answer, pool.restarts

    told, progress, answer, restarts = runner.run(cancelled())
    assert told == progress
    assert 0 < progress[-1] < 0.5
    assert answer.width == 128
    assert sum(restarts.values()) == 0
    assert len(desk.leftovers()) == 1


def test_cancelled_while_waiting(runner, desk, open_pool, tricky):
    async def cancelled():
        async with open_pool() as pool:
            first = asyncio.create_task(pool.run(desk.flat(tricky.HELD), seconds=60))
            await desk.begun()
            second = asyncio.create_task(pool.run(desk.flat(9), seconds=60))
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            assert pool.waiting == 0
            desk.go()
            await first
            await pool.run(desk.flat(9), seconds=60)

    runner.run(cancelled())


def test_reload_drops_nothing(runner, desk, open_pool, tricky, noise):
    async def reloaded():
        async with open_pool(workers=2, models=("bicubic-x2",), queue=50) as pool:
            before, version = pool.pids, pool.version
            held = asyncio.create_task(pool.run(desk.flat(tricky.HELD), seconds=60))
            await desk.begun()
            stop = asyncio.Event()
            answers = []

            async def load(seed):
                while not stop.is_set():
                    answers.append(await pool.run(desk.task(noise(seed)), seconds=60))

            loads = [asyncio.create_task(load(seed)) for seed in range(3)]
            new = await pool.reload(("bicubic-x3",))
            assert not set(pool.pids) & set(before)
            after = await pool.run(desk.task(noise(7)), seconds=60)
            stop.set()
            await asyncio.gather(*loads)
            assert (new, pool.models) == (pool.version, ("bicubic-x3",))
            assert new != version
            assert pool.versions == {"bicubic-x3": "1"}
            desk.go()
            old = await held
            back = await pool.reload(("bicubic-x2",))
            return version, back, old, after, answers, pool.restarts

    version, back, old, after, answers, restarts = runner.run(reloaded())
    assert back == version
    assert old.model == "bicubic-x2"
    assert after.model == "bicubic-x3"
    assert {answer.model for answer in answers} <= {"bicubic-x2", "bicubic-x3"}
    assert sum(restarts.values()) == 0


def test_a_reload_that_fails_changes_nothing(runner, desk, open_pool):
    async def failed():
        async with open_pool() as pool:
            before = pool.pids, pool.version, pool.models
            with pytest.raises(ModelMissing, match="did you mean"):
                await pool.reload(("bicubic-x2", "bicubic-x22"))
            assert (pool.pids, pool.version, pool.models) == before
            assert pool.ready
            return await pool.run(desk.flat(9), seconds=60)

    assert runner.run(failed()).model == "bicubic-x2"


def test_draining_finishes_what_there_is(runner, desk, open_pool, tricky):
    async def drained():
        async with open_pool() as pool:
            pids = pool.pids
            first = asyncio.create_task(pool.run(desk.flat(tricky.HELD), seconds=60))
            await desk.begun()
            second = asyncio.create_task(pool.run(desk.flat(9), seconds=60))
            job = asyncio.create_task(pool.run(desk.flat(9), seconds=60, wait=True))
            await asyncio.sleep(0)
            draining = asyncio.create_task(pool.drain(60))
            with pytest.raises(Draining):
                await job
            with pytest.raises(Draining):
                await pool.run(desk.flat(9), seconds=60)
            assert not pool.ready
            desk.go()
            await draining
            assert (await first).width == (await second).width == 128
            return pids

    for pid in runner.run(drained()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_draining_ends(runner, desk, open_pool, tricky, monkeypatch):
    monkeypatch.setattr(handle, "_ENDING", 0.1)

    async def cut():
        async with open_pool() as pool:
            first = asyncio.create_task(pool.run(desk.flat(tricky.HELD), seconds=60))
            await desk.begun()
            second = asyncio.create_task(pool.run(desk.flat(9), seconds=60))
            await asyncio.sleep(0)
            await pool.drain(0.01)
            for task in (first, second):
                with pytest.raises(Draining):
                    await task

    runner.run(cut())
    assert desk.leftovers() == []


def test_draining_does_not_wait_for_models_that_load(runner, desk, open_pool, monkeypatch):
    async def reloading():
        async with open_pool() as pool:
            pids = pool.pids
            monkeypatch.setattr(handle, "ENTRY", "silent_worker")
            reload = asyncio.create_task(pool.reload(("bicubic-x3",)))
            loading = await desk.begun()
            async with asyncio.timeout(60):
                await pool.drain(0)
            with pytest.raises(Draining):
                await reload
            return *pids, loading

    for pid in runner.run(reloading()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_the_log_names_the_request_that_a_line_is_of(runner, desk, open_pool, tricky):
    async def logged():
        async with open_pool() as pool:

            async def reload():
                logs.request_id.set("reload-1")
                await pool.reload(("bicubic-x2",))

            await asyncio.create_task(reload())
            for level, request_id in (("FAULTY", "r1"), ("CRASHING", "r2")):
                task = replace(desk.flat(getattr(tricky, level)), request_id=request_id)
                with pytest.raises((WorkerFailed, WorkerDied)):
                    await pool.run(task, seconds=60)
            # And one that has nothing to do.
            await pool.run(desk.flat(9), seconds=60)
            os.kill(pool.pids[0], signal.SIGKILL)
            async with asyncio.timeout(60):
                while pool.restarts["died"] < 2:
                    await asyncio.sleep(0.01)

    stream, logger = io.StringIO(), logging.getLogger("hyperfocal.server.pool")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonLines())
    logger.addHandler(handler)
    try:
        runner.run(logged())
    finally:
        logger.removeHandler(handler)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("request_id") for line in lines] == ["r1", "r2", None]


PARENT = """
import asyncio, sys
from pathlib import Path
from hyperfocal.server.pool import Pool
from hyperfocal.server.settings import ServerSettings

async def main():
    pool = Pool(ServerSettings(data=Path(sys.argv[1]), workers=1, models=("bicubic-x2",)))
    await pool.start()
    print(pool.pids[0], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd_open")
def test_workers_do_not_outlive_the_service(tmp_path):
    import select

    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    worker = os.pidfd_open(int(parent.stdout.readline()))
    parent.kill()
    ended, _, _ = select.select([worker], [], [], 60)
    assert ended
    os.close(worker)
    parent.stdout.close()
    parent.wait()


def test_workers_leave_signals_to_the_service(runner, desk, open_pool):
    async def signalled():
        async with open_pool() as pool:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(pool.pids[0], number)
            await pool.run(desk.flat(9), seconds=60)
            return pool.restarts

    assert sum(runner.run(signalled()).values()) == 0


def test_replacing_slows_down():
    pauses = [crew._pause(failures, 2.0) for failures in range(8)]
    assert pauses[:2] == [0.0, 0.0]
    assert pauses[2:] == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    "said",
    [
        b"no message",
        b"[" * 100_000,
        b'{"say": "progress", "number": NUMBER, "done": 1%s}' % (b"0" * 400),
        b'{"say": "error", "number": NUMBER, "error": []}',
    ],
    ids=["text", "deep", "large", "odd"],
)
def test_whatever_is_no_message_ends_the_worker(runner, desk, open_pool, tricky, caplog, said):
    (desk.folder / "said").write_bytes(said + b"\n")

    async def babbling():
        async with open_pool() as pool:
            task = desk.flat(tricky.BABBLING)
            with pytest.raises(WorkerDied):
                await pool.run(task, seconds=60, on_progress=lambda done: None)
            await pool.run(desk.flat(9), seconds=60)
            return pool.restarts

    assert runner.run(babbling())["died"] == 1
    assert "nonsense" in caplog.text
