"""Waiting out what is the matter with a disk, the storage or the database."""

from __future__ import annotations

import time

from hyperfocal.server.jobs.timing import Timing

# Seconds after its pause: by then a job was begun again, if it is still there.
_FORGOTTEN = 3600.0


class Pauses:
    """Which jobs rest, and whether all do; each fault in a row makes the pause twice as long.

    A fault is most likely that of all jobs, so that none is begun for a while. It may be that of
    one, whose picture is larger than what room there is: others that end well do not wait for it.
    """

    def __init__(self, timing: Timing) -> None:
        self._first = timing.retry
        self._longest = timing.longest
        self._all = _Pause()
        self._jobs: dict[str, _Pause] = {}

    @property
    def all_rest(self) -> bool:
        """Whether no job is to be begun now."""
        return time.monotonic() < self._all.until

    def fault(self, job_id: str) -> float:
        """A job met with a fault; gives for how many seconds it rests."""
        # What was begun before the pause and ends within it is the same fault.
        if not self.all_rest:
            self._all.grow(self._first, self._longest)
        return self._jobs.setdefault(job_id, _Pause()).grow(self._first, self._longest)

    def over(self, job_id: str) -> None:
        """A job has come to another end: with a result, for one."""
        self._all = _Pause()
        self._jobs.pop(job_id, None)

    def suspects(self) -> list[str]:
        """The jobs that others are to be begun before.

        While nothing has ended well since a fault: all that met with one. Where there is one
        worker only, a job whose fault is its own would take it again each time all have rested.
        """
        return self._known() if self._all.until else self.resting()

    def resting(self) -> list[str]:
        """The jobs that are not to be begun now, whoever else begins one."""
        moment = time.monotonic()
        return [one for one in self._known() if moment < self._jobs[one].until]

    def _known(self) -> list[str]:
        moment = time.monotonic()
        # Jobs that are cancelled or expire meanwhile are never heard of again.
        old = [one for one, pause in self._jobs.items() if moment - pause.until > _FORGOTTEN]
        for one in old:
            del self._jobs[one]
        return list(self._jobs)


class _Pause:
    def __init__(self) -> None:
        self.until = 0.0
        self._seconds = 0.0

    def grow(self, first: float, longest: float) -> float:
        self._seconds = min(longest, self._seconds * 2 or first)
        self.until = time.monotonic() + self._seconds
        return self._seconds
