"""What a worker asks of its operating system: to be bounded, and not to outlive the service."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def leave_stopping_to_the_parent() -> None:
    """Ignore what a terminal or a service manager sends to the whole group.

    The service drains when it is told to stop; workers that died of the same signal would lose
    the very work that it waits for.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def die_with(parent: int) -> None:
    """Be killed when the parent dies, however it does; exit at once if it already has."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if hasattr(os, "getppid") and os.getppid() != parent:
        os._exit(1)


def keep_to(cores: Sequence[int]) -> None:
    """Run on these cores only, where the system can do that; on any if there are none."""
    if cores and hasattr(os, "sched_setaffinity"):
        # A core may have been taken away since; then the worker runs where it may.
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, cores)


def volunteer_for_the_oom_killer() -> None:
    """Where memory runs out all the same, a worker shall go before the service."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def address_space() -> int | None:
    """Bytes of address space in use; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def resident() -> int | None:
    """Bytes of memory in use; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def limit_address_space(more: int) -> int | None:
    """Allow ``more`` bytes beyond what is in use, and no core dump, which would hold pictures.

    Gives what is in use; None, and no limit, where the system does not tell.
    """
    used = address_space()
    if used is None:
        return None
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The soft limit: it is raised again when another model is loaded.
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = used + more
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    return used


def give_back_free_memory() -> None:
    """Return to the system what the C library keeps for later."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
