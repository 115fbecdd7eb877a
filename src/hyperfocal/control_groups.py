"""Limits that Linux sets a process by its control groups, as containers have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def limits(controller: str, now: str, before: tuple[str, ...]) -> Iterator[list[str]]:
    """The words of what limits this process, a list for each group that it is in and those above.

    ``now``: the file that tells it in version 2 of control groups; ``before``: those of version 1.
    Where there is no such file, as on other systems than Linux, words are missing.
    """
    for line in _text(_OWN_GROUPS).splitlines():
        # "0::/path" in version 2, "4:cpu,cpuacct:/path" in version 1.
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            for folder in _above(_GROUPS, path):
                yield _text(folder / now).split()
        elif controller in controllers.split(","):
            for folder in _above(_GROUPS / controller, path):
                yield [word for name in before for word in _text(folder / name).split()]


def _above(root: Path, path: str) -> Iterator[Path]:
    """The folder of a group and all above it, whose limits hold for it too.

    A container often sees its own group as ``root``, whatever its ``path`` is outside.
    """
    folder = root
    yield folder
    for part in path.strip("/").split("/"):
        folder = folder / part
        yield folder


def _text(file: Path) -> str:
    """What a file says; nothing where there is none."""
    try:
        return file.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
