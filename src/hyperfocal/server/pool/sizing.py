"""How many workers, with how many threads each."""

from __future__ import annotations

import os
from dataclasses import dataclass

# Beyond this a single picture of ordinary size hardly gets faster.
_MOST_THREADS = 4


@dataclass(frozen=True)
class Sizing:
    """``cores``: those of each worker; empty tuples where they shall run anywhere."""

    workers: int
    threads: int
    cores: tuple[tuple[int, ...], ...]


def usable_cores() -> tuple[int, ...]:
    """Numbers of the processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def size(workers: int, threads: int, cores: tuple[int, ...]) -> Sizing:
    """Fill in what is 0, so that workers times threads are the cores.

    With neither given, several workers of few threads: decoding and encoding use one core each,
    and a worker that has to be replaced is not the only one. Each worker is held to cores of its
    own where they are enough.
    """
    count = len(cores)
    if not workers and not threads:
        threads = max(1, min(_MOST_THREADS, count // 4))
    workers = workers or max(1, count // threads)
    threads = threads or max(1, count // workers)
    if workers == 1 or workers * threads > count:
        own: tuple[tuple[int, ...], ...] = ((),) * workers
    else:
        own = tuple(cores[at * threads : (at + 1) * threads] for at in range(workers))
    return Sizing(workers, threads, own)
