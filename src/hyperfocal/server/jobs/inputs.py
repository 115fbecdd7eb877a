"""The inputs of a job: whether they can be had at all, and fetching them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hyperfocal.errors import HyperfocalError
from hyperfocal.paths import scratch
from hyperfocal.server.errors import SpoolUnusable
from hyperfocal.server.results import Results
from hyperfocal.server.settings import ServerSettings
from hyperfocal.server.spool import check_reserve
from hyperfocal.server.store import Job
from hyperfocal.storage import FileMissing, StorageUnavailable


class InputLost(HyperfocalError):
    """The picture of the job is not in the storage any more."""

    code = "input-lost"


async def reachable(settings: ServerSettings, results: Results) -> tuple[str, ...]:
    """Ids of the storages whose jobs can be begun now.

    Raises :class:`StorageUnavailable` where the storage is away, and :class:`SpoolFull` where
    pictures that are sent are refused, too.
    """
    await asyncio.to_thread(
        check_reserve, settings.disk_reserve, settings.spool, results.folder, Path(scratch())
    )
    return await results.present()


async def fetch(results: Results, job: Job, name: str, target: Path) -> None:
    """Copy an input of a job to ``target``.

    Raises :class:`InputLost` only where its storage is there: one that is away, which is
    :class:`StorageUnavailable`, has lost nothing.
    """
    try:
        await results.inputs.fetch(name, target)
    except FileMissing:
        await _check_places(results, job, target.parent)
        try:
            # It may have been away for that moment only.
            await results.inputs.fetch(name, target)
        except FileMissing as error:
            await _check_places(results, job, target.parent)
            raise InputLost("the picture of this job is lost; send it again") from error


async def _check_places(results: Results, job: Job, folder: Path) -> None:
    if not await asyncio.to_thread(folder.is_dir):
        # A file can no more be copied to nowhere than from there.
        raise SpoolUnusable("the folder of pictures in work is gone")
    if job.storage not in ("", *await results.present()):
        raise StorageUnavailable("the storage cannot be used: another one is in its place")
