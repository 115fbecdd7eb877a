"""The folder of a request, which goes when the request ends, and the room on the disks."""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hyperfocal.errors import OutputRefused, SettingsError
from hyperfocal.paths import FULL
from hyperfocal.server.errors import SpoolFull, SpoolUnusable

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from starlette.requests import Request

_PREFIX = "request-"
_SHARE = 10
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def prepared(spool: Path) -> Iterator[None]:
    """The spool folder, without what an earlier run left; :class:`SettingsError`.

    Where another service works in the same folder, nothing is removed: it may be in use.
    """
    from hyperfocal.lock import FileLock

    lock = FileLock(spool / "lock")
    try:
        if lock.take():
            for left in spool.glob(f"{_PREFIX}*"):
                shutil.rmtree(left, ignore_errors=True)
        # With those that come and go while this one works: the first may leave before the last.
        lock.share()
    except OSError as error:
        raise SettingsError(f"{spool}: the spool cannot be used: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def folder_of(request: Request) -> Path:
    """The request's own folder, made when first asked for.

    Raises :class:`SpoolFull` or :class:`SpoolUnusable`.
    """
    folder: Path | None = getattr(request.state, "folder", None)
    if folder is None:
        spool = request.app.state.service.settings.spool
        with writing("another picture"):
            make_again(spool)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=spool))
        request.state.folder = folder
    return folder


def make_again(spool: Path) -> None:
    """Make the spool folder where somebody has removed it since the start. OSError."""
    from hyperfocal.lock import FileLock

    if spool.is_dir():
        return
    _log.warning("%s is gone; it is made again", spool)
    spool.mkdir(parents=True, exist_ok=True, mode=0o700)
    # To the end of the process: what lies there is nothing that another service may remove.
    FileLock(spool / "lock").share()


@contextlib.contextmanager
def writing(what: str) -> Iterator[None]:
    """Around everything that writes to the spool.

    :class:`SpoolFull` where its disk takes no more, :class:`SpoolUnusable` where it cannot be
    written to for another reason. ``what``: there is no room for. Memory that is refused stays
    what it is, and so does an error without a number: not the system raises it, but a library
    that cannot write this.
    """
    try:
        yield
    except (OSError, OutputRefused) as error:
        cause = error.__cause__ if isinstance(error, OutputRefused) else error
        if not isinstance(cause, OSError) or cause.errno in (None, errno.ENOMEM):
            raise
        if cause.errno in FULL:
            _log.warning("the disk takes no more: %s", cause.strerror)
            raise SpoolFull(f"the disk has no room for {what}") from error
        _log.error("the spool cannot be used: %s", cause)
        raise SpoolUnusable(
            f"the folder of pictures in work cannot be used: {cause.strerror}"
        ) from error


def check_reserve(reserve: int, *folders: Path | None) -> None:
    """Raise :class:`SpoolFull` where a folder's disk has fewer free bytes than the reserve.

    A tenth of the disk is enough for it. None, which is a folder in a bucket, is passed over.
    :class:`SpoolUnusable` where a folder cannot be looked at, as on a mount whose server is gone.
    """
    for folder in filter(None, folders):
        try:
            # Made when the first file comes; until then its disk is that of the folder around it.
            there = next((place for place in (folder, *folder.parents) if place.exists()), None)
            if there is None:
                continue
            disk = shutil.disk_usage(there)
        except OSError as error:
            raise SpoolUnusable(f"a disk cannot be looked at: {error.strerror}") from error
        # A small disk of the spool's own, in memory perhaps, is not to be full from the start.
        if disk.free < min(reserve, disk.total // _SHARE):
            raise SpoolFull("the disk is nearly full (setting disk_reserve); try again later")


def clear(state: MutableMapping[str, object]) -> None:
    """Remove the folder of a request that has ended."""
    folder = state.pop("folder", None)
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
