"""Taking in a job: its files into the storage, its row into the database, once for each key."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path

from hyperfocal.errors import HyperfocalError, UsageError
from hyperfocal.server.errors import RequestError
from hyperfocal.server.pool import Options
from hyperfocal.server.results import Results
from hyperfocal.server.settings import ServerSettings
from hyperfocal.server.store import Job, Order, Store, jobs

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
# An input outlives a job that began at its last moment and had to begin again.
_INPUT_LIFE = 2.0
_HOUR = 3600.0


class KeyReused(RequestError):
    """The idempotency key was used for something else."""

    code = "idempotency-key-reused"
    status = 422


def check_key(key: str | None) -> None:
    """Raise :class:`UsageError` for an idempotency key that is none."""
    if key is not None and not _KEY.fullmatch(key):
        raise UsageError("Idempotency-Key must be 1 to 255 printable ASCII characters")


async def take_in(
    store: Store,
    results: Results,
    settings: ServerSettings,
    source: Path,
    reference: Path | None,
    options: Options,
    *,
    request_id: str,
    owner: str,
    key: str | None,
    name: str = "",
) -> tuple[Job, bool]:
    """Queue a job; gives it and whether it is new. The files are moved away.

    With a key that this owner has used for the same files and options, the job of that time; not
    where it came to nothing that could be had again, see :func:`jobs.by_key`.
    Raises :class:`KeyReused`, :class:`QueueFull`, or that the storage or the database fails.
    """
    check_key(key)
    fingerprint = await asyncio.to_thread(_fingerprint, source, reference, options)
    known = await store.read(jobs.by_key, owner, key)
    if known is not None:
        return _same(known, fingerprint), False
    # Before anything is kept: the storage may be away.
    storages = await results.present()
    names: list[str] = []
    try:
        for path in (source, reference):
            if path is not None:
                names.append(await _keep(results, path, settings))
        order = Order(
            request_id=request_id,
            owner=owner,
            options=asdict(options),
            source=names[0],
            reference=names[1] if reference is not None else None,
            fingerprint=fingerprint,
            expires=jobs.expiry(settings.job_hours),
            idempotency_key=key,
            name=name,
            storage=storages[0],
        )
        job, is_new = await store.call(jobs.add, order, limit=settings.jobs, storages=storages)
    except HyperfocalError:
        await results.inputs.delete(*names)
        raise
    if not is_new:
        # Two requests with the same key at once: the other one was quicker.
        await results.inputs.delete(*names)
    return _same(job, fingerprint), is_new


async def _keep(results: Results, path: Path, settings: ServerSettings) -> str:
    seconds = settings.job_hours * _HOUR * _INPUT_LIFE + settings.job_seconds
    return await results.inputs.put(path, "application/octet-stream", seconds=seconds, move=True)


def _same(job: Job, fingerprint: str) -> Job:
    if job.fingerprint != fingerprint:
        raise KeyReused("this Idempotency-Key was used for another picture or other options")
    return job


def _fingerprint(source: Path, reference: Path | None, options: Options) -> str:
    whole = hashlib.sha256(json.dumps(asdict(options), sort_keys=True).encode())
    for path in (source, reference):
        digest = b""
        if path is not None:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
        whole.update(b"%d:" % len(digest) + digest)
    return whole.hexdigest()
