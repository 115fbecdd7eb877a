"""Measuring a model, all its weights, and writing what was found onto its card."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from hyperfocal.errors import UsageError
from hyperfocal.evaluate.bench import Row, bench
from hyperfocal.evaluate.record import record, record_speed
from hyperfocal.evaluate.report import Report
from hyperfocal.evaluate.run import evaluate
from hyperfocal.evaluate.suites import is_there
from hyperfocal.models.card import ModelCard, Precision
from hyperfocal.models.hardware import processor
from hyperfocal.settings import Settings


@dataclass(frozen=True, slots=True)
class SuiteChoice:
    """A suite's name or folder, and how many of its pictures; None means all."""

    suite: str
    first: int | None = None

    @property
    def name(self) -> str:
        """What the suite is called on a card."""
        return Path(self.suite).resolve().name

    @classmethod
    def read(cls, text: str) -> SuiteChoice:
        """``"Set5"``, or ``"Urban100:20"`` for the first 20 pictures."""
        match = re.fullmatch(r"(.+?)(?::([0-9]+))?", text)
        if match is None or match[2] == "0":
            raise UsageError(f"'{text}' is not a suite; write Set5, a folder, or Urban100:20")
        return cls(match[1], int(match[2]) if match[2] else None)


# The literature's, and the first 20 pictures of Urban100, which peers' figures are often given
# for.
SUITES = (
    SuiteChoice("Set5"),
    SuiteChoice("BSD100"),
    SuiteChoice("Urban100"),
    SuiteChoice("Urban100", 20),
)


def known_suites() -> tuple[SuiteChoice, ...]:
    """Those of the literature's that are there by name, all of their pictures."""
    return tuple(choice for choice in SUITES if choice.first is None and is_there(choice.suite))


def measure_quality(
    path: Path,
    suites: Iterable[SuiteChoice] = SUITES,
    settings: Settings | None = None,
    *,
    precisions: Iterable[Precision] | None = None,
    on_report: Callable[[Report], None] | None = None,
) -> ModelCard:
    """Evaluate the weights of the model whose card is at ``path``; gives the new card.

    ``precisions``: left out, all that it has. Raises what :func:`evaluate` raises; the card then
    has what was measured before.
    """
    settings = settings or Settings.read()
    card = ModelCard.read(path)
    for precision in sorted(card.weights if precisions is None else precisions):
        for choice in suites:
            report = evaluate(choice.suite, str(path), None, choice.first, settings, precision)
            card = record(report, path)
            if on_report is not None:
                on_report(report)
    return card


def measure_speed(
    path: Path,
    settings: Settings | None = None,
    *,
    side: int = 512,
    runs: int = 20,
    threads: int = 2,
    on_row: Callable[[Row], None] | None = None,
) -> ModelCard:
    """Time all weights of the model whose card is at ``path``; gives the new card."""
    settings = settings or Settings.read()
    card = ModelCard.read(path)
    for precision in sorted(card.weights):
        chosen = settings.model_copy(update={"precision": precision})
        row = bench(str(path), card.scale, side=side, runs=runs, threads=threads, settings=chosen)
        card = record_speed(row, processor().described, path)
        if on_row is not None:
            on_row(row)
    return card
