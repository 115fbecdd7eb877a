"""Telling how far it is, and stopping when asked to."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Protocol

import numpy as np

from hyperfocal.errors import Cancelled, UsageError

OnProgress = Callable[[int, int], None]
"""Called with tiles done and tiles in all, from the thread that works."""


class Event(Protocol):
    """What of :class:`threading.Event` is needed."""

    def is_set(self) -> bool:
        """Whether to stop."""


Cancel = Event | Callable[[], bool]


class Progress:
    """The count of tiles of one restoration."""

    def __init__(
        self, total: int, on_progress: OnProgress | None = None, cancel: Cancel | None = None
    ) -> None:
        if not (cancel is None or callable(cancel) or hasattr(cancel, "is_set")):
            raise UsageError(
                f"cancel must be a function or an event, not a {type(cancel).__name__}"
            )
        _check_plain("cancel", cancel)
        check_function("on_progress", on_progress)
        self.done, self.total = 0, total
        self._report, self._cancel = on_progress, cancel
        # How whoever asks has NumPy treat errors: so it shall be in what is called here.
        self._errors = np.geterr()

    def step(self) -> None:
        """A tile is done."""
        self.done += 1
        if self._report is not None:
            with np.errstate(**self._errors):
                self._report(self.done, self.total)

    def check(self) -> None:
        """:class:`Cancelled` if stopping was asked for."""
        if self._is_cancelled():
            raise Cancelled(f"stopped on request after {self.done} of {self.total} tiles")

    def _is_cancelled(self) -> bool:
        cancel = self._cancel
        if cancel is None:
            return False
        with np.errstate(**self._errors):
            return bool(cancel() if callable(cancel) else cancel.is_set())


def check_function(name: str, given: object) -> None:
    """:class:`UsageError` unless ``given`` is None or a function that can be called as it is."""
    if not (given is None or callable(given)):
        raise UsageError(f"{name} must be a function, not a {type(given).__name__}")
    _check_plain(name, given)


def _check_plain(name: str, given: object) -> None:
    """:class:`UsageError` for a coroutine function: what it gives is never waited for here."""
    for each in (given, *(getattr(given, name, None) for name in ("__call__", "is_set"))):
        if inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each):
            raise UsageError(f"{name} must be a plain function, not an async one")
