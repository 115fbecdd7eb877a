"""Writing a file that is either whole or not there."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from hyperfocal.errors import OutputError, OutputExists, OutputRefused

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_file(target: Path, fill: Callable[[BinaryIO], object], *, overwrite: bool = True) -> None:
    """Give ``fill`` a temporary file in the target's folder, then rename it to the target.

    On any failure, an interrupt included, the temporary file is gone and the target as it was.
    A link is followed; a device or a named pipe is written directly. Raises OutputExists or
    OutputRefused; what ``fill`` raises by itself passes through.
    """
    try:
        # A link stays a link: what it points to is replaced.
        real = Path(os.path.realpath(target))
        kind = _kind(real)
        if kind is not None and stat.S_ISDIR(kind):
            raise OutputRefused(f"{target}: is a folder")
        if kind is not None and not stat.S_ISREG(kind):
            with real.open("wb") as device:
                fill(device)
            return
        if kind is not None and not overwrite:
            raise OutputExists(f"{target}: is there already and overwriting was not asked for")
        _write_beside(real, target, fill, overwrite, kind)
    except OSError as error:
        raise refusal(target, error) from error
    except ValueError as error:
        if "null" in str(error):
            raise OutputRefused(f"{target!r}: no possible file name") from error
        raise


def refusal(target: object, error: OSError) -> OutputError:
    """The error to raise for what the operating system said."""
    if error.errno in _FULL:
        return OutputRefused(f"{target}: no space left on the disk")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputRefused(f"{target}: may not be written (no permission)")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return OutputRefused(f"{target}: the folder does not exist")
    if error.errno == errno.EEXIST:
        return OutputExists(f"{target}: is there already and overwriting was not asked for")
    return OutputRefused(f"{target}: cannot be written: {error.strerror or error}")


def _kind(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _write_beside(
    real: Path,
    target: Path,
    fill: Callable[[BinaryIO], object],
    overwrite: bool,
    kind: int | None,
) -> None:
    # Short and independent of the target's name, which may already be as long as names can be.
    temporary = real.parent / f".hyperfocal-{secrets.token_hex(6)}.tmp"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(handle, "w+b", buffering=1 << 20) as file:
            fill(file)
        if kind is not None:
            temporary.chmod(stat.S_IMODE(kind))
        if overwrite:
            temporary.replace(real)
        else:
            _claim(temporary, real, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _claim(temporary: Path, real: Path, target: Path) -> None:
    """Rename without replacing: a hard link fails where another program was quicker."""
    try:
        os.link(temporary, real)
    except FileExistsError:
        raise
    except OSError:
        # No hard links on this file system: check once more and rename.
        if real.exists():
            raise OutputExists(
                f"{target}: is there already and overwriting was not asked for"
            ) from None
        temporary.replace(real)
        return
    temporary.unlink()
