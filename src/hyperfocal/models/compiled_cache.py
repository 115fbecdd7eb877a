"""Compiled models kept on disk, so that the second start is quick.

A compiled model is worth nothing elsewhere, so losing one is no error: an unwritable folder, a
full disk or a damaged file only means compiling again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hyperfocal import paths

# Part of every key: a change to what surrounds the network in the compiled graph needs a new one.
_REVISION = "4"
_DIGEST = hashlib.sha256().digest_size
# Compiled models are 1 to 6 MB; every change of threads, precision or engine makes more of them.
_MOST_BYTES = 200_000_000


def keep_whole(path: Path, data: bytes) -> bool:
    """Write a file that only this user may read, whole or not at all; False where it is not."""
    temporary = None
    try:
        # Written aside and renamed: another process may be reading or writing the same one.
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        return False
    return True


class CompiledCache:
    """Files named by a digest of what they depend on; each starts with a digest of the rest."""

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES) -> None:
        self._folder, self._most_bytes = folder / "compiled", most_bytes

    def _path(self, parts: Sequence[str]) -> Path:
        name = hashlib.sha256("\0".join((_REVISION, *parts)).encode()).hexdigest()
        return self._folder / f"{name}.blob"

    def get(self, parts: Sequence[str]) -> bytes | None:
        """What was put under ``parts``, or None when there is nothing whole."""
        path = self._path(parts)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        blob = data[_DIGEST:]
        # OpenVINO does not survive every damaged blob, so it never sees one.
        return blob if blob and hashlib.sha256(blob).digest() == data[:_DIGEST] else None

    def put(self, parts: Sequence[str], blob: bytes) -> bool:
        """Keep ``blob``, and drop those unused for longest; False when it cannot be kept."""
        path = self._path(parts)
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
        if not keep_whole(path, hashlib.sha256(blob).digest() + blob):
            return False
        self._trim(path)
        return True

    def size(self) -> int:
        """Bytes of all compiled models kept."""
        return sum(facts.st_size for facts in self._kept().values())

    def _kept(self) -> dict[Path, os.stat_result]:
        found = {}
        for path in paths.matching(self._folder, "*.blob"):
            # Another process may be trimming, too.
            with contextlib.suppress(OSError):
                found[path] = path.stat()
        return found

    def _trim(self, newest: Path) -> None:
        kept = self._kept()
        total = sum(facts.st_size for facts in kept.values())
        for path in sorted(kept, key=lambda path: kept[path].st_mtime):
            if total <= self._most_bytes:
                return
            if path != newest:
                with contextlib.suppress(OSError):
                    path.unlink()
                total -= kept[path].st_size
