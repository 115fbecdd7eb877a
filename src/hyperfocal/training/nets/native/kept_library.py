"""A compiled library, kept from one process to the next.

What is loaded runs with all the rights of the user. So it is kept where nobody else can write, and
what anybody else could have written is not loaded. Where it cannot be kept it is compiled anew.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from hyperfocal.models.compiled_cache import keep_whole
from hyperfocal.models.hardware import processor

_DIGEST = hashlib.sha256().digest_size
_SECONDS = 300


def load_library(command: Sequence[str], source: Path, folder: Path | None) -> ctypes.CDLL:
    """What ``command``, a compiler and its options, makes of ``source``. Only on Linux.

    It is kept in ``folder`` and found there the next time, unless it is None. Raises OSError and
    :class:`subprocess.SubprocessError` where it can be neither found nor made.
    """
    with _private(folder) as kept:
        path = None if kept is None else kept / f"{_key(command, source)}.so"
        found = None if path is None else _loaded(path)
        if found is not None:
            return found
        with tempfile.TemporaryDirectory() as made:
            file = Path(made) / f"{source.stem}.so"
            _run([*command, str(source), "-o", str(file)], check=True)
            if path is not None and _keep(file.read_bytes(), path):
                found = _loaded(path)
            return ctypes.CDLL(str(file)) if found is None else found


def _key(command: Sequence[str], source: Path) -> str:
    """A digest of all that decides what is made: options may ask for what the processor has."""
    # All of it: the first word may be a wrapper, such as ccache, with a version of its own.
    version = _run([*command, "--version"], check=False).stdout
    parts = (*command, version, *sorted(processor().flags))
    seen = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape"))
    seen.update(hashlib.sha256(source.read_bytes()).digest())
    return seen.hexdigest()


def _run(words: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, check=check, capture_output=True, text=True, timeout=_SECONDS)


@contextlib.contextmanager
def _private(folder: Path | None) -> Iterator[Path | None]:
    """``folder``, made where there was none; None where others could write into it.

    By a name that goes on meaning this folder, whatever is put in its place meanwhile.
    """
    handle = None
    if folder is not None:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    if handle is None:
        yield None
        return
    try:
        yield Path(f"/proc/self/fd/{handle}") if _ours(handle) else None
    finally:
        os.close(handle)


def _ours(handle: int) -> bool:
    """Whether nobody but this user (and the system's own) can have written it."""
    facts = os.fstat(handle)
    return facts.st_uid == os.geteuid() and not facts.st_mode & 0o022


def _loaded(path: Path) -> ctypes.CDLL | None:
    """What :func:`_keep` has kept; None where there is nothing, or nothing whole."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            data = file.read() if _ours(file.fileno()) else b""
        # A damaged library may end the process that loads it.
        if hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
            return None
        return ctypes.CDLL(str(path))
    except OSError:
        return None


def _keep(data: bytes, path: Path) -> bool:
    """Write a library, and its digest behind it, where no loader looks; False where that fails."""
    return keep_whole(path, data + hashlib.sha256(data).digest())
