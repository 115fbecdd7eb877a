"""What tests of several parts need."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# The same examples every time, so that a change fails only of what it brings, and none is late,
# however busy the machine is.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture
def at_once() -> Callable[..., None]:
    """``at_once(module, "read", one, other)``: both changes, which read by that function, at once.

    Neither writes before the other has read, unless the other waits for it.
    """

    def both(module: Any, name: str, *changes: Callable[[], object]) -> None:
        read, barrier = getattr(module, name), threading.Barrier(len(changes))

        def reading(*given: Any) -> Any:
            found = read(*given)
            # Whoever waits does not come, and that is as it should be.
            with suppress(threading.BrokenBarrierError):
                barrier.wait(0.2)
            return found

        with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(len(changes)) as threads:
            patch.setattr(module, name, reading)
            for change in [threads.submit(change) for change in changes]:
                change.result(60)

    return both
