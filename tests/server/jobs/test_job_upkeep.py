"""What has ended is removed, and nothing else."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fake_pool import FakePool
from quick import QUICK
from sqlalchemy import update

from hyperfocal.feedback import Opinion, Request, Verdict, book
from hyperfocal.feedback.records import now
from hyperfocal.feedback.tables import PictureRow, VerdictRow
from hyperfocal.server.errors import NotFound
from hyperfocal.server.jobs.timing import Timing
from hyperfocal.server.jobs.upkeep import Upkeep
from hyperfocal.server.jobs.work import ATTEMPTS
from hyperfocal.server.store import Status, jobs, removal
from hyperfocal.storage import Storage, StorageUnavailable, Stuck

HOUR = 3600.0
DAYS = timedelta(days=10_000)


def keeper(b) -> Upkeep:
    return Upkeep(b.store, b.results, Timing(files=0.0), timedelta(hours=1))


async def age(b, job, hours: float) -> None:
    """Make a job as old as that."""

    def change(session):
        row = session.get(jobs.JobRow, job.id)
        row.expires -= timedelta(hours=hours)

    await b.store.call(change)


def test_an_ended_job_expires_and_later_vanishes(bench):
    async def main():
        # The runner's own keeper would be at the same files.
        async with bench(timing=replace(QUICK, upkeep=HOUR)) as b:
            job = await b.until_ended(await b.submit())
            await keeper(b).run()
            assert (await b.runner.get(job.id)).status is Status.SUCCEEDED
            assert len(b.files("results")) == 1
            await age(b, job, 24.01)
            await keeper(b).run()
            found = await b.runner.get(job.id)
            assert found.status is Status.EXPIRED
            assert found.revision > job.revision
            assert b.files("results") == []
            await age(b, job, 1)
            await keeper(b).run()
            with pytest.raises(NotFound):
                await b.runner.get(job.id)

    asyncio.run(main())


def test_a_queued_job_that_nobody_took_expires_with_its_input(bench):
    async def main():
        with bench.still() as b:
            job = await b.submit()
            await age(b, job, 24.01)
            await keeper(b).run()
            assert (await b.runner.get(job.id)).status is Status.EXPIRED
            assert b.files("inputs") == []

    asyncio.run(main())


def test_a_running_job_does_not_expire(bench):
    async def main():
        async with bench(pool=FakePool(hold=True)) as b:
            job = await b.submit()
            await b.pool.until_begun()
            await age(b, job, 100)
            await keeper(b).run()
            assert (await b.runner.get(job.id)).status is Status.RUNNING
            b.pool.release()
            ended = await b.until_ended(job)
            # Its result is kept as long as any other.
            assert ended.expires > now() + timedelta(hours=23)

    asyncio.run(main())


def test_the_runner_does_it_by_itself(bench):
    async def main():
        async with bench() as b:
            job = await b.until_ended(await b.submit())
            await age(b, job, 24.01)
            async with asyncio.timeout(60):
                while (await b.runner.get(job.id)).status is not Status.EXPIRED:
                    pass
                while b.files("results"):
                    await asyncio.sleep(0)

    asyncio.run(main())


def test_files_go_when_their_time_is_over_whoever_owned_them(bench, tmp_path):
    async def main():
        with bench.still() as b:
            kept = await b.results.put(b.picture(), "image/png", seconds=HOUR)
            for shelf in (b.results, b.results.inputs):
                await shelf.put(b.picture(), "image/png", seconds=-1)
            foreign = b.settings.data / "results" / "results" / "notes.txt"
            foreign.write_text("not ours")
            torn = foreign.with_name(".0123.part")
            torn.write_bytes(b"half")
            fresh = foreign.with_name(".4567.part")
            fresh.write_bytes(b"being written")
            os.utime(torn, (time.time() - 2 * HOUR,) * 2)
            await keeper(b).run()
            assert {path.name for path in b.files("results")} == {kept, "notes.txt", fresh.name}
            assert b.files("inputs") == []

    asyncio.run(main())


def test_retention_and_orphaned_pictures(bench, tmp_path):
    async def main():
        with bench.still() as b:
            old = now() - timedelta(days=31)
            for name, created in (("old", old), ("new", now())):
                request = Request(name, "", "m", "v", 2.0, 4, 4, created=created)
                await b.store.record(request)
            kept = b.store.keep(b.picture(), "png")
            opinion = Opinion(Verdict.UP, keep_picture=True)
            await b.store.call(book.give, "new", "", opinion, (kept[0], "image/png", kept[1]))
            orphan, _ = b.store.keep(b.picture(), "png")
            place = Path(b.store.pictures.local(orphan))
            os.utime(place, (time.time() - 2 * HOUR,) * 2)
            os.utime(b.store.pictures.local(kept[0]), (time.time() - 2 * HOUR,) * 2)
            await keeper(b).run()
            assert {entry.name for entry in b.store.pictures.entries()} == {kept[0]}
            await b.store.call(book.know, "new", "")
            with pytest.raises(book.RequestUnknown):
                await b.store.call(book.know, "old", "")

    asyncio.run(main())


def test_services_with_databases_of_their_own_may_keep_pictures_in_one_place(bench, tmp_path):
    async def main():
        place = str(tmp_path / "shared")
        one = bench.still(data=tmp_path / "one", spool=tmp_path / "one", pictures=place)
        two = bench.still(data=tmp_path / "two", spool=tmp_path / "two", pictures=place)
        with one as b, two as other:
            kept = {}
            for service in (b, other):
                await service.store.record(Request("r", "", "m", "v", 2.0, 4, 4))
                name, size = service.store.keep(service.picture(), "png")
                opinion = Opinion(Verdict.UP, keep_picture=True)
                await service.store.call(book.give, "r", "", opinion, (name, "image/png", size))
                kept[service] = name
            orphan, _ = other.store.keep(other.picture(), "png")
            for name in (*kept.values(), orphan):
                os.utime(b.store.pictures.local(name), (time.time() - 2 * HOUR,) * 2)
            await keeper(b).run()
            found = {entry.name for entry in b.store.pictures.entries()}
            assert found == {*kept.values(), orphan}
            await keeper(other).run()
            assert {entry.name for entry in b.store.pictures.entries()} == {*kept.values()}

    asyncio.run(main())


class Silent:
    """Storages that do not answer until they are told to: ``asked`` is set when one is."""

    def __init__(self, monkeypatch) -> None:
        self.asked, self._answer = threading.Event(), threading.Event()
        self._patch = monkeypatch

    def now(self, storage: Storage, method: str) -> None:
        whole = getattr(storage, method)

        def wait(*given, **named):
            self.asked.set()
            assert self._answer.wait(60)
            return whole(*given, **named)

        self._patch.setattr(storage, method, wait)

    def answers(self) -> None:
        self._answer.set()


@pytest.fixture
def silent(monkeypatch):
    made = Silent(monkeypatch)
    yield made
    made.answers()


async def judged(b, name: str) -> str:
    """A request with a verdict and a picture; gives the picture's name."""
    await b.store.record(Request(name, "", "m", "v", 2.0, 4, 4))
    picture, size = b.store.keep(b.picture(), "png")
    opinion = Opinion(Verdict.UP, keep_picture=True)
    await b.store.call(book.give, name, "", opinion, (picture, "image/png", size))
    return picture


