"""Taking in a job: its files into the storage, its row into the database, once for each key."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

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
    depth: Path | None,
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
    asked = as_plain(options)
    fingerprint = await asyncio.to_thread(fingerprint_of, source, reference, depth, asked)
    known = await store.read(jobs.by_key, owner, key)
    if known is not None:
        return _same(known, fingerprint), False
    # Before anything is kept: the storage may be away.
    storages = await results.present()
    kept: dict[Path, str] = {}
    try:
        for path in (source, reference, depth):
            if path is not None:
                kept[path] = await _keep(results, path, settings)
        order = Order(
            request_id=request_id,
            owner=owner,
            options=asked,
            source=kept[source],
            reference=None if reference is None else kept[reference],
            depth=None if depth is None else kept[depth],
            fingerprint=fingerprint,
            expires=jobs.expiry(settings.job_hours),
            idempotency_key=key,
            name=name,
            storage=storages[0],
        )
        job, is_new = await store.call(jobs.add, order, limit=settings.jobs, storages=storages)
    except HyperfocalError:
        await results.inputs.delete(*kept.values())
        raise
    if not is_new:
        # Two requests with the same key at once: the other one was quicker.
        await results.inputs.delete(*kept.values())
    return _same(job, fingerprint), is_new


async def _keep(results: Results, path: Path, settings: ServerSettings) -> str:
    seconds = settings.job_hours * _HOUR * _INPUT_LIFE + settings.job_seconds
    return await results.inputs.put(path, "application/octet-stream", seconds=seconds, move=True)


def _same(job: Job, fingerprint: str) -> Job:
    if job.fingerprint != fingerprint:
        raise KeyReused("this Idempotency-Key was used for another picture or other options")
    return job


def as_plain(options: Options) -> dict[str, Any]:
    """Options as JSON values. What came later is left out where it is not asked for.

    Keys that were used before then go on standing for the same, and services of older versions
    that share the database can read it.
    """
    plain = asdict(options)
    if options.use_depth:
        del plain["use_depth"]
    return plain


def fingerprint_of(
    source: Path, reference: Path | None, depth: Path | None, asked: Mapping[str, Any]
) -> str:
    """SHA-256 of everything that was asked for, in hexadecimal."""
    whole = hashlib.sha256(json.dumps(asked, sort_keys=True).encode())
    files = [source, reference]
    if depth is not None:
        files.append(depth)
    for path in files:
        digest = b""
        if path is not None:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
        whole.update(b"%d:" % len(digest) + digest)
    return whole.hexdigest()
