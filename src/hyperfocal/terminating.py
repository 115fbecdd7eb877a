"""What a request to terminate (SIGTERM) does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def terminated_by(handler: Callable[..., Any] | signal.Handlers) -> Iterator[None]:
    """While inside, ``handler`` is what it is for. Only the main thread can say so; others pass."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        # None: it was set by what is not Python, which cannot be put back.
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
