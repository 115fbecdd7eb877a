"""Telling how far the sending is: a bar on a terminal, a line a picture everywhere else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hyperfocal.cli import say
from hyperfocal.cli.outcome import Outcome
from hyperfocal.cli.progress import describe, reasons, size_of
from hyperfocal.client.errors import ServiceError


@contextmanager
def telling(total: int, *, quiet: bool, verbose: bool) -> Iterator[Callable[[Outcome], None]]:
    """What is to be called with every picture that has ended."""

    def line(outcome: Outcome) -> None:
        if not quiet or outcome.status == "failed":
            for text in told(outcome, verbose=verbose):
                say.line(text)

    if quiet or not say.is_terminal():
        yield line
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("sending"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("pictures"),
        TimeRemainingColumn(),
    )
    # stderr is redirected while the bar is shown, so that lines appear above it.
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("sending", total=total)

        def line_and_bar(outcome: Outcome) -> None:
            line(outcome)
            progress.advance(bar)

        yield line_and_bar


def say_once() -> Callable[[ServiceError, float], None]:
    """Tells why the service is waited for, the first time for each reason; for many threads."""
    said: set[str] = set()
    lock = threading.Lock()

    def say_it(error: ServiceError, pause: float) -> None:
        with lock:
            if error.code in said:
                return
            said.add(error.code)
        say.line(f"{error}; trying again")

    return say_it


def told(outcome: Outcome, *, verbose: bool = False) -> list[str]:
    """One picture, for people, in lines that names cannot break."""
    if outcome.status != "done":
        return describe(outcome)
    parts = [f"{outcome.width}x{outcome.height}", outcome.model or ""]
    if outcome.fidelity is not None:
        parts.append(f"fidelity {outcome.fidelity:.1f} dB")
    parts.append(f"{outcome.timings['total']:.2f} s")
    parts.append(size_of(outcome.bytes or 0))
    text = [f"{outcome.input} -> {outcome.output}  {', '.join(parts)}"]
    if verbose:
        text.extend(reasons(outcome))
        text.extend(f"    {note}" for note in outcome.notes)
    return [say.in_a_row(line) for line in text]
