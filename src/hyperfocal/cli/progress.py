"""Telling how far a batch is: bars on a terminal, a line a file everywhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from hyperfocal.cli import say
from hyperfocal.cli.outcome import Batch, Outcome, failed


class Watcher(Protocol):
    """Told what happens; never decides anything."""

    def begin(self, name: str) -> None:
        """A file is begun."""

    def tiles(self, done: int, total: int) -> None:
        """So many tiles of the current file are done."""

    def end(self, outcome: Outcome) -> None:
        """A file has ended, one way or another."""


class Lines:
    """A line a file; ``quiet``: only for those that failed; ``verbose``: with all particulars."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet, self._verbose = quiet, verbose

    def begin(self, name: str) -> None:
        """Nothing: a line is printed when the file has ended."""

    def tiles(self, done: int, total: int) -> None:
        """Nothing: tiles are for bars."""

    def end(self, outcome: Outcome) -> None:
        """Print the file's line."""
        if not self._quiet or outcome.status == "failed":
            for text in describe(outcome, verbose=self._verbose):
                say.line(text)


@contextmanager
def watch(total: int, *, quiet: bool, verbose: bool) -> Iterator[Watcher]:
    """A watcher that suits where stderr goes."""
    lines = Lines(quiet=quiet, verbose=verbose)
    if quiet or not say.is_terminal():
        yield lines
        return
    from hyperfocal.cli.bars import Bars

    with Bars(total, lines) as bars:
        yield bars


def describe(outcome: Outcome, *, verbose: bool = False) -> list[str]:
    """One file, for people, in lines that names cannot break."""
    return [say.in_a_row(text) for text in _described(outcome, verbose)]


def _described(outcome: Outcome, verbose: bool) -> list[str]:
    arrow = f"{outcome.input} -> {outcome.output or 'stdout'}"
    if outcome.error is not None:
        message = outcome.error.message
        # Errors about reading or writing already begin with the file's name.
        return [f"failed: {message if outcome.input in message else f'{outcome.input}: {message}'}"]
    if outcome.status == "skipped":
        return [f"skipped: {outcome.output} exists"]
    parts = [
        f"{outcome.input_width}x{outcome.input_height} -> {outcome.width}x{outcome.height}",
        outcome.model or "",
    ]
    if outcome.status == "planned":
        parts.append(f"{outcome.tiles} tile{'s' if outcome.tiles != 1 else ''}")
    else:
        parts.append(f"fidelity {outcome.fidelity:.1f} dB")
        parts.append(f"{outcome.timings['total']:.2f} s")
        parts.append(size_of(outcome.bytes or 0))
    text = [f"{arrow}  {', '.join(parts)}"]
    if verbose:
        phases = (f"{name} {seconds:.3f} s" for name, seconds in outcome.timings.items())
        if outcome.timings:
            text.append(f"    {', '.join(phases)}")
            text.append(f"    {outcome.tiles} tiles, worst square {outcome.worst_fidelity:.1f} dB")
        text.extend(reasons(outcome))
    # What was lost is told unasked.
    text.extend(f"    {note}" for note in outcome.notes)
    return text


def reasons(outcome: Outcome) -> list[str]:
    """Why the result is as it is: lines for those who want to know."""
    text = []
    if outcome.choice is not None:
        text.append(f"    {outcome.choice['kind']}: {'; '.join(outcome.choice['reasons'])}")
    if outcome.depth is not None:
        text.append(f"    {_depth(outcome.depth)}")
    return text


def _depth(told: Mapping[str, Any]) -> str:
    which = "the depth map" if told["source"] == "given" else "the depth map in the file"
    if not told["used"]:
        return f"{which} was not needed: the model leaves blur as it is"
    if not told["share"]:
        return f"{which} shows nothing out of focus"
    return (
        f"{told['share']:.0%} of the picture is out of focus by {which}, by up to "
        f"{told['blur']:.1f} pixels; "
        + ("what the model took of it was given back" if told["given_back"] else "it stayed so")
    )


def report(batch: Batch, *, quiet: bool) -> None:
    """The end of a batch: how many, and once more what failed and why."""
    if batch.stopped is not None:
        say.error(batch.stopped.message)
    total = len(batch.outcomes)
    if quiet or (total < 2 and not batch.ignored):
        return
    counts = [
        f"{number} {word}"
        for number, word in (
            (batch.count("done"), "done"),
            (batch.count("planned"), "planned"),
            (batch.count("skipped"), "skipped"),
            (batch.count("failed"), "failed"),
            (batch.ignored, "other files ignored" if batch.ignored > 1 else "other file ignored"),
        )
        if number
    ]
    say.line(f"{', '.join(counts)} in {batch.seconds:.1f} s")
    if total > 1:
        for outcome in failed(batch.outcomes):
            for text in describe(outcome):
                say.line(f"  {text}")


def size_of(count: int) -> str:
    """Bytes as people say them."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
