"""Which pictures were meant: files, folders, and the pipe."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

PIPE = "-"

# What operating systems leave in folders of pictures.
_DEBRIS = {"thumbs.db", "desktop.ini", "ehthumbs.db"}


@dataclass(frozen=True, slots=True)
class Found:
    """One input. ``path``: the file, or None for the pipe. ``below``: its place under the
    folder it was found in, which the output's folder mirrors; a bare name for a single file.
    """

    path: Path | None
    below: PurePath

    @property
    def name(self) -> str:
        """How messages call it."""
        return PIPE if self.path is None else str(self.path)


@dataclass(frozen=True, slots=True)
class Finding:
    """All inputs in order, each file once, and how many files in folders were passed over."""

    inputs: tuple[Found, ...]
    ignored: int
    folders: int


def find(
    given: Iterable[str],
    *,
    recurse: bool,
    is_picture: Callable[[Path], bool],
    leave_out: Path | None = None,
    is_result: Callable[[str], bool] = lambda stem: False,
) -> Finding:
    """Resolve command-line inputs.

    A file that was named is always taken, missing or not: what is wrong with it is said later.
    In folders, hidden files, what systems leave behind, files that are no pictures and earlier
    results (``is_result`` of the stem) are passed over and counted. ``leave_out``: a folder not
    to look into, because results go there.
    """
    given = list(given)
    folders = [Path(name) for name in given if name != PIPE and Path(name).is_dir()]
    several = len(given) > 1
    found: dict[object, Found] = {}
    ignored = 0
    for name in given:
        if name == PIPE:
            found.setdefault(PIPE, Found(None, PurePath("stdin")))
            continue
        path = Path(name)
        if not path.is_dir():
            found.setdefault(_identity(path), Found(path, PurePath(path.name)))
            continue
        # Two folders may hold files of the same name; one folder is mirrored without its own.
        top = PurePath(path.resolve().name) if several else PurePath()
        for file in _files(path, recurse, leave_out):
            if _is_debris(file) or is_result(file.stem) or not is_picture(file):
                ignored += 1
            else:
                found.setdefault(_identity(file), Found(file, top / file.relative_to(path)))
    return Finding(tuple(found.values()), ignored, len(folders))


def _files(folder: Path, recurse: bool, leave_out: Path | None) -> Iterator[Path]:
    """Files in order of their names; sub-folders after them, hidden ones never."""
    outside = _identity(leave_out) if leave_out is not None else None
    for at, below, names in os.walk(folder):
        below[:] = (
            sorted(
                name
                for name in below
                if not name.startswith(".") and _identity(Path(at, name)) != outside
            )
            if recurse
            else []
        )
        yield from (Path(at, name) for name in sorted(names))


def _is_debris(file: Path) -> bool:
    return file.name.startswith(".") or file.name.lower() in _DEBRIS or not file.is_file()


def _identity(path: Path) -> str:
    return os.path.normcase(path.resolve())
