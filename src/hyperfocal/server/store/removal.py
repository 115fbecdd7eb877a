"""Removing what is known about requests, with the pictures kept of them.

Files go first, outside the database's threads, which a storage that does not answer must not hold;
then it is written down in one transaction. What is killed in between begins again, and a row goes
only when its file has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from hyperfocal.feedback import book, old_pictures
from hyperfocal.feedback.records import Deleted, Doomed
from hyperfocal.server.store.store import Store
from hyperfocal.storage import Storage, Stuck

_T = TypeVar("_T")

# So much is written down at once, which is also what begins again after a kill.
_BATCH = 100
# A picture is put into the storage before its row is written; younger files may still get one.
_ORPHAN_SECONDS = 3600.0


async def erase_pictures(store: Store, at: datetime, stuck: Stuck) -> Deleted:
    """Remove the pictures whose time is over ``at`` that moment; the verdicts stay.

    So do those whose file cannot be removed, which ``stuck`` counts.
    """
    names = await store.read(book.pictures_before, at - store.retention.pictures)
    total = Deleted()
    for some in _batches(names):
        gone = await delete_files(store.pictures, some, stuck)
        total += await store.call(book.drop_pictures, gone)
    return total


async def erase_verdicts(store: Store, at: datetime, stuck: Stuck) -> Deleted:
    """Remove the verdicts whose time is over ``at`` that moment, with request and picture.

    Those whose picture cannot be removed stay, and ``stuck`` counts them.
    """
    before = at - store.retention.verdicts
    total = Deleted()
    for some in _batches(await store.read(book.verdicts_before, before)):
        free = await _without_pictures(store, some, stuck)
        total += await store.call(book.drop_requests, free, before)
    return total


async def erase_requests(store: Store, at: datetime) -> Deleted:
    """Remove the requests that nobody judged and whose time is over ``at`` that moment."""
    return await store.call(book.erase_requests, at - store.retention.requests)


async def forget(store: Store, request_id: str, owner: str | None = None) -> Deleted:
    """Remove a request with its verdict and picture; ``owner`` None: of whoever made it.

    :class:`StorageUnavailable` where the picture cannot be removed; then everything stays.
    """
    total = Deleted()
    # Again, should somebody have sent another picture meanwhile.
    while doomed := await store.read(book.of_request, request_id, owner):
        stuck = Stuck()
        free = await _without_pictures(store, doomed, stuck)
        total += await store.call(book.drop_requests, free)
        stuck.tell()
    return total


async def remove_orphans(store: Store, older_than: float = _ORPHAN_SECONDS) -> int:
    """Remove pictures of this database that no verdict owns and that are ``older_than`` seconds.

    :class:`StorageUnavailable`, once all others are gone, where some cannot be removed.
    """
    # Listed before the rows are read: a file that comes in between has its row by then.
    old = await asyncio.to_thread(old_pictures, store.pictures, store.id, older_than)
    kept = await store.read(book.picture_names) if old else set()
    stuck = Stuck()
    gone = await delete_files(store.pictures, [name for name in old if name not in kept], stuck)
    parts = await asyncio.to_thread(store.pictures.sweep_parts, older_than=older_than)
    stuck.tell()
    return len(gone) + parts


async def delete_files(storage: Storage, names: Sequence[str], stuck: Stuck) -> list[str]:
    """Remove files in threads; gives those that are gone, and ``stuck`` counts the others.

    Cancelled, it ends after the file it is at.
    """
    gone = []
    for name in names:
        with stuck.passing():
            await asyncio.to_thread(storage.delete, name)
            gone.append(name)
    return gone


async def _without_pictures(store: Store, doomed: Sequence[Doomed], stuck: Stuck) -> list[Doomed]:
    """Those whose picture is gone, or that had none."""
    names = [one.picture for one in doomed if one.picture is not None]
    gone = set(await delete_files(store.pictures, names, stuck))
    return [one for one in doomed if one.picture is None or one.picture in gone]


def _batches(all_of_them: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(all_of_them), _BATCH):
        yield all_of_them[start : start + _BATCH]
