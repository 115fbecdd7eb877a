"""A lock on a file that ends with the process that holds it, however that ends."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from hyperfocal import paths
from hyperfocal.errors import OutputExists, OutputRefused

LOCK = ".lock"
"""The file by which :func:`alone` keeps others out of a folder."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class FileLock:
    """Held from :meth:`take` to :meth:`release` or to the end of the process.

    Or for a while, with :meth:`held`. Opening the file raises OSError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def take(self, *, needed: bool = True) -> bool:
        """Take the lock; False where another process has it.

        Where the file system has no locks it cannot be had, unless it is not ``needed``: then
        whoever asks goes on without.
        """
        handle = self._open()
        try:
            _lock(handle)
        except OSError as error:
            if needed or error.errno not in _NO_LOCKS:
                os.close(handle)
                return False
        self._handle = handle
        return True

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Inside, nobody else has it, another thread neither; waits for whoever has it."""
        try:
            # Whoever else may change what it guards must be able to open it.
            self._handle = self._open(0o666)
        except PermissionError:
            if not paths.exists(self._path):
                raise
            # Another user made it, and to wait for a lock it is enough to read it.
            self._handle = os.open(self._path, os.O_RDONLY)
        try:
            # Some file systems have no locks; whoever keeps files there does without.
            with contextlib.suppress(OSError):
                _wait_for(self._handle)
            yield
        finally:
            self.release()

    def share(self) -> None:
        """Hold it together with others that share it, so that nobody takes it.

        Waits for whoever has taken it. Windows has no such locks for us: there the lock stays
        with who took it, and the others go without.
        """
        if sys.platform != "win32":
            import fcntl

            if self._handle is None:
                self._handle = self._open()
            # Some file systems have no locks, and then nobody can have taken this one.
            with contextlib.suppress(OSError):
                fcntl.flock(self._handle, fcntl.LOCK_SH)

    def label(self) -> str:
        """A random name of the file's folder, the same at every start. Only while held."""
        assert self._handle is not None
        os.lseek(self._handle, 0, os.SEEK_SET)
        if name := os.read(self._handle, 64).decode("ascii", "replace").strip():
            return name
        name = secrets.token_hex(8)
        os.write(self._handle, name.encode())
        return name

    def release(self) -> None:
        """Give the lock back; the file stays, since removing it could split the lock in two."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _open(self, mode: int = 0o600) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(self._path, os.O_RDWR | os.O_CREAT, mode)


@contextlib.contextmanager
def alone(folder: Path, work: str, shown: Path | None = None) -> Iterator[None]:
    """Inside, no other process that asks for it is at work in a folder that is there.

    :class:`OutputExists` where one is: ``work`` says what, and ``shown`` is the folder that the
    user knows. :class:`OutputRefused` where nothing can be written there.
    """
    shown = folder if shown is None else shown
    lock = FileLock(folder / LOCK)
    try:
        free = lock.take(needed=False)
    except OSError as error:
        raise OutputRefused(f"{shown} cannot be written to: {error.strerror}") from error
    if not free:
        raise OutputExists(
            f"another {work} is at work in {shown}; wait for it, or name another folder"
        )
    try:
        yield
    finally:
        lock.release()


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _wait_for(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        # Waits for ten seconds, longer than anything that is done under such a lock.
        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)
