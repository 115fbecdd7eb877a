"""Progress bars on a terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hyperfocal.cli import say
from hyperfocal.cli.outcome import Outcome
from hyperfocal.cli.progress import Lines


class Bars:
    """One bar for the files where there are several, one for the tiles of the current file."""

    def __init__(self, total: int, lines: Lines) -> None:
        self._lines = lines
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeRemainingColumn(),
            # stderr is redirected while the bars are shown, so that lines appear above them.
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,
        )
        self._files = self._progress.add_task("all", total=total, unit="files", visible=total > 1)
        self._tiles = self._progress.add_task("", total=None, unit="tiles")

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def begin(self, name: str) -> None:
        """Show the file's name and an empty bar."""
        self._progress.reset(self._tiles, total=None, description=say.in_a_row(name))

    def tiles(self, done: int, total: int) -> None:
        """Move the file's bar."""
        self._progress.update(self._tiles, completed=done, total=total)

    def end(self, outcome: Outcome) -> None:
        """Print the file's line above the bars."""
        self._lines.end(outcome)
        self._progress.advance(self._files)
