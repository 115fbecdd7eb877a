"""Finished pictures, and the inputs of jobs, in a folder or a bucket, each for a while.

A name is when the file ends and 128 random bits: ``<seconds since 1970>-<random>.<suffix>``. So
what to remove can be told from the listing alone, and a file whose owner was never written down
goes too.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hyperfocal.imaging.formats import FORMATS
from hyperfocal.server.errors import NotFound
from hyperfocal.server.security.links import check, sign
from hyperfocal.storage import Entry, FileMissing, Storage, StorageUnavailable, Stuck

if TYPE_CHECKING:
    from hyperfocal.server.settings import ServerSettings

GONE = "there is no such result, or it is kept no longer"

_NAME = re.compile(r"([0-9]{1,12})-[0-9a-f]{32}\.([a-z0-9]{1,8})")
_MARK = re.compile(r"storage-([0-9a-f]{32})")
_PART_SECONDS = 3600.0
# A mark that is older is written again.
_MARK_SECONDS = 3600.0

_SUFFIXES = {form.media_type: form.suffixes[0].removeprefix(".") for form in FORMATS.values()}
_MEDIA_TYPES = {suffix: media_type for media_type, suffix in _SUFFIXES.items()}


@dataclass(frozen=True, slots=True)
class Kept:
    """A file kept: ``path`` where it lies on this machine's disk, else read it by chunks."""

    name: str
    media_type: str
    bytes: int
    path: Path | None


