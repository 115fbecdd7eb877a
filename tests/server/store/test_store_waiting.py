"""What waits for the database, and for how long: nobody queues behind a lock without end."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from store_suite import add, order, request

from hyperfocal.feedback import book
from hyperfocal.server.store import Status, Store, StoreUnavailable, jobs
from hyperfocal.server.store import store as store_module
from hyperfocal.server.store.threads import Threads, TooLate

# Far more than a write takes, and far less than the suite may.
SHORT = 0.5
NEVER = 10_000


@pytest.fixture
def store(settings):
    made = Store.open(settings)
    yield made
    made.close()


@pytest.fixture
def locked(settings):
    """``with locked():`` another program writes."""

    @contextmanager
    def hold():
        other = sqlite3.connect(settings.data / "hyperfocal.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()

    return hold


def counts(store) -> int:
    return store.reading(jobs.counts)[Status.QUEUED]


def busy(locked, store, *wanted):
    """What comes of these while another program writes, all of it asked for at once."""

    async def run():
        with locked():
            return await asyncio.gather(*(make() for make in wanted), return_exceptions=True)

    return asyncio.run(asyncio.wait_for(run(), 60))


def test_whoever_reads_does_not_wait_for_those_who_write(store, locked):
    job = add(store)

    async def run() -> None:
        with locked():
            writing = [asyncio.create_task(store.call(jobs.claim, "me")) for _ in range(8)]
            await asyncio.sleep(0)
            for _ in range(20):
                assert (await store.read(jobs.get, job.id, "")).id == job.id
            assert not any(task.done() for task in writing)
        claimed = await asyncio.gather(*writing)
        assert [one.id for one in claimed if one is not None] == [job.id]

    asyncio.run(asyncio.wait_for(run(), 60))


def test_all_who_wait_for_a_lock_are_refused_when_their_time_is_over(store, locked, monkeypatch):
    monkeypatch.setattr(store_module, "_SECONDS", SHORT)
    begun = []

    def insert(session, number):
        begun.append(number)
        return jobs.add(session, order(), limit=100)

    # One after the other they would each have waited for ten seconds.
    found = busy(locked, store, *(lambda n=n: store.call(insert, n) for n in range(20)))
    assert [type(one) for one in found] == [StoreUnavailable] * 20
    # Nor are they done now that they could be.
    store.blocking(jobs.counts)
    assert (begun, counts(store)) == ([], 0)
    assert asyncio.run(store.call(insert, 99))[1]
    assert (begun, counts(store)) == ([99], 1)


def test_the_time_of_one_is_not_that_of_the_next(store, locked, monkeypatch):
    monkeypatch.setattr(store_module, "_SECONDS", 0.01)
    busy(locked, store, lambda: store.call(jobs.claim, "me"))
    (waits,) = store.blocking(_busy_timeout)
    assert waits >= 5000


def _busy_timeout(session):
    return session.connection().exec_driver_sql("PRAGMA busy_timeout").fetchone()


def test_what_has_begun_is_waited_for_and_told_as_it_is(store, monkeypatch):
    monkeypatch.setattr(store_module, "_SECONDS", SHORT)
    begun, go, ran = threading.Event(), threading.Event(), []

    def slow(session):
        begun.set()
        assert go.wait(60)
        return jobs.add(session, order(), limit=100)

    async def run() -> None:
        first = asyncio.create_task(store.call(slow))
        await asyncio.to_thread(begun.wait, 60)
        behind = await asyncio.gather(
            *(store.call(ran.append) for _ in range(3)), return_exceptions=True
        )
        assert [type(one) for one in behind] == [StoreUnavailable] * 3
        assert not first.done()
        go.set()
        job, is_new = await first
        assert is_new
        assert (await store.read(jobs.get, job.id)).id == job.id
        await store.call(jobs.counts)

    asyncio.run(asyncio.wait_for(run(), 60))
    assert ran == []


def test_a_claim_for_which_nobody_waits_any_more_is_none(store, locked):
    job = add(store)

    async def run() -> None:
        with locked():
            claiming = asyncio.create_task(store.call(jobs.claim, "me"))
            await asyncio.sleep(0.1)
            claiming.cancel()
            with pytest.raises(asyncio.CancelledError):
                await claiming
        # Behind it: it has had its turn.
        await store.call(jobs.counts)
        assert (await store.read(jobs.get, job.id)).status is Status.QUEUED

    asyncio.run(asyncio.wait_for(run(), 60))


def test_an_answer_is_written_down_though_nobody_waits_for_that(store, locked):
    async def run() -> None:
        with locked(), pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await store.record(request())
        await store.call(jobs.counts)
        await store.read(book.know, "r", "")

    asyncio.run(asyncio.wait_for(run(), 60))


def test_nor_is_there_a_traceback_where_it_cannot_be(store, locked, monkeypatch, caplog):
    monkeypatch.setattr(store_module, "_SECONDS", SHORT)

    async def run() -> None:
        with locked():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await store.record(request())
            # Behind it, on the same thread.
            with pytest.raises(StoreUnavailable):
                await store.call(jobs.counts)
        gc.collect()

    asyncio.run(asyncio.wait_for(run(), 60))
    assert caplog.records == []


def test_to_close_is_to_wait_for_what_has_begun_and_for_nothing_else(settings):
    store, begun, go, ran = Store.open(settings), threading.Event(), threading.Event(), []

    def slow(session):
        begun.set()
        assert go.wait(60)
        return jobs.add(session, order(), limit=100)[0]

    async def run():
        first = asyncio.create_task(store.call(slow))
        await asyncio.to_thread(begun.wait, 60)
        behind = [asyncio.create_task(store.call(ran.append)) for _ in range(50)]
        await asyncio.sleep(0)
        with ThreadPoolExecutor(1) as threads:
            closing = threads.submit(store.close)
            told = await asyncio.gather(*behind, return_exceptions=True)
            assert not closing.done()
            go.set()
            await asyncio.wrap_future(closing)
        assert [type(one) for one in told] == [StoreUnavailable] * 50
        return await first

    job = asyncio.run(asyncio.wait_for(run(), 60))
    again = Store.open(settings)
    assert again.reading(jobs.get, job.id) == job
    again.close()
    assert ran == []


def test_work_that_is_late_is_never_begun():
    threads, begun, go, ran = Threads(1, "test"), threading.Event(), threading.Event(), []

    def slow(_turn):
        begun.set()
        assert go.wait(60)

    async def run() -> None:
        first = asyncio.create_task(threads.run(slow, NEVER))
        await asyncio.to_thread(begun.wait, 60)
        with pytest.raises(TooLate):
            await threads.run(ran.append, 0.01)
        leaving = asyncio.create_task(threads.run(ran.append, NEVER))
        await asyncio.sleep(0)
        leaving.cancel()
        # It is told only when the loop runs, and before the thread is free.
        with pytest.raises(asyncio.CancelledError):
            await leaving
        last = asyncio.create_task(threads.run(lambda turn: turn.left, NEVER))
        go.set()
        await first
        assert 0 < await last <= NEVER
        # Not even where a thread is free for it just then.
        with pytest.raises(TooLate):
            await threads.run(ran.append, 0)

    asyncio.run(asyncio.wait_for(run(), 60))
    threads.close()
    assert ran == []
