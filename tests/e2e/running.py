"""Waiting for processes."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Ask again until it holds; a connection that fails is no."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            if holds():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"still not after {seconds:g} s")
