"""Temporary files beside a target, and sweeping away those of programs that were killed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
import time
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

_START, _END = ".hyperfocal-", ".tmp"
# Locks of other machines may not be seen here; what they write is never left alone for so long.
_DAY = 86_400.0


@contextlib.contextmanager
def temporary_in(folder: Path) -> Iterator[tuple[int, Path]]:
    """A new file that is locked while inside, as a handle to close and a path.

    Its name is short and independent of the target's, which may already be as long as names can
    be. It is gone afterwards, unless it was renamed. What killed programs have left in the folder
    is swept away, once per process.
    """
    sweep(folder)
    handle, path, lock = _locked(folder)
    try:
        yield handle, path
    finally:
        # Where it was renamed, nothing has this name any more.
        with contextlib.suppress(OSError):
            path.unlink()
        if lock is not None:
            os.close(lock)


def _locked(folder: Path) -> tuple[int, Path, int | None]:
    """The third: another handle, which holds the lock until it is closed; None without locks."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        path = folder / f"{_START}{_kernel()}-{secrets.token_hex(6)}{_END}"
        handle = os.open(path, flags, 0o666)
        if sys.platform == "win32":
            # There, a file that somebody has open can neither be removed nor renamed.
            return handle, path, None
        # Another program that sweeps may have been quicker than the lock, and takes the file.
        try:
            if _lock(handle) is not False and path.exists():
                return handle, path, os.dup(handle)
        except BaseException:
            _discard(handle, path)
            raise
        _discard(handle, path)


def _discard(handle: int, path: Path) -> None:
    os.close(handle)
    # Nobody else has a file of this name.
    with contextlib.suppress(OSError):
        path.unlink()


@lru_cache(maxsize=1024)
def sweep(folder: Path) -> None:
    """Remove temporary files that nobody writes any more, as far as can be told and done.

    Once per folder and process.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_START) and entry.name.endswith(_END):
                with contextlib.suppress(OSError):
                    if entry.is_file(follow_symlinks=False):
                        _remove_stray(Path(entry.path))


def _remove_stray(path: Path) -> None:
    # Windows has no such lock between closing a file and renaming it.
    own = sys.platform != "win32" and path.name.startswith(f"{_START}{_kernel()}-")
    if not own and time.time() - path.stat().st_mtime < _DAY:
        return
    if sys.platform == "win32":
        path.unlink()
        return
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if _lock(handle) is True:
            path.unlink()
    finally:
        os.close(handle)


def _lock(handle: int) -> bool | None:
    """Whether a file could be locked; None where the file system has no locks."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in (errno.EAGAIN, errno.EACCES) else None
    return True


@cache
def _kernel() -> str:
    """Tells this machine, since it was started, from others that write into the same folder."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii")[:8]
    except (OSError, ValueError):
        import platform
        import zlib

        return f"{zlib.crc32(platform.node().encode('utf-8', 'surrogateescape')):08x}"
