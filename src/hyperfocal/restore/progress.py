"""Telling how far it is, and stopping when asked to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

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
        if not (on_progress is None or callable(on_progress)):
            raise UsageError(f"on_progress must be a function, not a {type(on_progress).__name__}")
        self.done, self.total = 0, total
        self._report, self._cancel = on_progress, cancel

    def step(self) -> None:
        """A tile is done."""
        self.done += 1
        if self._report is not None:
            self._report(self.done, self.total)

    def check(self) -> None:
        """:class:`Cancelled` if stopping was asked for."""
        cancel = self._cancel
        if cancel is not None and (cancel() if callable(cancel) else cancel.is_set()):
            raise Cancelled(f"stopped on request after {self.done} of {self.total} tiles")
