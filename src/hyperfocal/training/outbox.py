"""Messages to a server that may be down: sent in order, later if not now, never in the way."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

_log = logging.getLogger(__name__)

_PAUSE = 60.0
_LONGEST_PAUSE = 600.0

# What MLflow calls a failure that may pass; any other refusal would only be repeated.
_PASSING = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"}


class Outbox:
    """Calls waiting to be made. None of their errors leaves this class.

    After a failure nothing is tried for a minute, then for two and so on, so that a dead server
    costs a training next to nothing; what was said meanwhile is said when it is back.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._clock = clock
        self._waiting: deque[tuple[Callable[[], object], bool]] = deque()
        self._is_refused = False
        self._pause = _PAUSE
        self._silent_until = float("-inf")

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, call: Callable[[], object], *, needed: bool = False) -> None:
        """Queue a call. ``needed``: refused, it leaves all that follow without a meaning."""
        if not self._is_refused:
            self._waiting.append((call, needed))

    def send(self, *, now: bool = False) -> bool:
        """Make the waiting calls; whether none is left. ``now``: even after a recent failure."""
        if not now and self._clock() < self._silent_until:
            return False
        while self._waiting:
            call, needed = self._waiting[0]
            try:
                call()
            except Exception as error:  # noqa: BLE001 - a tracker may fail in any way it likes
                if getattr(error, "error_code", "INTERNAL_ERROR") not in _PASSING:
                    _log.warning("%s refused: %s", self._what, _first_line(error))
                    self._waiting.popleft()
                    if needed:
                        self._is_refused = True
                        self._waiting.clear()
                    continue
                self._silent_until = self._clock() + self._pause
                _log.warning(
                    "%s does not answer (%s); the training goes on, next attempt in %.0f s",
                    self._what,
                    _first_line(error),
                    self._pause,
                )
                self._pause = min(2.0 * self._pause, _LONGEST_PAUSE)
                return False
            self._waiting.popleft()
        self._pause = _PAUSE
        return True

    def close(self) -> None:
        """A last attempt; says what is lost."""
        if not self.send(now=True):
            _log.warning("%s was not told the last %d messages", self._what, len(self._waiting))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
