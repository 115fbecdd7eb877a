"""Waiting for what happens elsewhere: as long as a slow machine may take, and no longer."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Look every 10 ms whether it is so, which may raise; AssertionError after ``seconds``."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"not so within {seconds:g} s"
        time.sleep(0.01)