@pytest.mark.parametrize(
    ("what", "method"),
    [
        (lambda store: removal.erase_pictures(store, now() + DAYS, Stuck()), "delete"),
        (lambda store: removal.erase_verdicts(store, now() + DAYS, Stuck()), "delete"),
        (lambda store: removal.forget(store, "r"), "delete"),
        (lambda store: removal.remove_orphans(store, -HOUR), "entries"),
        (lambda store: removal.remove_orphans(store, -HOUR), "delete"),
    ],
)
def test_a_storage_that_does_not_answer_holds_no_job_up(bench, silent, what, method):
    async def main():
        with bench.still() as b:
            await judged(b, "r")
            b.store.keep(b.picture(), "png")
            silent.now(b.store.pictures, method)
            removing = asyncio.create_task(what(b.store))
            async with asyncio.timeout(60):
                assert await asyncio.to_thread(silent.asked.wait, 60)
                # Both to write and to read, in this process and in another.
                job = await b.submit()
                assert (await b.runner.get(job.id)).status is Status.QUEUED
                await asyncio.to_thread(b.store.blocking, jobs.claim, "another process")
                # What has not gone is not forgotten.
                assert len(await b.store.read(book.picture_names)) == 1
            assert not removing.done()
            silent.answers()
            assert await removing

    asyncio.run(main())


