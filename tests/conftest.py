"""What tests of several parts need."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from hyperfocal import lock

# The same examples every time, so that a change fails only of what it brings, and none is late,
# however busy the machine is.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


# What is compiled is kept for this run alone, and not among what its user keeps. Processes may
# share such a folder: workers of pytest-xdist have it from the one that starts them.
_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if not _WORKER:
    os.environ["HYPERFOCAL_CACHE"] = tempfile.mkdtemp(prefix="hyperfocal-cache-")


# Folders whose tests share a service and a browser.
_FOLDERS = {"e2e", "hostile"}
_HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    # As pytest-xdist and pytest-timeout say it, which need not be there.
    config.addinivalue_line("markers", "xdist_group(name): run by one worker, one after the other")
    config.addinivalue_line("markers", "timeout(seconds): of this test, instead of the usual ones")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For ``--dist loadgroup``: what shares fixtures of a folder or of a file stays together."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            path = item.path.relative_to(_HERE)
            group = path.parts[0] if path.parts[0] in _FOLDERS else path.as_posix()
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_unconfigure() -> None:
    if not _WORKER:
        shutil.rmtree(os.environ["HYPERFOCAL_CACHE"], ignore_errors=True)


@pytest.fixture
def at_once() -> Callable[..., None]:
    """``at_once(module, "read", one, other)``: both changes, which read by that function, at once.

    None goes on from there before each of the others has read too, or waits for a
    :class:`hyperfocal.lock.FileLock` that somebody has. Where one does neither, that is an error.
    """

    def both(
        module: Any, name: str, *changes: Callable[[], object], patience: float = 120.0
    ) -> None:
        read, wait_for = getattr(module, name), lock._wait_for
        state, have_read, waiting = threading.Condition(), set[int](), set[int]()

        def told(change: Callable[[int], None]) -> None:
            with state:
                change(threading.get_ident())
                state.notify_all()

        def lock_waiting(handle: int) -> None:
            try:
                lock._lock(handle)
            except OSError:
                told(waiting.add)
                try:
                    wait_for(handle)
                finally:
                    told(waiting.discard)

        def reading(*given: Any) -> Any:
            found = read(*given)
            told(have_read.add)
            with state:
                met = state.wait_for(lambda: len(have_read | waiting) == len(changes), patience)
            assert met, "the changes did not meet"
            return found

        with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(len(changes)) as threads:
            patch.setattr(module, name, reading)
            patch.setattr(lock, "_wait_for", lock_waiting)
            for change in [threads.submit(change) for change in changes]:
                change.result()

    return both
