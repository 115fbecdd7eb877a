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

# Part of every key: a change to what surrounds the network in the compiled graph needs a new one.
_REVISION = "2"
_DIGEST = hashlib.sha256().digest_size


class CompiledCache:
    """Files named by a digest of what they depend on; each starts with a digest of the rest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "compiled"

    def _path(self, parts: Sequence[str]) -> Path:
        name = hashlib.sha256("\0".join((_REVISION, *parts)).encode()).hexdigest()
        return self._folder / f"{name}.blob"

    def get(self, parts: Sequence[str]) -> bytes | None:
        """What was put under ``parts``, or None when there is nothing whole."""
        try:
            data = self._path(parts).read_bytes()
        except OSError:
            return None
        blob = data[_DIGEST:]
        # OpenVINO does not survive every damaged blob, so it never sees one.
        return blob if blob and hashlib.sha256(blob).digest() == data[:_DIGEST] else None

    def put(self, parts: Sequence[str], blob: bytes) -> bool:
        """Keep ``blob``; False when the folder does not take it."""
        path = self._path(parts)
        temporary = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Written aside and renamed: another process may be reading or writing the same one.
            handle, temporary = tempfile.mkstemp(dir=self._folder, suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(blob).digest() + blob)
            Path(temporary).replace(path)
        except OSError:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    Path(temporary).unlink()
            return False
        return True

    def size(self) -> int:
        """Bytes of all compiled models kept."""
        total = 0
        for path in self._folder.glob("*.blob"):
            with contextlib.suppress(OSError):
                total += path.stat().st_size
        return total
