"""What the verdicts say, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from hyperfocal.feedback.records import Given, Verdict


@dataclass(frozen=True, slots=True)
class Tally:
    """Verdicts of one group. ``approval``: the share of "up", None without verdicts.

    ``version``: of the model ``name``; empty for all together. ``consistency_db``: the mean over
    those that have one.
    """

    name: str
    version: str
    up: int
    down: int
    approval: float | None
    consistency_db: float | None

    @property
    def total(self) -> int:
        """All verdicts of the group."""
        return self.up + self.down


@dataclass(frozen=True, slots=True)
class Statistics:
    """All verdicts, those on each version of a model, how often each reason was given, and what
    is kept.
    """

    requests: int
    overall: Tally
    models: tuple[Tally, ...]
    reasons: dict[str, int]
    pictures: int
    picture_bytes: int

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {**asdict(self), "models": [asdict(model) for model in self.models]}


class _Sum:
    def __init__(self) -> None:
        self.verdicts: Counter[Verdict] = Counter()
        self.decibels = 0.0
        self.measured = 0

    def add(self, given: Given) -> None:
        self.verdicts[given.opinion.verdict] += 1
        if given.request.consistency_db is not None:
            self.decibels += given.request.consistency_db
            self.measured += 1

    def tally(self, name: str, version: str = "") -> Tally:
        up, down = self.verdicts[Verdict.UP], self.verdicts[Verdict.DOWN]
        return Tally(
            name=name,
            version=version,
            up=up,
            down=down,
            approval=up / (up + down) if up + down else None,
            consistency_db=self.decibels / self.measured if self.measured else None,
        )


def count(given: Iterable[Given], *, requests: int = 0) -> Statistics:
    """Count verdicts; ``requests``: how many answers there were to judge."""
    overall, reasons = _Sum(), Counter[str]()
    models: dict[tuple[str, str], _Sum] = {}
    pictures = size = 0
    for one in given:
        overall.add(one)
        model = (one.request.model, one.request.model_version)
        models.setdefault(model, _Sum()).add(one)
        reasons.update(reason.value for reason in one.opinion.reasons)
        pictures += one.picture is not None
        size += one.picture_bytes
    return Statistics(
        requests=requests,
        overall=overall.tally("all"),
        models=tuple(models[key].tally(*key) for key in sorted(models)),
        reasons=dict(reasons.most_common()),
        pictures=pictures,
        picture_bytes=size,
    )
