"""Jobs from their queue to their end, with a pool that does as it is told."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake_pool import FakePool
from quick import QUICK

from hyperfocal.errors import BrokenPicture, SettingsError, UsageError
from hyperfocal.feedback import book
from hyperfocal.server.errors import (
    Draining,
    NotFound,
    QueueFull,
    SpoolFull,
    SpoolUnusable,
    WorkerDied,
)
from hyperfocal.server.jobs import work
from hyperfocal.server.jobs.document import document
from hyperfocal.server.jobs.orders import KeyReused
from hyperfocal.server.pool import Options
from hyperfocal.server.store import Status, StoreUnavailable, jobs
from hyperfocal.storage import Storage, StorageUnavailable

NOBODY = datetime(1970, 1, 1, tzinfo=UTC)


def test_a_job_runs_to_its_end(bench):
    async def main():
        async with bench(job_seconds=77) as b:
            options = Options(size=(640, None), format="png", quality=80)
            job = await b.submit(b"one", options, owner="me")
            assert (job.status, job.progress, job.attempts) == (Status.QUEUED, 0.0, 0)
            job = await b.until_ended(job)
            assert (job.status, job.progress, job.attempts) == (Status.SUCCEEDED, 1.0, 1)
            assert job.created <= job.started <= job.finished < job.expires
            assert b.pool.begun[0].options == options
            assert b.pool.begun[0].request_id == "r1"
            assert b.pool.seconds == [77]
            (result,) = b.files("results")
            assert result.read_bytes().endswith(b"one")
            await b.store.call(book.know, "r1", "me")
        assert b.files("inputs") == []
        assert b.spooled() == []
        shown = document(job, b.results)
        assert shown["status"] == "succeeded"
        assert shown["problem"] is None
        assert shown["result"]["url"].startswith(f"/v1/results/{result.name}?expires=")
        assert shown["result"]["notes"] == ["é"]
        assert shown["created"].endswith("Z")
        assert 'hyperfocal_jobs{status="succeeded"}' in b.metrics.text().decode()

    asyncio.run(main())


def test_the_reference_reaches_the_worker(bench):
    async def main():
        async with bench() as b:
            job = await b.submit(b"one", reference=b.picture(b"two"))
            await b.until_ended(job)
            (result,) = b.files("results")
            assert result.read_bytes().endswith(b"two")
            assert b.files("inputs") == []

    asyncio.run(main())


def test_infinite_figures_become_null(bench):
    async def main():
        async with bench() as b:
            b.pool.changes = {"psnr": float("inf"), "consistency_db": float("inf")}
            job = await b.until_ended(await b.submit())
            result = document(job, b.results)["result"]
            assert result["psnr"] is result["consistency_db"] is None

    asyncio.run(main())


def test_as_many_at_once_as_there_are_workers(bench):
    async def main():
        async with bench(pool=FakePool(capacity=2, hold=True)) as b:
            made = [await b.submit(b"%d" % number) for number in range(4)]
            await b.pool.until_begun(2)
            assert (await b.store.call(jobs.counts))[Status.QUEUED] == 2
            assert b.pool.running == 2
            b.pool.release()
            ended = [await b.until_ended(job) for job in made]
            assert {job.status for job in ended} == {Status.SUCCEEDED}
            # First come, first served.
            assert sorted(ended, key=lambda job: job.started) == ended

    asyncio.run(main())


def test_a_job_is_left_alone_until_a_worker_is_free_for_it(bench):
    async def main():
        # Nothing is looked for: it is told.
        async with bench(pool=FakePool(capacity=2), timing=replace(QUICK, poll=3600.0)) as b:
            b.pool.interactive = 2
            looks, counted = asyncio.Event(), b.metrics.count_jobs
            b.metrics.count_jobs = lambda found: (counted(found), looks.set())
            job = await b.submit()
            async with asyncio.timeout(60):
                # The last look comes after what the one before it led to.
                for _ in range(3):
                    looks.clear()
                    b.runner._wake.set()
                    await looks.wait()
            found = await b.runner.get(job.id)
            assert (found.status, found.attempts, found.started) == (Status.QUEUED, 0, None)
            assert b.runner._works == {}
            b.pool.interactive = 1
            b.pool.on_room()
            found = await b.until_ended(job)
            assert (found.status, found.attempts) == (Status.SUCCEEDED, 1)

    asyncio.run(main())


def test_progress_is_written_and_never_goes_back(bench):
    async def main():
        async with bench(pool=FakePool(hold=True)) as b:
            job = await b.submit()
            await b.pool.until_begun()
            tell = b.pool.tellers[0]
            tell(0.5)
            seen = await b.until(job, lambda found: found.progress == 0.5)
            tell(0.25)
            tell(0.75)
            later = await b.until(job, lambda found: found.progress == 0.75)
            assert later.revision > seen.revision
            b.pool.release()
            assert (await b.until_ended(job)).progress == 1.0

    asyncio.run(main())


def test_a_picture_that_cannot_be_read_is_the_jobs_problem(bench):
    async def main():
        async with bench() as b:
            b.pool.raises = [BrokenPicture("the file ends in the middle")]
            job = await b.until_ended(await b.submit())
            assert job.status is Status.FAILED
            assert job.problem == {
                "type": "urn:hyperfocal:problem:broken-picture",
                "title": "Broken picture",
                "status": 422,
                "detail": "the file ends in the middle",
                "instance": f"/v1/jobs/{job.id}",
                "code": "broken-picture",
                "request_id": "r1",
            }
            assert document(job, b.results)["result"] is None
        assert b.files("inputs") == b.files("results") == b.spooled() == []

    asyncio.run(main())


def test_a_bug_fails_the_job_and_tells_nothing(bench, caplog):
    async def main():
        async with bench() as b:
            b.pool.raises = [RuntimeError("secret detail")]
            job = await b.until_ended(await b.submit())
            assert (job.status, job.problem["status"]) == (Status.FAILED, 500)
            assert "secret detail" not in str(job.problem)

    asyncio.run(main())
    assert "secret detail" in caplog.text


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (WorkerDied("gone"), 2),
        # These say nothing about the picture, and are no attempts.
        (StorageUnavailable("away"), 1),
        (SpoolFull("full"), 1),
        (SpoolUnusable("gone"), 1),
    ],
)
def test_what_passes_is_tried_again(bench, error, attempts):
    async def main():
        async with bench() as b:
            b.pool.raises = [error]
            job = await b.until_ended(await b.submit())
            assert (job.status, job.attempts) == (Status.SUCCEEDED, attempts)
            assert len(b.pool.begun) == 2

    asyncio.run(main())


def test_a_disk_that_is_full_for_a_moment_costs_no_attempt(bench, monkeypatch):
    make, refusals = Path.mkdir, [OSError(errno.EDQUOT, "Disk quota exceeded")]

    def mkdir(path, *given, **more):
        if path.name.startswith("request-job-") and refusals:
            raise refusals.pop()
        make(path, *given, **more)

    async def main():
        async with bench() as b:
            monkeypatch.setattr(Path, "mkdir", mkdir)
            job = await b.until_ended(await b.submit())
            assert (job.status, job.attempts) == (Status.SUCCEEDED, 1)
            assert refusals == []

    asyncio.run(main())


def test_but_only_so_often(bench):
    async def main():
        async with bench() as b:
            b.pool.raises = [WorkerDied("gone")] * 9
            job = await b.until_ended(await b.submit())
            assert (job.status, job.attempts) == (Status.FAILED, 3)
            assert job.problem["code"] == "worker-died"
            assert len(b.pool.begun) == 3

    asyncio.run(main())


def test_a_pool_that_stops_costs_no_attempt(bench):
    async def main():
        async with bench() as b:
            b.pool.raises = [Draining("stopping")]
            job = await b.until_ended(await b.submit())
            assert (job.status, job.attempts) == (Status.SUCCEEDED, 1)

    asyncio.run(main())


def test_nothing_is_begun_while_the_pool_is_not_ready(bench):
    async def main():
        pool = FakePool()
        pool.ready = False
        async with bench(pool=pool) as b:
            job = await b.submit()
            async with asyncio.timeout(60):
                while b'hyperfocal_jobs{status="queued"} 1.0' not in b.metrics.text():
                    await asyncio.sleep(0.005)
            assert pool.begun == []
            pool.ready = True
            assert (await b.until_ended(job)).status is Status.SUCCEEDED

    asyncio.run(main())


def test_cancelling_a_queued_job(bench):
    async def main():
        with bench.still() as b:
            job = await b.submit()
            assert len(b.files("inputs")) == 1
            gone = await b.runner.cancel(job.id, "")
            assert gone.status is Status.CANCELLED
            assert gone.finished is not None
            assert b.files("inputs") == []
            assert await b.store.call(jobs.claim, "somebody") is None

    asyncio.run(main())


def test_cancelling_a_running_job_stops_the_work(bench):
    async def main():
        async with bench(pool=FakePool(hold=True)) as b:
            job, other = await b.submit(b"one"), await b.submit(b"two")
            await b.pool.until_begun()
            gone = await b.runner.cancel(job.id, "")
            # It has stopped by the time the call returns, not some time later.
            assert [task.source for task in b.pool.stopped] == [b.pool.begun[0].source]
            assert gone.status is Status.CANCELLED
            b.pool.release()
            assert (await b.until_ended(other)).status is Status.SUCCEEDED
            assert (await b.runner.get(job.id)).status is Status.CANCELLED
            assert b.files("inputs") == b.spooled() == []

    asyncio.run(main())


def test_another_process_cancels(bench):
    async def main():
        timing = replace(QUICK, alive=0.02)
        async with bench(pool=FakePool(hold=True), timing=timing) as b:
            job = await b.submit()
            await b.pool.until_begun()
            await b.store.call(jobs.cancel, job.id)
            async with asyncio.timeout(60):
                while not b.pool.stopped:
                    await asyncio.sleep(0)

    asyncio.run(main())


def test_deleting_an_ended_job_removes_its_picture(bench):
    async def main():
        async with bench() as b:
            job = await b.until_ended(await b.submit())
            assert len(b.files("results")) == 1
            gone = await b.runner.cancel(job.id, "")
            assert gone.status is Status.EXPIRED
            assert document(gone, b.results)["result"] is None
            assert b.files("results") == []
            # Again: nothing more happens.
            assert (await b.runner.cancel(job.id, "")).status is Status.EXPIRED

    asyncio.run(main())


def test_a_job_belongs_to_its_owner(bench):
    async def main():
        with bench.still() as b:
            job = await b.submit(owner="me")
            for owner in ("", "you"):
                with pytest.raises(NotFound):
                    await b.runner.get(job.id, owner)
                with pytest.raises(NotFound):
                    await b.runner.cancel(job.id, owner)
            assert (await b.runner.get(job.id, "me")).status is Status.QUEUED
            with pytest.raises(NotFound):
                await b.runner.get("0" * 32, "me")

    asyncio.run(main())


def test_the_same_key_gives_the_same_job(bench):
    async def main():
        with bench.still() as b:
            wish = {"request_id": "r", "owner": "me", "key": "k"}
            first, is_new = await b.runner.submit(b.picture(b"a"), Options(scale=2), **wish)
            assert is_new
            again, is_new = await b.runner.submit(b.picture(b"a"), Options(scale=2), **wish)
            assert (again.id, is_new) == (first.id, False)
            assert len(b.files("inputs")) == 1
            for picture, options, reference in (
                (b"b", Options(scale=2), None),
                (b"a", Options(scale=3), None),
                (b"a", Options(scale=2), b"r"),
            ):
                more = None if reference is None else b.picture(reference)
                with pytest.raises(KeyReused):
                    await b.runner.submit(b.picture(picture), options, reference=more, **wish)
            other, is_new = await b.runner.submit(
                b.picture(b"b"), Options(), **{**wish, "owner": "you"}
            )
            assert is_new
            assert other.id != first.id

    asyncio.run(main())


def test_the_same_key_at_the_same_time(bench):
    async def main():
        with bench.still() as b:
            wish = {"request_id": "r", "owner": "me", "key": "k"}
            made = await asyncio.gather(
                *(b.runner.submit(b.picture(b"a"), Options(), **wish) for _ in range(5))
            )
            assert len({job.id for job, _ in made}) == 1
            assert sum(is_new for _, is_new in made) == 1
            assert len(b.files("inputs")) == 1

    asyncio.run(main())


@pytest.mark.parametrize("key", ["", "a b", "ä", "k" * 256, "line\n"])
def test_a_key_that_is_none(bench, key):
    async def main():
        with bench.still() as b, pytest.raises(UsageError, match="Idempotency-Key"):
            await b.submit(key=key)

    asyncio.run(main())


def test_so_many_may_wait(bench):
    async def main():
        with bench.still(jobs=2) as b:
            for number in range(2):
                await b.submit(b"%d" % number)
            with pytest.raises(QueueFull, match="2 jobs"):
                await b.submit(b"more")
            assert len(b.files("inputs")) == 2

    asyncio.run(main())


def test_stopping_puts_work_back(bench):
    async def main():
        async with bench(pool=FakePool(hold=True)) as b:
            job = await b.submit()
            await b.pool.until_begun()
        assert len(b.pool.stopped) == 1
        with bench.still() as again:
            found = await again.runner.get(job.id)
            assert (found.status, found.attempts, found.progress) == (Status.QUEUED, 0, 0.0)
        async with bench() as again:
            found = await again.until_ended(job)
            assert (found.status, found.attempts) == (Status.SUCCEEDED, 1)

    asyncio.run(main())


def test_what_a_killed_service_was_at_is_begun_again(bench):
    async def main():
        with bench.still() as b:
            job = await b.submit()
            assert b.runner._lock.take()
            place = b.runner._lock.label()
            b.runner._lock.release()
            await b.store.call(jobs.claim, f"{place}:killed")
        async with bench() as b:
            found = await b.until_ended(job)
            assert (found.status, found.attempts) == (Status.SUCCEEDED, 2)

    asyncio.run(main())


def test_a_job_that_kills_the_service_is_not_begun_for_ever(bench):
    async def main():
        with bench.still() as b:
            job = await b.submit()
            for attempt in range(3):
                claimed = await b.store.call(jobs.claim, "gone")
                assert claimed.attempts == attempt + 1
                if attempt < 2:
                    assert await b.store.call(jobs.requeue, claimed, "gone", counted=True)
        async with bench(timing=replace(QUICK, lease=-1.0)) as b:
            found = await b.until_ended(job)
            assert found.status is Status.FAILED
            assert found.problem["code"] == "job-interrupted"
            async with asyncio.timeout(60):
                while b.files("inputs"):
                    await asyncio.sleep(0)
            assert b.pool.begun == []

    asyncio.run(main())


def test_a_data_folder_that_cannot_be_is_told(bench, tmp_path):
    async def main():
        place = tmp_path / "file"
        place.touch()
        with bench.still(data=place, database=f"sqlite:///{tmp_path / 'db'}") as b:
            with pytest.raises(SettingsError, match="data folder cannot be used"):
                await b.runner.start()
            await b.runner.stop()

    asyncio.run(main())


def test_the_work_of_a_living_runner_is_left_alone(bench):
    async def main():
        with bench.still() as b:
            job = await b.submit()
            await b.store.call(jobs.claim, "elsewhere:alive")
        async with bench() as b:
            assert (await b.runner.get(job.id)).status is Status.RUNNING
            # A second one in the same folder does not take it for dead either.
            async with bench() as second:
                assert (await second.runner.get(job.id)).status is Status.RUNNING

    asyncio.run(main())


def test_a_job_is_for_a_runner_that_can_read_its_input(bench, tmp_path):
    """Two services on one database, each with a folder of its own for inputs and results."""

    async def main():
        shared = {"database": f"sqlite:///{tmp_path / 'shared.db'}"}
        places = [{"data": tmp_path / name, "spool": tmp_path / name / "spool"} for name in "ab"]
        with bench.still(**shared, **places[0]) as b:
            job = await b.submit(b"one")
            async with bench(**shared, **places[1]) as other:
                mine = await other.until_ended(await other.submit(b"two"))
                assert mine.status is Status.SUCCEEDED
                # That one was asked for later; the first is left to who has its input.
                assert (await b.runner.get(job.id)).status is Status.QUEUED
            await b.runner.start()
            assert (await b.until_ended(job)).status is Status.SUCCEEDED
            await b.runner.stop()

    asyncio.run(main())


def test_a_job_of_an_older_version_is_anybodys(bench):
    async def main():
        with bench.still() as b:
            job = await b.submit()

            def forget_storage(session):
                session.get(jobs.JobRow, job.id).storage = ""

            await b.store.call(forget_storage)
        async with bench() as b:
            assert (await b.until_ended(job)).status is Status.SUCCEEDED

    asyncio.run(main())


def test_a_job_is_begun_though_the_mark_of_its_storage_was_lost(bench):
    async def main():
        with bench.still() as b:
            job = await b.submit(reference=b.picture(b"another"))
            (mark,) = (b.settings.data / "results" / "inputs").glob("storage-*")
            mark.unlink()
        async with bench() as b:
            assert (await b.until_ended(job)).status is Status.SUCCEEDED
            # The storage has another id by now.
            assert f"storage-{(await b.results.ids())[0]}" != mark.name

    asyncio.run(main())


def test_a_job_that_nobody_has_the_input_of_fails_and_blocks_nobody(bench, tmp_path):
    async def main():
        shared = {"database": f"sqlite:///{tmp_path / 'shared.db'}", "jobs": 1}
        with bench.still(**shared, data=tmp_path / "a", spool=tmp_path / "a" / "spool") as gone:
            job = await gone.submit(b"one")

            def make_old(session):
                session.get(jobs.JobRow, job.id).created -= timedelta(hours=2)

            await gone.store.call(make_old)
        there = {"data": tmp_path / "b", "spool": tmp_path / "b" / "spool"}
        async with bench(**shared, **there, timing=replace(QUICK, files=0.0)) as b:
            mine = await b.until_ended(await b.submit(b"two"))
            assert mine.status is Status.SUCCEEDED
            # Whoever has it may only start a moment later.
            assert await b.runner._strays.run() == []
            assert (await b.runner.get(job.id)).status is Status.QUEUED
        async with bench(**shared, **there, timing=replace(QUICK, stranded=-60.0)) as b:
            found = await b.until_ended(job)
            assert found.status is Status.FAILED
            assert (found.problem["status"], found.attempts) == (503, 0)
            assert "send it again" in found.problem["detail"]

    asyncio.run(main())


def test_a_storage_that_is_away_at_the_start_is_told_once(bench, monkeypatch, caplog):
    async def main():
        def away(storage):
            raise StorageUnavailable("gone fishing")

        with bench.still() as b:
            job = await b.submit()
        entries = Storage.entries
        monkeypatch.setattr(Storage, "entries", away)
        async with bench(timing=replace(QUICK, files=3600.0)) as b:
            looks, count, many = 0, b.metrics.count_jobs, asyncio.Event()

            def counted(found):
                nonlocal looks
                looks += 1
                if looks == 5:
                    many.set()
                count(found)

            monkeypatch.setattr(b.metrics, "count_jobs", counted)
            async with asyncio.timeout(60):
                await many.wait()
            # Jobs are counted all the same.
            assert 'hyperfocal_jobs{status="queued"} 1.0' in b.metrics.text().decode()
            assert caplog.text.count("inputs of jobs cannot be listed: gone fishing") == 1
            assert "jobs cannot be read" not in caplog.text
            monkeypatch.setattr(Storage, "entries", entries)
            assert (await b.until_ended(job)).status is Status.SUCCEEDED

    asyncio.run(main())


def test_while_no_job_waits_no_storage_is_asked_for_one(bench, monkeypatch):
    async def main():
        asked, looked = 0, asyncio.Event()

        async with bench(timing=replace(QUICK, upkeep=3600.0)) as b:

            async def ids():
                nonlocal asked
                asked += 1
                raise StorageUnavailable("away")

            count, looks = b.metrics.count_jobs, 0

            def counted(found):
                nonlocal looks
                looks += 1
                if looks == 5:
                    looked.set()
                count(found)

            monkeypatch.setattr(b.results, "ids", ids)
            monkeypatch.setattr(b.metrics, "count_jobs", counted)
            async with asyncio.timeout(60):
                await looked.wait()
            # Once by who looks for jobs of other storages, should it come after the patch.
            assert asked <= 1

    asyncio.run(main())


def test_its_own_work_is_left_alone_whatever_the_clock_says(bench):
    async def main():
        # As after a clock that was set: every sign of life is too old.
        timing = replace(QUICK, lease=-3600.0, upkeep=3600.0)
        async with bench(pool=FakePool(capacity=2, hold=True), timing=timing) as b:
            job = await b.submit()
            await b.pool.until_begun()
            await b.runner._recover(None)
            found = await b.runner.get(job.id)
            assert (found.status, found.attempts) == (Status.RUNNING, 1)
            b.pool.release()
            found = await b.until_ended(job)
            assert (found.status, found.attempts) == (Status.SUCCEEDED, 1)
            assert len(b.pool.begun) == 1

    asyncio.run(main())


async def given_up(b):
    """Every job that runs is taken for abandoned and waits again, as by another runner."""
    await b.store.call(
        jobs.recover,
        places=(),
        silent_since=datetime.now(UTC) + timedelta(days=1),
        attempts=3,
        problem=lambda job: {},
    )


def test_a_job_that_comes_back_while_its_old_work_ends(bench):
    async def main():
        # No sign of life meanwhile, by which the old work would notice it.
        timing = replace(QUICK, alive=3600.0)
        async with bench(pool=FakePool(capacity=2, hold=True), timing=timing) as b:
            job = await b.submit()
            await b.pool.until_begun()
            old = b.runner._works[job.id]
            # Another runner took it, and left it.
            await given_up(b)
            await b.pool.until_begun(2)
            new = b.runner._works[job.id]
            try:
                assert new is not old
                old.stop()
                await old.ended.wait()
                # So that it can still be cancelled, and stops.
                gone = await b.runner.cancel(job.id)
                assert gone.status is Status.CANCELLED
                assert new.ended.is_set()
                assert b.pool.running == 0
                assert b.runner._works == {}
            finally:
                b.pool.release()

    asyncio.run(main())


def test_a_result_that_comes_too_late_is_thrown_away(bench):
    async def main():
        # No sign of life meanwhile, by which it would notice that the job is not its own any more.
        timing = replace(QUICK, alive=3600.0)
        async with bench(pool=FakePool(hold=True), timing=timing) as b:
            job = await b.submit()
            await b.pool.until_begun()
            # Another runner took it over.
            await given_up(b)
            await b.store.call(jobs.claim, "other")
            ended = b.runner._works[job.id].ended
            b.pool.release()
            await ended.wait()
            found = await b.runner.get(job.id)
            assert (found.status, found.attempts) == (Status.RUNNING, 2)
            assert b.files("results") == []

    asyncio.run(main())


def test_a_database_that_is_away_for_a_moment(bench, monkeypatch):
    async def main():
        async with bench(pool=FakePool(hold=True)) as b:
            job = await b.submit()
            await b.pool.until_begun()
            whole, refused, is_back = b.store.call, 0, asyncio.Event()

            async def call(function, *args, **kwargs):
                nonlocal refused
                if is_back.is_set():
                    return await whole(function, *args, **kwargs)
                # Others ask, too; what counts is that the end of the job cannot be written.
                refused += function is work._succeed
                if refused == 3:
                    is_back.set()
                raise StoreUnavailable("away")

            monkeypatch.setattr(b.store, "call", call)
            b.pool.release()
            async with asyncio.timeout(60):
                await is_back.wait()
            assert (await b.until_ended(job)).status is Status.SUCCEEDED

    asyncio.run(main())


@pytest.mark.parametrize("function", [jobs.claim, jobs.counts, jobs.recover, jobs.beat])
def test_a_bug_does_not_end_the_work_for_ever(bench, monkeypatch, caplog, function):
    async def main():
        async with bench(pool=FakePool(hold=True)) as b:
            again = asyncio.Event()
            failures = 0

            def failing(whole):
                async def call(what, *args, **kwargs):
                    nonlocal failures
                    if what is function and not again.is_set():
                        failures += 1
                        if failures == 3:
                            again.set()
                        raise RuntimeError("nobody foresaw it")
                    return await whole(what, *args, **kwargs)

                return call

            monkeypatch.setattr(b.store, "call", failing(b.store.call))
            monkeypatch.setattr(b.store, "read", failing(b.store.read))
            job = await b.submit()
            if function is jobs.beat:
                await b.pool.until_begun()
                b.pool.tellers[0](0.5)
            async with asyncio.timeout(60):
                await again.wait()
            b.pool.release()
            assert (await b.until_ended(job)).status is Status.SUCCEEDED
            assert not any(loop.done() for loop in b.runner._loops)

    asyncio.run(main())
    assert caplog.text.count("RuntimeError: nobody foresaw it") == 3


def test_whatever_wakes_it_a_bug_is_not_met_without_a_pause(bench, monkeypatch):
    async def main():
        async with bench(timing=replace(QUICK, poll=60.0)) as b:
            met, whole = asyncio.Event(), b.store.call

            async def call(function, *args, **kwargs):
                if function is not jobs.claim:
                    return await whole(function, *args, **kwargs)
                met.set()
                raise RuntimeError("nobody foresaw it")

            monkeypatch.setattr(b.store, "call", call)
            await b.submit()
            async with asyncio.timeout(60):
                await met.wait()
            met.clear()
            for _ in range(100):
                b.runner._wake.set()
                await asyncio.sleep(0)
            assert not met.is_set()

    asyncio.run(main())


def test_forgetting_a_request_takes_its_jobs_along(bench):
    async def main():
        async with bench() as b:
            kept = await b.until_ended(await b.submit(b"a", request_id="other"))
            job = await b.until_ended(await b.submit(b"b", request_id="this"))
            assert await b.runner.forget("this", "") == 1
            with pytest.raises(NotFound):
                await b.runner.get(job.id)
            assert (await b.runner.get(kept.id)).status is Status.SUCCEEDED
            assert len(b.files("results")) == 1

    asyncio.run(main())
