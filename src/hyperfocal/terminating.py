"""What signals do: a request to terminate (SIGTERM, SIGHUP), and others for a while."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# The terminal was closed. Windows has no such signal.
_HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)


@contextmanager
def terminated_by(handler: Callable[..., Any] | signal.Handlers) -> Iterator[None]:
    """While inside, ``handler`` is what it is for. Only the main thread can say so; others pass.

    That a terminal was closed is the same request, unless it is ignored, as ``nohup`` has it.
    """
    with kept_handler(signal.SIGTERM), _hangup_as_terminate():
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


@contextmanager
def _hangup_as_terminate() -> Iterator[None]:
    # None: as above; it is left alone.
    if _HANGUP is None or signal.getsignal(_HANGUP) in (signal.SIG_IGN, None):
        yield
        return
    with kept_handler(_HANGUP):
        if threading.current_thread() is threading.main_thread():
            signal.signal(_HANGUP, _terminate)
        yield


def _terminate(*_: object) -> None:
    # Whoever has taken the request meanwhile, Lightning for instance, gets it.
    signal.raise_signal(signal.SIGTERM)
