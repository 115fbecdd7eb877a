"""Bytes from wherever a picture comes: a path, bytes, a file object or a pipe."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from hyperfocal.errors import BrokenPicture, InputMissing, TooLarge, UsageError
from hyperfocal.imaging.guard import is_hosts

Source = str | Path | bytes | BinaryIO
_CHUNK = 1 << 20


def name_of(source: object) -> str:
    """How a message should call the source."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source) if isinstance(source, str) else str(os.fspath(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "the picture given as bytes"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "the picture given as a stream"


def read_all(source: Source, max_bytes: int) -> bytes:
    """Everything in ``source``, never more than ``max_bytes``.

    Raises InputMissing (no such file, a folder, no permission), TooLarge, BrokenPicture (0
    bytes) and UsageError (not a source at all).
    """
    data = _read(source, max_bytes)
    if len(data) > max_bytes:
        raise TooLarge(f"more than the {max_bytes:,} bytes allowed (setting max_bytes)")
    if not data:
        raise BrokenPicture("the file is empty (0 bytes)")
    return data


def _read(source: Source, max_bytes: int) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, (bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, (str, os.PathLike)):
        return _read_file(Path(source), max_bytes)
    if not hasattr(source, "read"):
        raise UsageError(
            f"a picture is a path, bytes or a binary file object, not {type(source).__name__}"
        )
    return _read_stream(source, max_bytes)


def _read_file(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return _read_stream(file, max_bytes)
            if found.st_size > max_bytes:
                raise TooLarge(
                    f"{found.st_size:,} bytes, more than the {max_bytes:,} allowed"
                    " (setting max_bytes)"
                )
            return _read_stream(file, max_bytes, expected=found.st_size)
    except FileNotFoundError as error:
        raise InputMissing("no such file") from error
    except IsADirectoryError as error:
        raise InputMissing("is a folder, not a picture") from error
    except PermissionError as error:
        raise InputMissing("may not be read (no permission)") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if is_hosts(error):
            raise
        raise InputMissing(f"cannot be read: {error}") from error


def _read_stream(stream: BinaryIO, max_bytes: int, expected: int = _CHUNK) -> bytes:
    """Read in bounded pieces: asking for the whole limit at once would allocate all of it."""
    pieces: list[bytes] = []
    total = 0
    while total <= max_bytes:
        piece = stream.read(max(1, min(max(expected, _CHUNK), max_bytes + 1 - total)))
        if isinstance(piece, str):
            raise UsageError("the file object is in text mode; open it in binary mode ('rb')")
        if not piece:
            break
        pieces.append(piece)
        total += len(piece)
        expected = _CHUNK
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
