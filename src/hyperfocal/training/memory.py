"""How this process keeps its memory while it trains, and how much of it there is."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from collections.abc import Iterator

from hyperfocal.control_groups import limits

# Parameters of glibc's mallopt, see mallopt(3).
_TRIM_THRESHOLD = -1
_MMAP_MAX = -4


def keep_freed() -> bool:
    """Let memory that is freed be used again instead of going back to the system.

    The activations of a step are freed and asked for again by the next one. What has been given
    back is fetched page by page, each filled with zeros: thousands of them, a tenth of a step of
    a small net on a CPU. Holds for the rest of the process, whose size stays that of its largest
    step. False where the C library has no such setting.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    kept = [library.mallopt(_MMAP_MAX, 0), library.mallopt(_TRIM_THRESHOLD, -1)]
    return all(kept)


def memory_there_is() -> int | None:
    """Bytes that this process can have at most: all of the machine, or of its container.

    None where the system does not tell.
    """
    return min([*_of_machine(), *_of_groups()], default=None)


def _of_machine() -> Iterator[int]:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_groups() -> Iterator[int]:
    for words in limits("memory", "memory.max", ("memory.limit_in_bytes",)):
        # Nothing for "max", and where the group is not to be seen.
        with contextlib.suppress(ValueError):
            yield from map(int, words)
