"""How this process keeps its memory while it trains."""

from __future__ import annotations

import ctypes
import platform

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
