"""``hyperfocal train sweep``, ``lr-find`` and ``curves``: looking for values, looking at runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hyperfocal.cli import say
from hyperfocal.cli.choices import JSON
from hyperfocal.cli.extras import enough_memory, needs_torch
from hyperfocal.cli.stopping import terminated_as_interrupt

if TYPE_CHECKING:
    from hyperfocal.training.sweep import Trial


@terminated_as_interrupt()
def sweep(
    experiment: Path = typer.Argument(help="An experiment file with a [sweep] table."),
    out: Path = typer.Option(
        None, "--out", "-o", help="Folder for the trials; runs/NAME-sweep by default."
    ),
    tracking: bool = typer.Option(
        True, "--tracking/--no-tracking", help="Tell MLflow, unless the experiment says no."
    ),
    as_json: bool = JSON,
) -> None:
    """Train with several values, tell which are best, and write the best experiment.

    Trials that are done are not done again: the same command goes on with a stopped sweep.
    """
    needs_torch()
    from dataclasses import asdict

    from hyperfocal.training.experiment import Experiment
    from hyperfocal.training.sweep import BEST
    from hyperfocal.training.sweep import sweep as run

    plan = Experiment.read(experiment)
    folder = out or Path("runs") / f"{plan.name}-sweep"
    told = plan.tracking and tracking
    trials = run(plan, folder, on_trial=_progress, tracking=told)
    if as_json:
        say.document([asdict(trial) for trial in trials])
    else:
        _print(trials)
        if trials[0].best_psnr is not None:
            say.line(f"the best experiment: {folder / BEST}")
    if trials[0].best_psnr is None:
        say.error("no trial succeeded")
        raise typer.Exit(1)


def _progress(trial: Trial, done: int, total: int) -> None:
    values = ", ".join(f"{name} {value}" for name, value in trial.values.items())
    psnr = trial.error if trial.best_psnr is None else f"{trial.best_psnr:.3f} dB"
    say.line(f"{done} of {total}: {values}: {psnr}")


def _print(trials: list[Trial]) -> None:
    names = list(dict.fromkeys(name for trial in trials for name in trial.values))
    rows = [("trial", *names, "best dB", "final dB", "test dB", "steps", "minutes", "ms a step")]
    rows += [
        (
            trial.name,
            *(str(trial.values.get(name, "")) for name in names),
            _figure(trial.best_psnr, 3),
            _figure(trial.final_psnr, 3),
            _figure(trial.test_psnr, 3),
            str(trial.steps),
            f"{trial.minutes:.1f}",
            _figure(trial.step_milliseconds, 1),
        )
        for trial in trials
    ]
    say.table(rows, right=range(1, len(rows[0])))


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


@enough_memory()
def lr_find(
    experiment: Path = typer.Argument(help="The experiment file (TOML)."),
    out: Path = typer.Option(
        Path("lr-find.png"), "--out", "-o", help="The picture of the curve: PNG, WebP, SVG or PDF."
    ),
    steps: int = typer.Option(100, "--steps", min=10, help="Steps of the test."),
    low: float = typer.Option(1e-6, "--low", help="First rate."),
    high: float = typer.Option(1e-1, "--high", help="Last rate."),
) -> None:
    """Suggest a learning rate: train while it rises, and look where the loss falls fastest."""
    needs_torch("matplotlib")
    from hyperfocal.training.curves import check_figure
    from hyperfocal.training.experiment import Experiment
    from hyperfocal.training.lr_find import lr_find as run

    # Now, as the rest takes a while.
    check_figure(out)
    found = run(Experiment.read(experiment), steps=steps, low=low, high=high)
    found.draw(out)
    say.facts([("suggested rate", f"{found.suggestion:.2g}"), ("curve", str(out))])


def curves(
    runs: list[Path] = typer.Argument(help="Folders of trainings, or their metrics.csv."),
    out: Path = typer.Option(
        Path("curves.png"), "--out", "-o", help="The picture to write: PNG, WebP, SVG or PDF."
    ),
) -> None:
    """Draw the curves of trainings into one picture."""
    needs_torch("matplotlib")
    from hyperfocal.training.curves import draw

    draw(runs, out)
    say.line(f"wrote {out}")
