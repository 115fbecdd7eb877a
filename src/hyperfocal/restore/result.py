"""What a restoration gives back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from hyperfocal.imaging.picture import Picture
from hyperfocal.restore.auto import Choice
from hyperfocal.restore.fidelity import Fidelity


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds of wall time; ``total`` includes what no other field does."""

    prepare: float = 0.0
    model: float = 0.0
    resize: float = 0.0
    depth: float = 0.0
    fidelity: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Depth:
    """What a depth map was good for.

    ``source``: it was "given" with the picture, or "embedded" in its file. ``share``: of the
    picture, from 0 to 1, what is visibly out of focus, edges of things left out; ``blur``: the
    most of it, in pixels of the input (standard deviation of a Gaussian); ``given_back``: the most
    of it that the models took away and that was given back, likewise, 0 where they took nothing.
    All are 0 where all is in focus, or where the models leave blur alone; ``is_used`` tells that
    these do not.
    """

    source: Literal["given", "embedded"]
    is_used: bool
    share: float = 0.0
    blur: float = 0.0
    given_back: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return {
            "source": self.source,
            "used": self.is_used,
            "share": round(self.share, 3),
            "blur": round(self.blur, 2),
            "given_back": round(self.given_back, 2),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A restored picture and what is known of it.

    ``models``: names of the models run one after another; ``scale``: output width over input
    width; ``tiles``: runs of a model altogether; ``projections``: iterations of back-projection;
    ``choice``: which kind of model was chosen and why, None where one was named; ``depth``: what
    the depth map was good for, None where there is none.
    """

    picture: Picture
    fidelity: Fidelity
    models: tuple[str, ...]
    scale: float
    tiles: int
    timings: Timings
    projections: int = 0
    choice: Choice | None = None
    depth: Depth | None = None

    @property
    def passes(self) -> int:
        """How many models ran one after another."""
        return len(self.models)


@dataclass(slots=True)
class Stopwatch:
    """Adds up the seconds of each phase of one call."""

    _start: float = field(default_factory=time.perf_counter)
    _seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what is inside, under one of the names of :class:`Timings`."""
        start = time.perf_counter()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - start

    def timings(self) -> Timings:
        """So far."""
        return Timings(**self._seconds, total=time.perf_counter() - self._start)
