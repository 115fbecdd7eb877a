"""Which pictures were meant: files, folders, and the pipe."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from hyperfocal import paths

PIPE = "-"

# What operating systems leave in folders of pictures.
_DEBRIS = {"thumbs.db", "desktop.ini", "ehthumbs.db"}


@dataclass(frozen=True, slots=True)
class Found:
    """One input. ``path``: the file, or None for the pipe. ``below``: its place under the
    folder it was found in, which the output's folder mirrors; a bare name for a single file.
    ``problem``: why it cannot even be looked at, "" where it can.
    """

    path: Path | None
    below: PurePath
    problem: str = ""

    @property
    def name(self) -> str:
        """How messages call it."""
        return PIPE if self.path is None else str(self.path)


@dataclass(frozen=True, slots=True)
class Finding:
    """All inputs in order, each file once, and how many files in folders were passed over.

    ``results``: which of these were results of earlier calls.
    """

    inputs: tuple[Found, ...]
    ignored: int
    results: tuple[Path, ...] = ()


def find(
    given: Iterable[str],
    *,
    recurse: bool,
    is_picture: Callable[[Path], bool],
    leave_out: Iterable[Path] = (),
    is_result: Callable[[Path], bool] = lambda file: False,
) -> Finding:
    """Resolve command-line inputs.

    A file that was named is always taken, missing or not: what is wrong with it is said later.
    In folders, hidden files, what systems leave behind, files that are no pictures and earlier
    results (``is_result``) are passed over and counted; a folder that may not be read is an input
    with a problem. Links to folders are followed, and each folder is looked into once. Of a file
    and links to it, or to a folder around it, the file is taken, so that it keeps its place where
    the tree is mirrored. ``leave_out``: folders not to look into, such as the one of the results.
    """
    given = list(given)
    outside = frozenset(paths.identity(folder) for folder in leave_out)
    several = len(given) > 1
    named = {paths.identity(name) for name in given if name != PIPE}
    found: dict[object, Found] = {}
    links: set[object] = set()
    results: list[Path] = []
    ignored = 0
    for name in given:
        if name == PIPE:
            found.setdefault(PIPE, Found(None, PurePath("stdin")))
            continue
        path = Path(name)
        if not paths.is_folder(path):
            found.setdefault(paths.identity(path), Found(path, PurePath(path.name)))
            continue
        # Two folders may hold files of the same name; one folder is mirrored without its own.
        top = PurePath(path.resolve().name) if several else PurePath()
        closed: list[OSError] = []
        for file, is_linked in _files(path, recurse, outside, closed):
            key, is_link = paths.identity(file), is_linked or file.is_symlink()
            if is_debris(file) or not is_picture(file):
                ignored += 1
            elif key not in named and is_result(file):
                ignored += 1
                results.append(file)
            else:
                if key in links and not is_link:
                    del found[key]
                    links.remove(key)
                if key not in found:
                    found[key] = Found(file, top / file.relative_to(path))
                    if is_link:
                        links.add(key)
        for error in closed:
            folder = Path(error.filename)
            found[folder] = Found(folder, top, f"the folder cannot be read: {error.strerror}")
    return Finding(tuple(found.values()), ignored, tuple(results))


def looks_like_picture(path: Path) -> bool:
    """By the name, so that a damaged picture is reported, or else by the content.

    A camera's raw file is none: its content looks like TIFF.
    """
    from hyperfocal.imaging.content import HEAD, sniff
    from hyperfocal.imaging.formats import format_of_suffix
    from hyperfocal.imaging.tiff_pages import is_camera_raw

    if format_of_suffix(path) is not None:
        return True
    try:
        with path.open("rb") as file:
            name = sniff(file.read(HEAD))
        return name is not None and not (name == "tiff" and is_camera_raw(path))
    except OSError:
        return False


def _files(
    folder: Path, recurse: bool, outside: frozenset[str], closed: list[OSError]
) -> Iterator[tuple[Path, bool]]:
    """Files in order of their names, and whether a link to a folder led there.

    Sub-folders come after the files, hidden ones never; linked ones after everything else, so
    that what lies in the tree itself is met in its own place first. ``closed``: is given the
    errors of folders that cannot be read.
    """
    # Links may lead in circles, and several to one folder.
    seen = set(outside)
    waiting = deque([folder])
    while waiting:
        start = waiting.popleft()
        if start is not folder and _is_left_out(paths.identity(start), seen, outside):
            continue
        for at, below, names in os.walk(start, onerror=closed.append):
            seen.add(paths.identity(at))
            inside = [Path(at, name) for name in sorted(below) if not name.startswith(".")]
            inside = [path for path in inside if recurse and paths.identity(path) not in seen]
            waiting.extend(path for path in inside if path.is_symlink())
            below[:] = [path.name for path in inside if not path.is_symlink()]
            yield from ((Path(at, name), start is not folder) for name in sorted(names))


def _is_left_out(link: str, seen: set[str], outside: frozenset[str]) -> bool:
    """Whether a link leads to what was met already, or to results: below what is left out."""
    return link in seen or any(link.startswith(one.rstrip(os.sep) + os.sep) for one in outside)


def is_debris(file: Path) -> bool:
    """Whether it is hidden, left behind by a system, or no file."""
    return file.name.startswith(".") or file.name.lower() in _DEBRIS or not paths.is_file(file)
