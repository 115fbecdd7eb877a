"""How many workers, with how many threads each."""

from __future__ import annotations

from dataclasses import dataclass

# Beyond this a single picture of ordinary size hardly gets faster.
_MOST_THREADS = 4


@dataclass(frozen=True)
class Sizing:
    """``cores``: those of each worker; empty tuples where they shall run anywhere."""

    workers: int
    threads: int
    cores: tuple[tuple[int, ...], ...]


def size(workers: int, threads: int, cores: tuple[int, ...], count: int) -> Sizing:
    """Fill in what is 0, so that workers times threads are ``count`` cores.

    ``cores``: the numbers of those that may be run on, more than ``count`` where only so much of
    their time may be used.

    With neither given, several workers of few threads: decoding and encoding use one core each,
    and a worker that has to be replaced is not the only one. Each worker is held to cores of its
    own where they are enough. A part of the cores that others have too is no one's own: all who
    were given some of their time would crowd on the first.
    """
    if not workers and not threads:
        threads = max(1, min(_MOST_THREADS, count // 4))
    workers = workers or max(1, count // threads)
    threads = threads or max(1, count // workers)
    if workers == 1 or workers * threads > count or count < len(cores):
        own: tuple[tuple[int, ...], ...] = ((),) * workers
    else:
        own = tuple(cores[at * threads : (at + 1) * threads] for at in range(workers))
    return Sizing(workers, threads, own)
