"""What became of each file, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from hyperfocal.errors import Cancelled, HyperfocalError

Status = Literal["done", "planned", "skipped", "failed"]

_SOME_FAILED = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file failed: the ``code`` for programs, the ``message`` for people."""

    code: str
    message: str
    exit_code: int = _SOME_FAILED

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """From an error; one that was not raised on purpose is called what it is."""
        if isinstance(error, HyperfocalError):
            return cls(error.code, str(error), error.exit_code)
        if isinstance(error, MemoryError):
            return cls("out-of-memory", "not enough memory; allow less with --memory")
        if isinstance(error, OSError):
            return cls("system", str(error))
        return cls("unexpected", f"unexpected {type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One file. What is not known for its ``status`` is None.

    ``width``, ``height``: of the result; ``model``: names joined by "+" in the order they ran;
    ``fidelity``: dB between the result, reduced again, and the input; ``timings``: seconds by
    phase; ``bytes``: size of the file written; ``choice``: the kind of model that ``auto`` took,
    and why; ``depth``: what a depth map was good for, see :class:`hyperfocal.restore.Depth`.
    """

    input: str
    output: str | None
    status: Status
    input_width: int | None = None
    input_height: int | None = None
    width: int | None = None
    height: int | None = None
    scale: float | None = None
    model: str | None = None
    tiles: int | None = None
    fidelity: float | None = None
    worst_fidelity: float | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    bytes: int | None = None
    notes: tuple[str, ...] = ()
    choice: Mapping[str, Any] | None = None
    depth: Mapping[str, Any] | None = None
    error: Failure | None = None

    def to_dict(self) -> dict[str, object]:
        """Plain values by name, lists and dicts only."""
        # The timings may be a read-only mapping, which asdict cannot copy.
        plain: dict[str, object] = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        plain["timings"] = {name: round(value, 6) for name, value in self.timings.items()}
        plain["notes"] = list(self.notes)
        for name, found in (("choice", self.choice), ("depth", self.depth)):
            plain[name] = None if found is None else dict(found)
        if self.error is not None:
            plain["error"] = {"code": self.error.code, "message": self.error.message}
        return plain


@dataclass(frozen=True, slots=True)
class Batch:
    """All files of one call, in order. ``stopped``: why it ended early, if it did."""

    outcomes: tuple[Outcome, ...]
    ignored: int
    seconds: float
    stopped: Failure | None = None

    def count(self, status: Status) -> int:
        """How many ended so."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def exit_code(self) -> int:
        """0 all done; the error's own code where all failed for the same kind of reason; else 1."""
        if self.stopped is not None:
            return self.stopped.exit_code
        failures = [outcome.error for outcome in self.outcomes if outcome.error is not None]
        if not failures:
            return 0
        codes = {failure.exit_code for failure in failures}
        if len(failures) == len(self.outcomes) and len(codes) == 1:
            return codes.pop()
        return _SOME_FAILED

    def to_dict(self) -> dict[str, object]:
        """Plain values by name, lists and dicts only."""
        return {
            "done": self.count("done"),
            "planned": self.count("planned"),
            "skipped": self.count("skipped"),
            "failed": self.count("failed"),
            "ignored": self.ignored,
            "seconds": round(self.seconds, 3),
            "stopped": None
            if self.stopped is None
            else {"code": self.stopped.code, "message": self.stopped.message},
            "files": [outcome.to_dict() for outcome in self.outcomes],
        }


def cancelled() -> Failure:
    """Stopped by Ctrl-C or a signal."""
    return Failure(Cancelled.code, "stopped on request", Cancelled.exit_code)


def failed(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those that failed."""
    return [outcome for outcome in outcomes if outcome.status == "failed"]
