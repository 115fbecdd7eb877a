"""The processor cores that this process may use."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
_VERSION_1 = ("quota", "period")


def core_numbers() -> tuple[int, ...]:
    """Numbers of the cores on which this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def available_cores() -> int:
    """How many cores' worth of time this process gets, at least 1.

    A container may run on every core of its machine and still be given the time of a few: Linux's
    quotas count too, rounded up.
    """
    return max(1, min([len(core_numbers()), *map(math.ceil, _quotas())]))


def _quotas() -> Iterator[float]:
    """The quotas, in cores, of all control groups that this process is in."""
    for line in _text(_OWN_GROUPS).splitlines():
        # "0::/path" in version 2, "4:cpu,cpuacct:/path" in version 1.
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            for folder in _above(_GROUPS, path):
                yield from _quota(*_text(folder / "cpu.max").split())
        elif "cpu" in controllers.split(","):
            for folder in _above(_GROUPS / "cpu", path):
                quota, period = (_text(folder / f"cpu.cfs_{name}_us") for name in _VERSION_1)
                yield from _quota(quota, period)


def _above(root: Path, path: str) -> Iterator[Path]:
    """The folder of a group and all above it, whose quotas hold for it too.

    A container often sees its own group as ``root``, whatever its ``path`` is outside.
    """
    folder = root
    yield folder
    for part in path.strip("/").split("/"):
        folder = folder / part
        yield folder


def _quota(quota: str = "", period: str = "", *_: str) -> Iterator[float]:
    """Time over the time in which it may be used; nothing for "max", -1 and what is no number."""
    with contextlib.suppress(ValueError, ZeroDivisionError):
        if (cores := int(quota) / int(period)) > 0:
            yield cores


def _text(file: Path) -> str:
    """What a file says; nothing where there is none, as on other systems than Linux."""
    try:
        return file.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