class Shelf:
    """Files that end: a folder of the storage whose names tell when.

    Every method but :meth:`expires` works in a thread, so none holds up the event loop.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @property
    def folder(self) -> Path | None:
        """Where it is on this machine's disk; None in a bucket."""
        return self._storage.folder

    async def put(self, path: Path, media_type: str, *, seconds: float, move: bool = False) -> str:
        """Keep a file for so many seconds; gives its name. ``move``: ``path`` goes away."""
        expires = int(time.time() + seconds)
        name = f"{expires}-{secrets.token_hex(16)}.{_SUFFIXES.get(media_type, 'bin')}"
        await asyncio.to_thread(self._storage.put, name, path, move=move)
        return name

    async def fetch(self, name: str, target: Path) -> None:
        """Copy a file to ``target``. Raises :class:`FileMissing`."""
        await asyncio.to_thread(self._storage.fetch, name, target)

    async def delete(self, *names: str | None) -> None:
        """Remove files; those that are not there, and None, are passed over.

        :class:`StorageUnavailable`, once all others are gone, where some cannot be removed.
        """
        stuck = Stuck()
        for name in names:
            if name is not None:
                with stuck.passing():
                    await asyncio.to_thread(self._storage.delete, name)
        stuck.tell()

    async def find(self, name: str) -> Kept:
        """A file that has not ended. Raises :class:`NotFound`."""
        match = _NAME.fullmatch(name)
        if match is None or int(match[1]) <= time.time():
            raise NotFound(GONE)
        try:
            size = await asyncio.to_thread(self._storage.size, name)
        except FileMissing as error:
            raise NotFound(GONE) from error
        media_type = _MEDIA_TYPES.get(match[2], "application/octet-stream")
        return Kept(name, media_type, size, self._storage.local(name))

    async def chunks(self, name: str) -> AsyncIterator[bytes]:
        """The content of a file, piece by piece."""
        pieces: Iterator[bytes] = self._storage.chunks(name)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece

    async def sweep(self, now: float | None = None) -> int:
        """Remove what has ended and what broken writes left; gives how many files went.

        :class:`StorageUnavailable`, once all others are gone, where some cannot be removed.
        """
        return await asyncio.to_thread(self._sweep, time.time() if now is None else now)

    def expires(self, name: str) -> int:
        """When a file ends, in seconds since 1970."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise NotFound(f"'{name}' is no name of a result")
        return int(match[1])

    def _sweep(self, now: float) -> int:
        gone, stuck = 0, Stuck()
        for entry in self._storage.entries():
            # Whatever else somebody keeps in the same folder is not ours to remove.
            match = _NAME.fullmatch(entry.name)
            if match is not None and int(match[1]) <= now:
                with stuck.passing():
                    gone += self._storage.delete(entry.name)
        gone += self._storage.sweep_parts(older_than=_PART_SECONDS)
        stuck.tell()
        return gone


class Results(Shelf):
    """Finished pictures behind links that are signed and end.

    ``inputs``: those of jobs, which nobody gets to see. A link is signed with ``secret`` of the
    settings; without one, with one made now, so that links end with the process. Belongs to one
    event loop.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._results = Storage(settings.results_url, "results")
        super().__init__(self._results)
        # The marks are among the inputs: the root may be nobody's to list or to write.
        self._inputs = Storage(settings.results_url, "inputs")
        self.inputs = Shelf(self._inputs)
        self._ids: frozenset[str] = frozenset()
        self._identifying = asyncio.Lock()
        self._secret = settings.secret or secrets.token_urlsafe(32)
        self._seconds = settings.result_minutes * 60

    async def ids(self) -> tuple[str, ...]:
        """By what this storage is told from others: one or more, as far as they are known.

        :class:`StorageUnavailable` where none is known yet and it cannot be read or written to.
        """
        if not self._ids:
            await self.look()
        return tuple(sorted(self._ids))

    async def present(self) -> tuple[str, ...]:
        """Those of :meth:`ids` whose mark is there at this moment.

        Whatever is mounted, or not mounted any more, in the place of what it was known by holds
        none of its files. :class:`StorageUnavailable` where the storage is away.
        """
        here = await asyncio.to_thread(self._marked, await self.ids())
        if not here:
            # Somebody may only have tidied up, or another storage has come.
            await self.look()
            here = await asyncio.to_thread(self._marked, await self.ids())
        if not here:
            raise StorageUnavailable("the storage cannot be used: it has lost its mark")
        return here

    def _marked(self, ids: Iterable[str]) -> tuple[str, ...]:
        # Where only the folder of results is gone, jobs would be restored for nothing.
        self._results.check()
        here = []
        for one in ids:
            with contextlib.suppress(FileMissing):
                self._inputs.size(f"storage-{one}")
                here.append(one)
        return tuple(here)

    async def look(self) -> frozenset[str]:
        """The names of all inputs that are there.

        Learns the ids that other services have for this storage, and keeps their marks from
        growing old. Raises :class:`StorageUnavailable`.
        """
        async with self._identifying:
            names, marked = await asyncio.to_thread(self._look, self._ids)
            self._ids |= marked
        return names

    def _look(self, known: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """The names of all inputs, and the ids by now; one is made where there is none."""
        entries = self._inputs.entries()
        found = _marks(entries)
        ids = known.union(found) or frozenset({secrets.token_hex(16)})
        if not known:
            # Now, since later it would be made where a volume was mounted that is away.
            self._results.prepare()
        # Rules that remove what is old, and whoever tidies up, take an empty file along. Where
        # there are other marks but not this one, it is another storage that has come.
        limit = time.time() - _MARK_SECONDS
        for one in found or ids:
            if found.get(one, 0.0) < limit:
                self._inputs.mark(f"storage-{one}")
        if not found:
            # Another service that came to the new storage at the same time may have made one too.
            ids = ids.union(_marks(self._inputs.entries()))
        return frozenset(entry.name for entry in entries), ids

    async def put(
        self, path: Path, media_type: str, *, seconds: float | None = None, move: bool = False
    ) -> str:
        """Keep a picture, for ``result_minutes`` where nothing else is said; gives its name."""
        seconds = self._seconds if seconds is None else seconds
        return await super().put(path, media_type, seconds=seconds, move=move)

    def url(self, name: str) -> str:
        """A signed link to a result, as a path on this service; as good as long as the file."""
        expires = self.expires(name)
        return f"/v1/results/{name}?expires={expires}&signature={sign(name, expires, self._secret)}"

    async def opened(self, name: str, expires: int, signature: str) -> Kept:
        """What a link leads to.

        Raises :class:`Forbidden`, :class:`LinkExpired` or :class:`NotFound`.
        """
        check(name, expires, signature, self._secret)
        return await self.find(name)


def _marks(entries: Iterable[Entry]) -> dict[str, float]:
    """The ids in the names of the storage's own marks, and when each was written."""
    marks = ((_MARK.fullmatch(entry.name), entry.modified) for entry in entries)
    return {mark[1]: modified for mark, modified in marks if mark is not None}
