"""``hyperfocal train preview-degradations`` and ``degrade-suite``: bad pictures made on purpose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hyperfocal.cli import say
from hyperfocal.cli.extras import needs_torch

if TYPE_CHECKING:
    from hyperfocal.training.degradations import Degradations


def preview_degradations(
    pictures: Path = typer.Argument(help="A folder of originals."),
    out: Path = typer.Option("degradations.png", "--out", "-o", help="The contact sheet, a PNG."),
    experiment: Path = typer.Option(
        None, "--experiment", help="Take the scale and the ranges from this experiment file."
    ),
    scale: int = typer.Option(2, "-s", "--scale", min=1, max=8, help="Without an experiment."),
    first: int = typer.Option(8, "--first", min=1, metavar="N", help="Only the first N pictures."),
    seed: int = typer.Option(0, "--seed", min=0, help="Another number, other degradations."),
) -> None:
    """Show what degradations do: original, clean and degraded, and what was done, on one sheet."""
    needs_torch()
    from hyperfocal.training.data import pictures_in
    from hyperfocal.training.drawing import check_drawing
    from hyperfocal.training.preview import contact_sheet, save_sheet

    # Now, as the rest takes a while.
    check_drawing(out)
    ranges, scale = _ranges(experiment, scale)
    files = pictures_in(pictures)[:first]
    save_sheet(contact_sheet(files, scale, ranges, seed=seed), out)
    say.facts([("pictures", str(len(files))), ("sheet", str(out))])


def degrade_suite(
    originals: Path = typer.Argument(help="A folder of originals."),
    out: Path = typer.Argument(help="A new folder: HR, LR and recipes.toml go there."),
    scale: int = typer.Option(2, "-s", "--scale", min=1, max=8, help="How much smaller LR is."),
) -> None:
    """Make a frozen suite of degraded pictures, to measure with 'hyperfocal evaluate --suite'.

    Every original is cut into four parts, each degraded as its name decides: the same files come
    out at every run.
    """
    needs_torch()
    from hyperfocal.training.suite import write_suite

    made = write_suite(originals, out, scale)
    say.facts([("pairs", str(made)), ("suite", str(out))])


def _ranges(experiment: Path | None, scale: int) -> tuple[Degradations, int]:
    from hyperfocal.training.degradations import Degradations

    if experiment is None:
        return Degradations(), scale
    from hyperfocal.training.experiment import Experiment

    plan = Experiment.read(experiment)
    return plan.degradation or Degradations(), plan.net.scale
