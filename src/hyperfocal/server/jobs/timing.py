"""How often things are looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds.

    ``poll``: between looks for jobs that another process queued or changed. ``beat``: between
    two writes of a job's progress. ``alive``: between two signs of life where there is no
    progress. ``lease``: after which a silent runner is taken for gone. ``stranded``: after which
    a storage of which nobody heard is taken to have no runner any more. ``retry``: before a job
    whose worker or storage failed is tried again; ``longest``: the same where disk or storage
    failed again and again, each time after twice as long. ``upkeep``: between two removals of what
    has ended. ``files``: between two looks through all files. ``keep_alive``: of silence after
    which an event stream sends a comment.
    """

    poll: float = 2.0
    beat: float = 0.5
    alive: float = 5.0
    lease: float = 60.0
    stranded: float = 3600.0
    retry: float = 2.0
    longest: float = 60.0
    upkeep: float = 30.0
    files: float = 600.0
    keep_alive: float = 5.0
