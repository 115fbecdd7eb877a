"""Questions about paths, answered where pathlib may raise; folders, scratch files and disks.

What lies in a folder that may not be entered is not there for us. Until Python 3.14, pathlib's
own methods of these names raise PermissionError instead.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from hyperfocal.errors import OutputRefused

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where there is no room for a file."""

_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def exists(path: Path) -> bool:
    """Whether there is anything."""
    with contextlib.suppress(OSError):
        return path.exists()
    return False


def is_file(path: Path) -> bool:
    """Whether there is a file."""
    with contextlib.suppress(OSError):
        return path.is_file()
    return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder."""
    with contextlib.suppress(OSError):
        return path.is_dir()
    return False


def made_folder(path: Path) -> Path:
    """The folder, made where there was none; :class:`OutputRefused` where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputRefused(f"{path} is a file, where a folder is needed") from error
    except OSError as error:
        raise OutputRefused(f"the folder {path} cannot be made: {error.strerror}") from error
    return path


def to_disk(handle: int) -> None:
    """Have what was written to an open file on the disk; OSError.

    A name that the file is then given might otherwise get there without the content, should the
    power fail.
    """
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems cannot, and whoever keeps files there does without.
        if error.errno not in _NO_SYNC:
            raise


def identity(path: str | Path) -> str:
    """The same for two paths to one file. Unlike Path.resolve it takes links in a circle."""
    try:
        return os.path.normcase(os.path.realpath(path))
    except ValueError:
        # A null byte: no file can have such a name.
        return os.path.normcase(path)


def of_picture(picture: object) -> str | None:
    """The file that a picture as a caller gives it lies in; None where that is not to be known.

    A path is one, and Pillow's images and open files tell theirs.
    """
    if isinstance(picture, str | os.PathLike):
        return os.fsdecode(picture)
    for told in (
        getattr(picture, "filename", None),
        getattr(picture, "name", None),
        # Of an image that Pillow reads from an open file.
        getattr(getattr(picture, "fp", None), "name", None),
    ):
        # A file that has no name may tell a number.
        if isinstance(told, str | bytes | os.PathLike) and told:
            named = os.fsdecode(told)
            # Bytes in memory may have a name as well, of a file that need not be there.
            if exists(Path(named)):
                return named
    return None


def matching(folder: Path, pattern: str) -> list[Path]:
    """What lies in a folder under names that match a wildcard, in no order."""
    with contextlib.suppress(OSError):
        return list(folder.glob(pattern))
    return []


def scratch() -> str:
    """Where large temporary files go; /tmp is often memory, so that it is the last choice."""
    if "TMPDIR" not in os.environ:
        with contextlib.suppress(OSError):
            if Path("/var/tmp").is_dir() and os.access("/var/tmp", os.W_OK):
                return "/var/tmp"
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        # It tries them all by writing, in vain where disks are full: who makes a file hears why.
        return os.environ.get("TMPDIR", os.curdir)
