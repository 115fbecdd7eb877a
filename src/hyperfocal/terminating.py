"""What signals do: a request to terminate (SIGTERM), and others for a while."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def terminated_by(handler: Callable[..., Any] | signal.Handlers) -> Iterator[None]:
    """While inside, ``handler`` is what it is for. Only the main thread can say so; others pass."""
    with kept_handler(signal.SIGTERM):
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
        yield


@contextmanager
def kept_handler(number: signal.Signals) -> Iterator[None]:
    """Afterwards a signal does what it did before, whoever has taken it inside.

    Only the main thread can say so; others pass.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(number)
    try:
        yield
    finally:
        # None: it was set by what is not Python, which cannot be put back.
        signal.signal(number, signal.SIG_DFL if before is None else before)
