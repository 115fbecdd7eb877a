"""Files that a request may name: those below one folder, and nothing else."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path, PurePosixPath

from hyperfocal.errors import InputMissing
from hyperfocal.server.errors import BodyTooLarge, Forbidden
from hyperfocal.server.spool import writing

# Not "outside" or "a device": whoever may not go there shall not learn what is there.
_NOT_THERE = "there is no such picture below the media folder"


def copy_from_media(root: Path, name: str, target: Path, *, max_bytes: int) -> None:
    """Copy the file ``name`` below ``root`` to ``target``.

    ``name`` is a relative path with ``/``. Links are followed as long as they end below
    ``root``. :class:`Forbidden` for a name that cannot be meant honestly, :class:`InputMissing`
    for what is not there, not below, or no ordinary file, :class:`BodyTooLarge`,
    :class:`SpoolFull`, :class:`SpoolUnusable`. Blocks.
    """
    _check_name(name)
    try:
        home = root.resolve(strict=True)
        real = (home / name).resolve(strict=True)
        if not real.is_relative_to(home):
            raise InputMissing(_NOT_THERE)
        # Nothing that waits for a partner, such as a pipe, may hold up the service.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with os.fdopen(os.open(real, flags), "rb") as file:
            facts = os.fstat(file.fileno())
            # Looked at again once it is open, for it may have been exchanged in between.
            same = real.resolve(strict=True) == real and os.path.samestat(facts, real.stat())
            if not same or not stat.S_ISREG(facts.st_mode):
                raise InputMissing(_NOT_THERE)
            if facts.st_size > max_bytes:
                raise BodyTooLarge(f"the picture has more than {max_bytes:,} bytes")
            with writing("another picture"), target.open("wb") as copy:
                shutil.copyfileobj(file, copy, 1 << 20)
    except (OSError, RuntimeError) as error:
        raise InputMissing(_NOT_THERE) from error


def _check_name(name: str) -> None:
    if "\0" in name or "\\" in name or any(ord(letter) < 32 for letter in name):
        raise Forbidden("a path may not contain control characters or backslashes")
    path = PurePosixPath(name)
    if path.is_absolute() or name.startswith("~") or ":" in name.split("/", 1)[0]:
        raise Forbidden("a path must be relative to the media folder")
    if ".." in path.parts:
        raise Forbidden("a path may not go up with '..'")
