"""Writing a file that is either whole or not there."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from hyperfocal import paths
from hyperfocal.errors import OutputError, OutputExists, OutputRefused
from hyperfocal.imaging.guard import is_hosts
from hyperfocal.imaging.temporary import temporary_in

# Bytes for a pipe that are kept in memory; beyond, they go to a temporary file.
_SPOOLED = 16 << 20


def write_file(
    target: Path,
    fill: Callable[[BinaryIO], object],
    *,
    overwrite: bool = True,
    durable: bool = True,
) -> None:
    """Give ``fill`` a temporary file in the target's folder, then rename it to the target.

    On any failure, an interrupt included, the temporary file is gone and the target as it was.
    The target is never empty after a power cut: what is renamed is on the disk, unless it is of no
    use after one (``durable`` is false), which saves the wait. The temporary file
    of a program that is killed is removed by the next one that writes into the folder; where its
    lock cannot be seen (another machine, since a restart, Windows), once it is a day old.
    A link is followed. A device is written directly; a pipe, too, but once ``fill`` is through,
    because some formats write their beginning last. Raises OutputExists or OutputRefused; what
    ``fill`` raises by itself passes through.
    """
    with _refused(target):
        kind = _admitted(target, overwrite)
        if kind is not None and not stat.S_ISREG(kind):
            # By the name that was given: /dev/stdout leads to "pipe:[...]", which is no path.
            _write_into(target, fill)
            return
        # A link stays a link: what it points to is replaced.
        real = Path(os.path.realpath(target))
        _write_beside(real, target, fill, overwrite, durable, kind)


def check_target(target: Path, *, overwrite: bool = True) -> None:
    """Raise what :func:`write_file` would, as far as it can be told without writing."""
    with _refused(target):
        kind = _admitted(target, overwrite)
        if kind is not None and not stat.S_ISREG(kind):
            return
        folder = Path(os.path.realpath(target)).parent
        if not paths.is_folder(folder):
            raise NotADirectoryError(errno.ENOTDIR, "no folder")
        # The temporary file lies there, too.
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "no permission")


@contextlib.contextmanager
def _refused(target: Path) -> Iterator[None]:
    """What the operating system says, in our words."""
    try:
        yield
    except OSError as error:
        if is_hosts(error):
            raise
        raise refusal(target, error) from error
    except ValueError as error:
        if "null" in str(error):
            raise OutputRefused(f"{target!r}: no possible file name") from error
        raise


def _admitted(target: Path, overwrite: bool) -> int | None:
    """The mode of what is there already, if it may be written to."""
    kind = _kind(target)
    if kind is not None and stat.S_ISDIR(kind):
        raise OutputRefused(f"{target}: is a folder")
    if kind is not None and stat.S_ISREG(kind) and not overwrite:
        raise OutputExists(f"{target}: is there already and overwriting was not asked for")
    return kind


def refusal(target: object, error: OSError) -> OutputError:
    """The error to raise for what the operating system said."""
    if error.errno in paths.FULL:
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


def _write_into(device: Path, fill: Callable[[BinaryIO], object]) -> None:
    with device.open("wb") as sink:
        if sink.seekable():
            fill(sink)
            return
        with tempfile.SpooledTemporaryFile(_SPOOLED) as whole:
            fill(cast(BinaryIO, whole))
            whole.seek(0)
            shutil.copyfileobj(whole, sink)


def _write_beside(
    real: Path,
    target: Path,
    fill: Callable[[BinaryIO], object],
    overwrite: bool,
    durable: bool,
    kind: int | None,
) -> None:
    with temporary_in(real.parent) as (handle, temporary):
        with os.fdopen(handle, "w+b", buffering=1 << 20) as file:
            fill(file)
            file.flush()
            if durable:
                paths.to_disk(file.fileno())
        if kind is not None:
            temporary.chmod(stat.S_IMODE(kind))
        if overwrite:
            temporary.replace(real)
        else:
            _claim(temporary, real, target)


def _claim(temporary: Path, real: Path, target: Path) -> None:
    """Give it its name without replacing: a link fails where another program was quicker."""
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
