"""The processor cores that this process may use."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator

from hyperfocal.control_groups import limits


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
    for words in limits("cpu", "cpu.max", ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        yield from _quota(*words)


def _quota(quota: str = "", period: str = "", *_: str) -> Iterator[float]:
    """Time over the time in which it may be used; nothing for "max", -1 and what is no number."""
    with contextlib.suppress(ValueError, ZeroDivisionError):
        if (cores := int(quota) / int(period)) > 0:
            yield cores
