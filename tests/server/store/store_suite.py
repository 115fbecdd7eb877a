"""What every database must do; run against each."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from hyperfocal.errors import UsageError
from hyperfocal.feedback import (
    Deleted,
    Opinion,
    Reason,
    Request,
    RequestReused,
    RequestUnknown,
    Retention,
    Verdict,
    book,
    count,
)
from hyperfocal.feedback.records import PictureInTheWay, Written, now
from hyperfocal.server.errors import NotFound, QueueFull
from hyperfocal.server.store import Order, Status, jobs, removal
from hyperfocal.storage import StorageUnavailable, Stuck

DAY = timedelta(days=1)


def request(name="r", owner="", **changes) -> Request:
    return Request(
        **{
            "request_id": name,
            "owner": owner,
            "model": "photo-fast-x2",
            "model_version": "0123",
            "scale": 2.0,
            "width": 64,
            "height": 48,
            "consistency_db": 41.5,
            "statistics": {"blur": 12.5},
            **changes,
        }
    )


def order(owner="", key=None, **changes) -> Order:
    given = {
        "request_id": "r",
        "owner": owner,
        "options": {"scale": 2.0, "size": None},
        "source": "9-a.bin",
        "reference": None,
        "fingerprint": "f",
        "expires": jobs.expiry(1),
        "idempotency_key": key,
    }
    return Order(**{**given, **changes})


def add(store, **changes):
    return store.blocking(jobs.add, order(**changes), limit=100)[0]


def keep(store, tmp_path, content=b"pixels"):
    path = tmp_path / "sent"
    path.write_bytes(content)
    name, size = store.keep(path, "png")
    return name, "image/png", size


def give(store, name="r", owner="", verdict=Verdict.UP, picture=None, gone=None, **more):
    opinion = Opinion(verdict, **{"keep_picture": picture is not None, **more})
    return store.blocking(book.give, name, owner, opinion, picture, gone)


def written(verdict_id, has_picture, *, is_first=False):
    return Written(verdict_id, has_picture, is_first, "photo-fast-x2", "0123")


def verdicts(store, **narrowed):
    return store.blocking(lambda session: list(book.find(session, **narrowed)))


class StoreSuite:
    """Tests over the fixture ``store``, which is empty at the start of each."""

    def test_a_job_comes_back_as_it_went_in(self, store):
        moment = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
        job = add(store, options={"size": [1, None], "x": "é"}, expires=moment)
        found = store.blocking(jobs.get, job.id, "")
        assert found == job
        assert found.expires == moment
        assert found.expires.tzinfo is not None
        assert found.options == {"size": [1, None], "x": "é"}
        assert found.answer is found.problem is found.started is None

    def test_the_oldest_is_claimed_first_and_once(self, store):
        made = [add(store).id for _ in range(3)]
        claimed = [store.blocking(jobs.claim, "me").id for _ in range(3)]
        assert claimed == made
        assert store.blocking(jobs.claim, "me") is None

    def test_only_jobs_whose_input_can_be_read_are_claimed(self, store):
        theirs, mine, old = (add(store, storage=name).id for name in ("there", "here", ""))
        found = [store.blocking(jobs.claim, "me", ("here", "too")) for _ in range(3)]
        assert [job and job.id for job in found] == [mine, old, None]
        assert store.blocking(jobs.claim, "me").id == theirs

    def test_no_two_claim_the_same(self, store):
        made = {add(store).id for _ in range(12)}
        with ThreadPoolExecutor(4) as threads:
            claims = [threads.submit(store.blocking, jobs.claim, f"{n}") for n in range(12)]
            found = [claim.result(60) for claim in claims]
        # On PostgreSQL a claim passes over what another is just taking.
        taken = [job.id for job in found if job is not None]
        assert len(taken) == len(set(taken))
        while (job := store.blocking(jobs.claim, "last")) is not None:
            taken.append(job.id)
        assert set(taken) == made

    def test_a_claim_is_only_its_runners(self, store):
        add(store)
        job = store.blocking(jobs.claim, "me")
        ending = {"output": "o", "answer": {}, "expires": now()}
        assert not store.blocking(jobs.beat, job, "you", 0.5)
        assert not store.blocking(jobs.succeed, job, "you", **ending)
        assert not store.blocking(jobs.fail, job, "you", {})
        assert not store.blocking(jobs.requeue, job, "you", counted=True)
        assert store.blocking(jobs.beat, job, "me", 0.5)
        assert store.blocking(jobs.succeed, job, "me", **ending)
        assert not store.blocking(jobs.fail, job, "me", {})
        assert store.blocking(jobs.get, job.id).status is Status.SUCCEEDED

    def test_a_key_is_one_job_for_each_owner(self, store):
        first, is_new = store.blocking(jobs.add, order("me", "k"), limit=9)
        assert is_new
        assert store.blocking(jobs.add, order("me", "k"), limit=9) == (first, False)
        assert store.blocking(jobs.add, order("you", "k"), limit=9)[1]
        assert store.blocking(jobs.add, order("me"), limit=9)[1]
        assert store.blocking(jobs.add, order("me"), limit=9)[1]

    def test_a_key_used_at_the_same_time_is_one_job(self, store):
        with ThreadPoolExecutor(4) as threads:
            adding = [
                threads.submit(store.blocking, jobs.add, order("me", "k"), limit=9)
                for _ in range(8)
            ]
            made = [one.result(60) for one in adding]
        assert len({job.id for job, _ in made}) == 1
        assert sum(is_new for _, is_new in made) == 1

    def test_the_queue_is_bounded(self, store):
        store.blocking(jobs.add, order(), limit=1)
        with pytest.raises(QueueFull):
            store.blocking(jobs.add, order(), limit=1)
        store.blocking(jobs.claim, "me")
        store.blocking(jobs.add, order(), limit=1)

    def test_jobs_of_another_storage_take_no_room_in_the_queue(self, store):
        for storage in ("a", "b", ""):
            add(store, storage=storage)
        for storages, waiting in ((["a"], 2), (["a", "b"], 3), (["c"], 1), (None, 3)):
            with pytest.raises(QueueFull):
                store.blocking(jobs.add, order(), limit=waiting, storages=storages)
        job, is_new = store.blocking(jobs.add, order(storage="c"), limit=2, storages=["c"])
        assert is_new
        assert job.status is Status.QUEUED

    def test_jobs_of_another_storage_can_be_taken_in(self, store):
        own, other, older = (add(store, storage=storage) for storage in ("a", "b", ""))
        assert store.blocking(jobs.strays, ["a"]) == [other]
        assert store.blocking(jobs.strays, ["a", "b"]) == []
        store.blocking(jobs.adopt, {other.id}, "a")
        assert store.blocking(jobs.strays, ["a"]) == []
        claimed = [store.blocking(jobs.claim, "me", ["a"]).id for _ in range(3)]
        assert sorted(claimed) == sorted([own.id, other.id, older.id])
        # What runs is nobody else's.
        store.blocking(jobs.adopt, claimed, "c")
        for job_id in claimed:
            job = store.blocking(jobs.get, job_id)
            assert store.blocking(jobs.requeue, job, "me", counted=True)
        assert store.blocking(jobs.strays, ["a"]) == []

    def test_jobs_of_a_storage_that_nobody_uses_fail(self, store):
        def strand(*made, ago=DAY):
            found = store.blocking(
                jobs.strand,
                [job.id for job in made],
                silent_since=now() - ago,
                problem=lambda job: {"id": job.id},
            )
            return {job.id: (job.status, job.problem) for job in found}

        waiting, busy = add(store, storage="a"), add(store, storage="b")
        assert strand(waiting, busy) == {}
        running = store.blocking(jobs.claim, "me", ["b"])
        assert running.id == busy.id
        behind = add(store, storage="b")

        def make_old(session, *made):
            for job in made:
                session.get(jobs.JobRow, job.id).created -= 2 * DAY

        store.blocking(make_old, waiting, busy, behind)
        # One that runs is a sign of life for those behind it,
        assert strand(waiting, busy, behind) == {waiting.id: (Status.FAILED, {"id": waiting.id})}
        # as is one that was put back.
        assert store.blocking(jobs.requeue, running, "me", counted=False)
        assert strand(waiting, busy, behind) == {}
        assert set(strand(waiting, busy, behind, ago=-DAY)) == {busy.id, behind.id}

    def test_silent_runners_lose_their_jobs(self, store):
        add(store)
        job = store.blocking(jobs.claim, "place:1")
        fail = {"attempts": 2, "problem": lambda job: {"code": "c", "id": job.id}}
        past, future = now() - DAY, now() + DAY
        recover = store.blocking
        assert recover(jobs.recover, places=(), silent_since=past, **fail) == []
        assert recover(jobs.recover, places=("other:",), silent_since=past, **fail) == []
        (back,) = recover(jobs.recover, places=("place:",), silent_since=past, **fail)
        assert (back.id, back.status, back.started) == (job.id, Status.QUEUED, None)
        store.blocking(jobs.claim, "place:2")
        (over,) = recover(jobs.recover, places=(), silent_since=future, **fail)
        assert (over.status, over.problem) == (Status.FAILED, {"code": "c", "id": job.id})

    def test_what_the_asking_runner_is_at_is_not_recovered(self, store):
        for _ in range(3):
            add(store)
        mine, left = [store.blocking(jobs.claim, "me") for _ in range(2)]
        other = store.blocking(jobs.claim, "you")
        found = store.blocking(
            jobs.recover,
            places=("you",),
            silent_since=now() + DAY,
            attempts=2,
            problem=lambda job: {},
            runner="me",
            at_work={mine.id, other.id},
        )
        assert {job.id for job in found} == {left.id, other.id}
        assert store.blocking(jobs.get, mine.id).status is Status.RUNNING

    def test_cancelling(self, store):
        job = add(store, owner="me")
        with pytest.raises(NotFound):
            store.blocking(jobs.cancel, job.id, "you")
        gone = store.blocking(jobs.cancel, job.id, "me")
        assert (gone.status, gone.revision) == (Status.CANCELLED, job.revision + 1)
        assert store.blocking(jobs.cancel, job.id, "me") == gone
        assert store.blocking(jobs.counts)[Status.CANCELLED] == 1

    def test_expiry_and_removal(self, store):
        job, running, later = [
            add(store, expires=moment) for moment in (now() - DAY, now() - DAY, now() + DAY)
        ]
        store.blocking(jobs.cancel, job.id)
        store.blocking(jobs.claim, "me")
        assert [one.id for one in store.blocking(jobs.expire, now())] == [job.id]
        assert store.blocking(jobs.expire, now()) == []
        assert store.blocking(jobs.purge, now()) == 1
        assert {store.blocking(jobs.get, one.id).status for one in (running, later)} == {
            Status.RUNNING,
            Status.QUEUED,
        }

    def test_the_key_of_a_job_that_came_to_nothing_is_free(self, store):
        def ended(key, change, **how):
            add(store, key=key)
            job = store.blocking(jobs.claim, "me")
            assert store.blocking(change, job, "me", **how)
            return job.id

        done = ended("done", jobs.succeed, output="o", answer={}, expires=now() + DAY)
        theirs = ended("theirs", jobs.fail, problem={"status": 422})
        ours = ended("ours", jobs.fail, problem={"status": 503})
        assert add(store, key="done").id == done
        assert add(store, key="theirs").id == theirs
        assert store.blocking(jobs.by_key, "", "ours") is None
        again = add(store, key="ours", fingerprint="other").id
        assert again != ours
        assert add(store, key="ours").id == again
        # The one has expired then, the other is cancelled.
        for key, job in (("done", done), ("ours", again)):
            store.blocking(jobs.cancel, job)
            assert store.blocking(jobs.by_key, "", key) is None
            assert add(store, key=key).id != job
            assert store.blocking(jobs.get, job).status.has_ended

    def test_a_failed_transaction_leaves_nothing(self, store):
        def half(session):
            book.record(session, request())
            session.flush()
            raise UsageError("no")

        with pytest.raises(UsageError):
            store.blocking(half)
        with pytest.raises(RequestUnknown):
            store.blocking(book.know, "r", "")

    def test_the_event_loop_goes_on_meanwhile(self, store):
        async def main():
            import threading

            go, turns = threading.Event(), 0
            waiting = asyncio.create_task(store.call(lambda session: go.wait(60)))
            for _ in range(50):
                await asyncio.sleep(0)
                turns += 1
            assert not waiting.done()
            go.set()
            assert await waiting
            assert turns == 50

        asyncio.run(main())

    def test_a_verdict_is_about_an_answered_request_of_its_owner(self, store):
        store.blocking(book.record, request(owner="me"))
        for name, owner in (("x", "me"), ("r", ""), ("r", "you")):
            with pytest.raises(RequestUnknown):
                give(store, name, owner)
        told = give(
            store, owner="me", verdict=Verdict.DOWN, reasons=(Reason.BLURRY,), comment="é\n'; --"
        )
        (found,) = verdicts(store)
        assert told == written(found.id, False, is_first=True)
        assert found.opinion == Opinion(Verdict.DOWN, (Reason.BLURRY,), "é\n'; --")
        assert found.request.owner == "me"
        assert found.request.statistics == {"blur": 12.5}

    def test_the_latest_verdict_counts_and_its_consent(self, store, tmp_path):
        store.blocking(book.record, request())
        first = keep(store, tmp_path)
        verdict_id = give(store, picture=first).id
        # Not before the file of the picture is gone.
        for gone in (None, "another"):
            with pytest.raises(PictureInTheWay) as raised:
                give(store, verdict=Verdict.DOWN, gone=gone)
            assert raised.value.name == first[0]
            assert verdicts(store)[0].opinion.verdict is Verdict.UP
            assert store.blocking(book.picture_names) == {first[0]}
        told = give(store, verdict=Verdict.DOWN, gone=first[0])
        assert told == written(verdict_id, False)
        (found,) = verdicts(store)
        assert (found.opinion.verdict, found.picture) == (Verdict.DOWN, None)
        assert give(store, picture=keep(store, tmp_path)) == written(verdict_id, True)
        assert verdicts(store)[0].picture is not None

    def test_a_picture_stays_while_there_is_consent(self, store, tmp_path):
        store.blocking(book.record, request())
        first, second = keep(store, tmp_path), keep(store, tmp_path)
        verdict_id = give(store, picture=first).id
        kept = give(store, verdict=Verdict.DOWN, keep_picture=True)
        assert kept == written(verdict_id, True)
        (found,) = verdicts(store)
        assert (found.opinion.verdict, found.picture) == (Verdict.DOWN, first[0])
        with pytest.raises(PictureInTheWay):
            give(store, picture=second)
        assert give(store, picture=second, gone=first[0]) == written(verdict_id, True)
        assert store.blocking(book.picture_names) == {second[0]}

    def test_of_an_id_used_again_before_a_verdict_the_last_answer_counts(self, store):
        store.blocking(book.record, request(width=1))
        store.blocking(book.record, request(width=2))
        assert store.blocking(book.count_requests) == 1
        assert give(store).is_first
        assert verdicts(store)[0].request.width == 2

    def test_an_id_used_again_after_a_verdict_leaves_that_alone(self, store, tmp_path):
        """Without keys all have one owner: the second request may be anybody's."""
        store.blocking(book.record, request())
        picture = keep(store, tmp_path)
        give(store, picture=picture)
        before = verdicts(store)
        later = request(model="photo-fine-x2", model_version="4567", width=1, statistics={})
        store.blocking(book.record, later)
        assert verdicts(store) == before
        another = keep(store, tmp_path)
        for more in (
            {},
            {"keep_picture": True},
            {"picture": another},
            {"verdict": Verdict.DOWN, "gone": picture[0]},
        ):
            with pytest.raises(RequestReused):
                give(store, **more)
        with pytest.raises(RequestReused):
            store.blocking(book.check_open, "r", "")
        assert verdicts(store) == before
        # Whoever gave it can take it back, and from then on the id is a new one.
        assert asyncio.run(removal.forget(store, "r", "")) == Deleted(1, 1, 1)
        store.blocking(book.record, later)
        assert give(store).model == "photo-fine-x2"

    def test_an_id_of_another_owner_is_another_one(self, store):
        for owner in ("me", "you"):
            store.blocking(book.record, request(owner=owner))
            assert give(store, owner=owner).is_first
        assert not give(store, owner="me").is_first

    def test_infinite_figures_are_left_out(self, store):
        store.blocking(
            book.record,
            request(consistency_db=float("inf"), statistics={"a": float("nan"), "b": 1.0}),
        )
        give(store)
        (found,) = verdicts(store)
        assert (found.request.consistency_db, found.request.statistics) == (None, {"b": 1.0})

    def test_finding(self, store):
        for name, model, verdict in (
            ("a", "m1", Verdict.UP),
            ("b", "m2", Verdict.DOWN),
            ("c", "m2", Verdict.UP),
        ):
            store.blocking(book.record, request(name, model=model))
            give(store, name, verdict=verdict)

        def ids(**narrowed):
            return [one.request.request_id for one in verdicts(store, **narrowed)]

        assert ids() == ["c", "b", "a"]
        assert ids(limit=2) == ["c", "b"]
        assert ids(verdict=Verdict.UP) == ["c", "a"]
        assert ids(models=["m2"], verdict=Verdict.DOWN) == ["b"]
        assert ids(models=["m1", "m2"]) == ["c", "b", "a"]
        assert ids(models=[]) == []
        assert store.reading(book.judged_models) == ["m1", "m2"]
        assert ids(since=now() + DAY) == []
        assert ids(since=now() - DAY) == ["c", "b", "a"]

    def test_all_verdicts_come_page_by_page(self, store, monkeypatch):
        monkeypatch.setattr("hyperfocal.server.store.store._PAGE", 2)
        moment = now()
        monkeypatch.setattr(book, "now", lambda: moment)
        for name in "abcde":
            store.blocking(book.record, request(name, model="m1" if name < "e" else "m2"))
            give(store, name)
        all_at_once = verdicts(store)
        assert len(all_at_once) == 5
        assert list(store.verdicts()) == all_at_once
        assert list(store.verdicts(models=["m1"])) == verdicts(store, models=["m1"])
        assert list(store.verdicts(since=moment + DAY)) == []
        slowly = store.verdicts()
        first = next(slowly)
        # Nothing is held up by whoever takes his time.
        asyncio.run(removal.forget(store, first.request.request_id))
        assert list(slowly) == all_at_once[1:]

    def test_forgetting_takes_everything_along(self, store, tmp_path):
        for owner in ("me", "you"):
            store.blocking(book.record, request(owner=owner))
            give(store, owner=owner, picture=keep(store, tmp_path))
        mine = asyncio.run(removal.forget(store, "r", "me"))
        assert mine == Deleted(1, 1, 1)
        (left,) = verdicts(store)
        assert left.request.owner == "you"
        assert [entry.name for entry in store.pictures.entries()] == [left.picture]
        assert asyncio.run(removal.forget(store, "r")) == Deleted(1, 1, 1)
        assert store.pictures.entries() == []
        assert store.blocking(book.picture_names) == set()
        assert asyncio.run(removal.forget(store, "r")) == Deleted()

    def test_retention(self, store, tmp_path):
        store.retention = Retention(requests=1 * DAY, verdicts=10 * DAY, pictures=5 * DAY)
        for name in ("judged", "unjudged"):
            store.blocking(book.record, request(name))
        give(store, "judged", picture=keep(store, tmp_path))

        def after(days):
            moment, stuck = now() + days * DAY, Stuck()
            gone = asyncio.run(removal.erase_pictures(store, moment, stuck))
            gone += asyncio.run(removal.erase_verdicts(store, moment, stuck))
            gone += asyncio.run(removal.erase_requests(store, moment))
            stuck.tell()
            return gone

        assert after(0.9) == Deleted()
        assert after(1.1) == Deleted(requests=1)
        assert after(4.9) == Deleted()
        assert after(5.1) == Deleted(pictures=1)
        assert store.pictures.entries() == []
        assert len(verdicts(store)) == 1
        assert after(10.1) == Deleted(1, 1, 0)
        assert store.blocking(book.count_requests) == 0

    def test_a_picture_that_cannot_be_removed_keeps_its_own_row_only(
        self, store, tmp_path, refused
    ):
        for name in "abc":
            store.blocking(book.record, request(name))
            give(store, name, picture=keep(store, tmp_path))
        names = {one.request.request_id: one.picture for one in verdicts(store)}
        refused.add(names["b"])
        store.retention = Retention(requests=DAY, verdicts=DAY, pictures=DAY)
        after, stuck = now() + 2 * DAY, Stuck()
        gone = asyncio.run(removal.erase_pictures(store, after, stuck))
        assert (gone, stuck.count) == (Deleted(pictures=2), 1)
        assert store.blocking(book.picture_names) == {names["b"]}
        assert [entry.name for entry in store.pictures.entries()] == [names["b"]]
        gone = asyncio.run(removal.erase_verdicts(store, after, stuck))
        assert (gone, stuck.count) == (Deleted(2, 2, 0), 2)
        (left,) = verdicts(store)
        assert (left.request.request_id, left.picture) == ("b", names["b"])
        # Who asks for it is told, and nothing is said to be gone that is there.
        with pytest.raises(StorageUnavailable, match="not permitted"):
            asyncio.run(removal.forget(store, "b"))
        assert verdicts(store) == [left]
        refused.clear()
        assert asyncio.run(removal.forget(store, "b")) == Deleted(1, 1, 1)

    def test_many_are_removed_in_batches(self, store, tmp_path, monkeypatch):
        monkeypatch.setattr(removal, "_BATCH", 2)
        store.retention = Retention(requests=DAY, verdicts=DAY, pictures=DAY)
        for name in "abcde":
            store.blocking(book.record, request(name))
            give(store, name, picture=keep(store, tmp_path) if name < "d" else None)
        after, stuck = now() + 2 * DAY, Stuck()
        assert asyncio.run(removal.erase_pictures(store, now(), stuck)) == Deleted()
        assert asyncio.run(removal.erase_verdicts(store, after, stuck)) == Deleted(5, 5, 3)
        assert store.pictures.entries() == []

    def test_what_is_sent_while_files_are_removed_stays(self, store, tmp_path, monkeypatch):
        """A verdict given anew is young, and a picture that came with it is there."""
        store.retention = Retention(requests=DAY, verdicts=DAY, pictures=DAY)
        before = now() - 2 * DAY
        for name in "ab":
            store.blocking(book.record, request(name))
            monkeypatch.setattr(book, "now", lambda: before)
            give(store, name, picture=keep(store, tmp_path))
            monkeypatch.undo()
        delete, anew = store.pictures.delete, []
        old = {one.request.request_id: one.picture for one in verdicts(store)}

        def meanwhile(name):
            if not anew:
                anew.append(keep(store, tmp_path))
                delete(old["a"])
                give(store, "a", picture=anew[0], gone=old["a"])
                give(store, "b", verdict=Verdict.DOWN, keep_picture=True)
            return delete(name)

        monkeypatch.setattr(store.pictures, "delete", meanwhile)
        gone = asyncio.run(removal.erase_verdicts(store, now(), Stuck()))
        assert gone == Deleted(pictures=1)
        found = {one.request.request_id: one.picture for one in verdicts(store)}
        assert found == {"a": anew[0][0], "b": None}
        assert [entry.name for entry in store.pictures.entries()] == [anew[0][0]]
        # Who asks for all to go means the new one, too.
        monkeypatch.undo()
        assert asyncio.run(removal.forget(store, "a")) == Deleted(1, 1, 1)
        assert store.pictures.entries() == []

    def test_an_orphan_that_cannot_be_removed_does_not_keep_the_others(
        self, store, tmp_path, refused
    ):
        names = [keep(store, tmp_path)[0] for _ in range(5)]
        for name in names:
            os.utime(store.pictures.local(name), (time.time() - 7200,) * 2)
        first, *_ = store.pictures.entries()
        refused.add(first.name)
        with pytest.raises(StorageUnavailable, match="1 file could not be removed"):
            asyncio.run(removal.remove_orphans(store))
        assert store.pictures.entries() == [first]

    def test_orphaned_pictures_go_and_others_stay(self, store, tmp_path):
        store.blocking(book.record, request())
        kept = keep(store, tmp_path)
        give(store, picture=kept)
        orphan = keep(store, tmp_path)
        assert asyncio.run(removal.remove_orphans(store)) == 0
        for name, _, _ in (kept, orphan):
            os.utime(store.pictures.local(name), (time.time() - 7200,) * 2)
        assert asyncio.run(removal.remove_orphans(store)) == 1
        assert [entry.name for entry in store.pictures.entries()] == [kept[0]]

    def test_files_of_somebody_else_are_no_orphans(self, store, tmp_path):
        source = tmp_path / "theirs"
        names = (
            "holiday.png",
            "taxes.2025.txt",
            "0123456789abcdef.png",
            # Of an older version, which did not say whose it was.
            f"{'0' * 32}.png",
            # Of another service, with a database of its own.
            f"{'0' * 32}-{'1' * 32}.png",
            f"{store.id}-holiday.png",
        )
        for name in names:
            source.write_bytes(b"theirs")
            store.pictures.put(name, source)
            os.utime(store.pictures.local(name), (time.time() - 7200,) * 2)
        assert asyncio.run(removal.remove_orphans(store)) == 0
        assert sorted(entry.name for entry in store.pictures.entries()) == sorted(names)

    def test_counting(self, store, tmp_path):
        for number, (model, verdict, reasons) in enumerate(
            (
                ("m1", Verdict.UP, ()),
                ("m1", Verdict.DOWN, (Reason.NOISE, Reason.FACES)),
                ("m2", Verdict.DOWN, (Reason.NOISE,)),
            )
        ):
            store.blocking(book.record, request(f"{number}", model=model))
            give(store, f"{number}", verdict=verdict, reasons=reasons)
        store.blocking(book.record, request("unjudged"))
        give(store, "0", picture=keep(store, tmp_path, b"12345"))
        found = store.blocking(
            lambda session: count(book.find(session), requests=book.count_requests(session))
        )
        assert (found.requests, found.overall.up, found.overall.down) == (4, 1, 2)
        assert found.overall.approval == pytest.approx(1 / 3)
        assert found.overall.consistency_db == pytest.approx(41.5)
        assert [(one.name, one.up, one.down) for one in found.models] == [
            ("m1", 1, 1),
            ("m2", 0, 1),
        ]
        assert found.reasons == {"noise": 2, "faces": 1}
        assert (found.pictures, found.picture_bytes) == (1, 5)