def test_nor_does_it_leave_a_job_to_a_runner_that_is_gone(bench, silent):
    async def main():
        with bench.still(picture_days=1e-9, timing=replace(QUICK, lease=-HOUR)) as b:
            await judged(b, "r")
            silent.now(b.store.pictures, "delete")
            b.pool.ready = False
            await b.runner.start()
            try:
                assert await asyncio.to_thread(silent.asked.wait, 60)
                job = await b.submit()
                assert await b.store.call(jobs.claim, "gone")
                await b.until(job, lambda found: found.status is Status.QUEUED)
                b.pool.ready = True
                assert (await b.until_ended(job)).status is Status.SUCCEEDED
            finally:
                silent.answers()
                await b.runner.stop()

    asyncio.run(main())


def test_nor_the_start_of_a_service(bench, silent):
    """A job that had its last attempt is over; its files may take their time."""

    async def main():
        with bench.still() as b:
            job = await b.submit()
            for _ in range(ATTEMPTS):
                claimed = await b.store.call(jobs.claim, "gone")
                if claimed.attempts < ATTEMPTS:
                    await b.store.call(jobs.requeue, claimed, "gone", counted=True)
        with bench.still(timing=replace(QUICK, lease=-HOUR)) as b:
            silent.now(b.results.inputs._storage, "delete")
            try:
                async with asyncio.timeout(60):
                    await b.runner.start()
                    assert await asyncio.to_thread(silent.asked.wait, 60)
                    ended = await b.runner.get(job.id)
                    assert ended.problem["code"] == "job-interrupted"
                    # Nor another one that is taken over meanwhile.
                    b.pool.ready = False
                    other = await b.submit(b"other")
                    assert await b.store.call(jobs.claim, "gone")
                    await b.until(other, lambda found: found.status is Status.QUEUED)
            finally:
                silent.answers()
                await b.runner.stop()

    asyncio.run(main())


def test_a_removal_that_is_stopped_ends_after_the_file_it_is_at(bench, silent):
    async def main():
        with bench.still() as b:
            names = [b.store.keep(b.picture(), "png")[0] for _ in range(3)]
            silent.now(b.store.pictures, "delete")
            removing = asyncio.create_task(removal.delete_files(b.store.pictures, names, Stuck()))
            assert await asyncio.to_thread(silent.asked.wait, 60)
            removing.cancel()
            await asyncio.wait({removing})
            silent.answers()
            return b.store.pictures, names

    # The thread has ended when this has.
    pictures, names = asyncio.run(main())
    assert {entry.name for entry in pictures.entries()} == set(names[1:])


def test_one_failure_does_not_keep_the_rest(bench, monkeypatch, caplog):
    async def main():
        with bench.still() as b:
            await b.results.inputs.put(b.picture(), "image/png", seconds=-1)

            async def sweep(now=None):
                raise StorageUnavailable("away")

            monkeypatch.setattr(b.results, "sweep", sweep)
            await keeper(b).run()
            assert b.files("inputs") == []

    asyncio.run(main())
    assert "results failed: away" in caplog.text


