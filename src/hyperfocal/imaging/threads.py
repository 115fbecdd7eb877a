"""A few threads for work that leaves Python: results in order, bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from hyperfocal.cores import available_cores

_A = TypeVar("_A")
_B = TypeVar("_B")

# Encoding waits on memory and on the disk beyond this many.
_MOST = 4


def in_order(work: Callable[[_A], _B], items: Iterable[_A]) -> Iterator[_B]:
    """``map(work, items)`` on several threads, at most two results ahead of the reader each.

    When the reader stops early or ``work`` raises, what has not begun is dropped. Where no threads
    can be had, the reader's does the work.
    """
    waiting = deque(items)
    workers = min(_MOST, available_cores(), len(waiting))
    if workers > 1:
        yield from _on_threads(work, waiting, workers)
    while waiting:
        yield work(waiting.popleft())


def _on_threads(work: Callable[[_A], _B], waiting: deque[_A], workers: int) -> Iterator[_B]:
    """The same for what it takes from ``waiting``: all, or less where it gets no threads."""
    try:
        # Both this and to submit are refused in threads that outlive the main thread.
        from concurrent.futures import ThreadPoolExecutor
    except RuntimeError:
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="encode")
    try:
        ahead: deque[Future[_B]] = deque()
        while waiting:
            try:
                ahead.append(pool.submit(work, waiting[0]))
            except RuntimeError:
                break
            waiting.popleft()
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
