"""Jobs while a disk is full or the storage is away: they wait, and go on when that is over."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections import namedtuple
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from fake_pool import FakePool
from quick import QUICK

from hyperfocal.feedback.records import now
from hyperfocal.server.errors import SpoolFull, SpoolUnusable, WorkerDied
from hyperfocal.server.jobs import pauses as pauses_module
from hyperfocal.server.jobs.pauses import Pauses
from hyperfocal.server.jobs.timing import Timing
from hyperfocal.server.results import Shelf
from hyperfocal.server.store import Status, StoreUnavailable, jobs
from hyperfocal.storage import StorageUnavailable

OFTEN = 5
SOON = replace(QUICK, longest=0.02)
ANOTHER = "0" * 32


async def looked(b, times: int = OFTEN) -> None:
    """Return when the runner has looked for jobs so often."""
    looks, counted, enough = 0, b.metrics.count_jobs, asyncio.Event()

    def count(found):
        nonlocal looks
        looks += 1
        if looks == times:
            enough.set()
        counted(found)

    b.metrics.count_jobs = count
    async with asyncio.timeout(60):
        await enough.wait()
    b.metrics.count_jobs = counted


async def waiting(b, made) -> bool:
    found = [await b.runner.get(job.id) for job in made]
    return {(job.status, job.attempts) for job in found} == {(Status.QUEUED, 0)}


def idle_pool() -> FakePool:
    """One that is not ready, so that what is sent stays queued."""
    pool = FakePool()
    pool.ready = False
    return pool


def test_jobs_wait_while_the_storage_is_away(bench, caplog):
    async def main():
        async with bench(pool=idle_pool()) as b:
            made = [await b.submit(b"%d" % number, key=f"k{number}") for number in range(3)]
            root = b.settings.data / "results"
            aside = root.rename(b.settings.data / "unmounted")
            # As of a volume that is unmounted.
            root.mkdir()
            b.pool.ready = True
            await looked(b)
            assert await waiting(b, made)
            # What is kept there meanwhile nobody would find again.
            assert list(root.iterdir()) == []
            with pytest.raises(StorageUnavailable):
                await b.submit(b"another")
            assert list(root.iterdir()) == []
            root.rmdir()
            aside.rename(root)
            ended = [await b.until_ended(job) for job in made]
            assert {(job.status, job.attempts) for job in ended} == {(Status.SUCCEEDED, 1)}

    asyncio.run(main())
    assert caplog.text.count("jobs wait: the storage cannot be used: it is not there") == 1


def test_a_storage_that_goes_while_an_input_is_fetched(bench, monkeypatch):
    async def main():
        async with bench() as b:
            root, fetch = b.settings.data / "results", Shelf.fetch
            aside, gone = b.settings.data / "unmounted", asyncio.Event()

            async def too_late(shelf, name, target):
                monkeypatch.setattr(Shelf, "fetch", fetch)
                root.rename(aside)
                gone.set()
                await fetch(shelf, name, target)

            monkeypatch.setattr(Shelf, "fetch", too_late)
            job = await b.submit()
            async with asyncio.timeout(60):
                await gone.wait()
            found = await b.until(job, lambda found: found.status is not Status.RUNNING)
            assert (found.status, found.attempts) == (Status.QUEUED, 0)
            aside.rename(root)
            found = await b.until_ended(job)
            assert (found.status, found.attempts) == (Status.SUCCEEDED, 1)

    asyncio.run(main())


def test_jobs_wait_while_another_storage_is_in_its_place(bench):
    """As of a service that began before its volume was mounted, and unmounted it later."""

    async def main():
        async with bench(pool=idle_pool(), timing=replace(QUICK, stranded=-60.0)) as b:
            job = await b.submit()
            root = b.settings.data / "results"
            aside = root.rename(b.settings.data / "unmounted")
            for name in ("inputs", "results"):
                (root / name).mkdir(parents=True)
            (root / "inputs" / f"storage-{ANOTHER}").touch()
            b.pool.ready = True
            await looked(b)
            assert await waiting(b, [job])
            # It is used, as what it is.
            assert await b.results.present() == (ANOTHER,)
            other = await b.until_ended(await b.submit(b"other"))
            assert other.status is Status.SUCCEEDED
            assert await waiting(b, [job])
            shutil.rmtree(root)
            aside.rename(root)
            assert (await b.until_ended(job)).status is Status.SUCCEEDED

    asyncio.run(main())


def test_a_job_is_begun_though_one_of_two_marks_was_lost(bench):
    async def main():
        async with bench(pool=idle_pool(), timing=replace(QUICK, files=0.0)) as b:
            job = await b.submit()
            inputs = b.settings.data / "results" / "inputs"
            (inputs / f"storage-{ANOTHER}").touch()
            await b.results.look()
            (own,) = set(await b.results.ids()) - {ANOTHER}
            (inputs / f"storage-{own}").unlink()
            b.pool.ready = True
            assert (await b.until_ended(job)).status is Status.SUCCEEDED

    asyncio.run(main())


def test_an_input_that_is_lost_fails_the_job_and_frees_its_key(bench):
    async def main():
        async with bench(pool=idle_pool()) as b:
            job = await b.submit(key="k")
            (path,) = b.files("inputs")
            path.unlink()
            b.pool.ready = True
            found = await b.until_ended(job)
            assert (found.status, found.attempts) == (Status.FAILED, 1)
            assert (found.problem["code"], found.problem["status"]) == ("input-lost", 500)
            assert path.name not in str(found.problem)
            again = await b.submit(key="k")
            assert again.id != job.id
            assert (await b.until_ended(again)).status is Status.SUCCEEDED

    asyncio.run(main())


def test_a_spool_that_goes_loses_no_input(bench, monkeypatch):
    async def main():
        async with bench() as b:
            fetch = Shelf.fetch

            async def too_late(shelf, name, target):
                monkeypatch.setattr(Shelf, "fetch", fetch)
                shutil.rmtree(b.settings.spool)
                await fetch(shelf, name, target)

            monkeypatch.setattr(Shelf, "fetch", too_late)
            found = await b.until_ended(await b.submit())
            assert (found.status, found.attempts) == (Status.SUCCEEDED, 1)

    asyncio.run(main())


def test_jobs_wait_while_a_disk_is_nearly_full(bench, monkeypatch, caplog):
    async def main():
        async with bench(pool=idle_pool()) as b:
            made = [await b.submit(b"%d" % number) for number in range(2)]
            usage = namedtuple("usage", ["total", "used", "free"])
            whole = shutil.disk_usage
            monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 0))
            b.pool.ready = True
            await looked(b)
            assert await waiting(b, made)
            assert b.pool.begun == []
            monkeypatch.setattr(shutil, "disk_usage", whole)
            ended = [await b.until_ended(job) for job in made]
            assert {(job.status, job.attempts) for job in ended} == {(Status.SUCCEEDED, 1)}

    asyncio.run(main())
    assert caplog.text.count("jobs wait: the disk is nearly full") == 1


@pytest.mark.parametrize("fault", [SpoolFull, SpoolUnusable, StorageUnavailable, StoreUnavailable])
def test_a_fault_of_the_machine_is_no_attempt(bench, fault):
    async def main():
        async with bench(timing=SOON) as b:
            # Between those that are counted.
            died = [WorkerDied("gone")]
            b.pool.raises = [*died, *(fault("away") for _ in range(OFTEN)), *died]
            found = await b.until_ended(await b.submit())
            assert (found.status, found.attempts) == (Status.SUCCEEDED, 3)
            assert len(b.pool.begun) == OFTEN + 3

    asyncio.run(main())


def test_a_job_that_meets_with_faults_until_it_expires(bench):
    async def main():
        async with bench(timing=SOON) as b:
            b.pool.raises = [SpoolFull("full") for _ in range(10_000)]
            job = await b.submit(key="k")
            await b.pool.until_begun(OFTEN)

            def be_over(session):
                session.get(jobs.JobRow, job.id).expires = now() - timedelta(seconds=1)

            await b.store.call(be_over)
            assert (await b.until_ended(job)).status is Status.EXPIRED
            b.pool.raises = []
            again = await b.submit(key="k")
            assert (await b.until_ended(again)).status is Status.SUCCEEDED
            async with asyncio.timeout(60):
                while b.files("inputs"):
                    await asyncio.sleep(0.01)

    asyncio.run(main())


def test_others_do_not_wait_for_a_job_that_rests(bench, monkeypatch):
    async def main():
        async with bench() as b:
            pauses = b.runner._pauses
            fault = pauses.fault

            def for_ever(job_id):
                seconds = fault(job_id)
                pauses._jobs[job_id].until += 3600.0
                return seconds

            monkeypatch.setattr(pauses, "fault", for_ever)
            b.pool.raises = [SpoolFull("full")]
            job = await b.submit(b"large")
            await b.pool.until_begun()
            assert (await b.until_ended(await b.submit(b"small"))).status is Status.SUCCEEDED
            assert await waiting(b, [job])

    asyncio.run(main())


def test_one_worker_is_not_taken_for_ever_by_a_job_whose_fault_is_its_own(bench):
    class Pool(FakePool):
        async def run(self, task, **given):
            if task.source.read_bytes().endswith(b"large"):
                self.raises = [SpoolFull("full")]
            return await super().run(task, **given)

    async def main():
        async with bench(pool=Pool(), timing=SOON) as b:
            large = await b.submit(b"large")
            await b.pool.until_begun(3)
            small = [await b.submit(b"small %d" % number) for number in range(3)]
            ended = [await b.until_ended(job) for job in small]
            assert {job.status for job in ended} == {Status.SUCCEEDED}
            # It may be at its turn just now.
            async with asyncio.timeout(60):
                while not await waiting(b, [large]):
                    await asyncio.sleep(0.01)
            # Nor is it forgotten.
            await b.pool.until_begun(len(b.pool.begun) + 2)

    asyncio.run(main())


def test_jobs_wait_while_the_folder_of_results_is_gone(bench):
    async def main():
        async with bench(pool=idle_pool()) as b:
            job = await b.submit(b"one")
            folder = b.settings.data / "results" / "results"
            aside = folder.rename(b.settings.data / "aside")
            b.pool.ready = True
            await looked(b)
            assert await waiting(b, [job])
            assert b.pool.begun == []
            aside.rename(folder)
            assert (await b.until_ended(job)).status is Status.SUCCEEDED

    asyncio.run(main())


def test_jobs_wait_while_a_disk_cannot_be_looked_at(bench, monkeypatch, caplog):
    import hyperfocal.server.spool as spool

    def gone(place):
        raise OSError(107, "Transport endpoint is not connected")

    async def main():
        async with bench(pool=idle_pool()) as b:
            job = await b.submit(b"one")
            with monkeypatch.context() as patch:
                patch.setattr(spool.shutil, "disk_usage", gone)
                b.pool.ready = True
                await looked(b)
                assert await waiting(b, [job])
            assert (await b.until_ended(job)).status is Status.SUCCEEDED

    asyncio.run(main())
    assert caplog.text.count("jobs wait: a disk cannot be looked at: Transport endpoint") == 1
    assert "Traceback" not in caplog.text


def test_a_result_whose_end_was_written_though_nobody_was_told_is_kept(bench, monkeypatch):
    import hyperfocal.server.jobs.work as work

    async def main():
        async with bench() as b:
            call, broken = b.runner._store.call, []

            async def breaking(change, *given, **named):
                found = await call(change, *given, **named)
                if change is work._succeed and not broken:
                    broken.append(found)
                    raise StoreUnavailable("the connection broke")
                return found

            monkeypatch.setattr(b.runner._store, "call", breaking)
            job = await b.until_ended(await b.submit(b"one"))
            assert broken == [True]
            await b.runner.stop()
            assert (b.settings.data / "results" / "results" / job.output).is_file()

    asyncio.run(main())


def test_pauses_grow_to_a_bound_and_end_with_the_fault(monkeypatch):
    clock = 1000.0
    # Only there: loops of other tests' services, which go on meanwhile, would sleep for hours.
    monkeypatch.setattr(pauses_module, "time", SimpleNamespace(monotonic=lambda: clock))
    pauses = Pauses(Timing(retry=2.0, longest=15.0))
    assert not pauses.all_rest
    for seconds in (2.0, 4.0, 8.0, 15.0, 15.0):
        assert pauses.fault("one") == seconds
        clock += seconds - 0.5
        assert pauses.all_rest
        assert pauses.resting() == ["one"]
        clock += 0.5
        assert not pauses.all_rest
        assert pauses.resting() == []
    pauses.fault("one")
    # Begun before the pause: it makes that of all no longer.
    assert pauses.fault("other") == 2.0
    pauses.over("third")
    assert not pauses.all_rest
    assert pauses.resting() == pauses.suspects() == ["one", "other"]
    pauses.over("one")
    assert pauses.resting() == ["other"]
    assert pauses.fault("one") == 2.0
    # Nobody heard of them again.
    clock += 5000.0
    assert pauses.resting() == []
    assert pauses._jobs == {}


def test_a_job_that_is_claimed_while_the_service_stops_is_put_back(bench, monkeypatch):
    claim, claimed, go_on = jobs.claim, threading.Event(), threading.Event()

    def slow(*given):
        job = claim(*given)
        if job is not None:
            claimed.set()
            go_on.wait(60)
        return job

    async def main():
        with bench.still() as b:
            job = await b.submit()
            monkeypatch.setattr(jobs, "claim", slow)
            await b.runner.start()
            assert await asyncio.to_thread(claimed.wait, 60)
            stopping = asyncio.create_task(b.runner.stop())
            # As far as it comes without what it is waiting for.
            await asyncio.sleep(0.1)
            go_on.set()
            await stopping
            found = await b.runner.get(job.id)
            assert (found.status, found.attempts) == (Status.QUEUED, 0)
            assert b.pool.begun == []

    asyncio.run(main())