def test_files_that_cannot_be_removed_do_not_keep_the_others(bench, refused, caplog):
    async def main():
        with bench.still() as b:
            for _ in range(9):
                await b.results.put(b.picture(), "image/png", seconds=-1)
            torn = b.settings.data / "results" / "results" / ".0123.part"
            torn.write_bytes(b"half")
            os.utime(torn, (time.time() - 2 * HOUR,) * 2)
            # As they are listed, which is the order in which they go.
            first, second, *_ = [entry.name for entry in b.results._storage.entries()]
            refused.update((first, second))
            with pytest.raises(
                StorageUnavailable, match="^2 files could not be removed: .*not per"
            ):
                await b.results.sweep()
            assert {path.name for path in b.files("results")} == {first, second}
            await keeper(b).run()
            refused.clear()
            assert await b.results.sweep() == 2

    asyncio.run(main())
    assert "removing results failed: 2 files could not be removed" in caplog.text


def test_nor_do_those_of_one_expired_job(bench, refused, caplog):
    async def main():
        async with bench(timing=replace(QUICK, upkeep=HOUR)) as b:
            made = [await b.until_ended(await b.submit(b"%d" % number)) for number in range(3)]
        with bench.still() as b:
            waiting = await b.submit(reference=b.picture())
            refused.update((made[0].output, waiting.source))
            for job in (*made, waiting):
                await age(b, job, 24.01)
            await age(b, made[1], 1)
            await keeper(b).run()
            # The whole time of the one is over, whatever cannot be removed.
            with pytest.raises(NotFound):
                await b.runner.get(made[1].id)
            for job in (made[0], made[2], waiting):
                assert (await b.runner.get(job.id)).status is Status.EXPIRED
            assert [path.name for path in b.files("results")] == [made[0].output]
            assert [path.name for path in b.files("inputs")] == [waiting.source]

    asyncio.run(main())
    assert "removing expired jobs failed" in caplog.text


def test_nor_does_a_picture_keep_verdicts_and_requests(bench, refused, caplog):
    async def main():
        with bench.still(request_days=1, picture_days=1, verdict_days=1) as b:
            old = now() - timedelta(days=2)
            kept = {}
            for name in ("stuck", "free", "unjudged"):
                request = Request(name, "", "m", "v", 2.0, 4, 4, created=old)
                await b.store.record(request)
            for name in ("stuck", "free"):
                kept[name], size = b.store.keep(b.picture(), "png")
                picture = kept[name], "image/png", size
                opinion = Opinion(Verdict.UP, keep_picture=True)
                await b.store.call(book.give, name, "", opinion, picture)

            def make_old(session):
                for table in (PictureRow, VerdictRow):
                    session.execute(update(table).values(created=old))

            await b.store.call(make_old)
            refused.add(kept["stuck"])
            await keeper(b).run()
            assert await b.store.read(book.count_requests) == 1
            await b.store.read(book.know, "stuck", "")
            assert await b.store.read(book.picture_names) == {kept["stuck"]}
            refused.clear()
            await keeper(b).run()
            assert await b.store.read(book.count_requests) == 0
            assert b.store.pictures.entries() == []

    asyncio.run(main())
    for what in ("pictures kept", "verdicts"):
        assert f"removing {what} failed: 1 file could not be removed" in caplog.text


def test_a_service_starts_though_a_file_of_an_interrupted_job_cannot_be_removed(
    bench, refused, caplog
):
    async def main():
        with bench.still() as b:
            made = [await b.submit(b"%d" % number) for number in range(2)]
            refused.add(made[0].source)
            for _ in range(2 * ATTEMPTS - 1):
                claimed = await b.store.call(jobs.claim, "gone")
                if claimed.attempts < ATTEMPTS:
                    await b.store.call(jobs.requeue, claimed, "gone", counted=True)
            await b.store.call(jobs.claim, "gone")
        async with bench(timing=replace(QUICK, lease=-HOUR, upkeep=HOUR)) as b:
            for job in made:
                assert (await b.until_ended(job)).problem["code"] == "job-interrupted"
            async with asyncio.timeout(60):
                while "interrupted jobs failed" not in caplog.text:
                    await asyncio.sleep(0)
            assert [path.name for path in b.files("inputs")] == [made[0].source]

    asyncio.run(main())
    assert "removing files of interrupted jobs failed: 1 file could not be removed" in caplog.text
