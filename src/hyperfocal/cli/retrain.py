"""``hyperfocal retrain``: a model goes on from where it is, on new pictures."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hyperfocal.cli import say
from hyperfocal.cli.choices import JSON, only_one, read_settings
from hyperfocal.cli.extras import enough_memory, needs_torch
from hyperfocal.cli.stopping import terminated_as_interrupt
from hyperfocal.errors import UsageError

if TYPE_CHECKING:
    from hyperfocal.retrain.report import RetrainReport

_MINUTES = 20.0

NOT_BETTER = 5
"""Exit code where the challenger is refused: all went well, so it is that of no error."""


class MadeHow(StrEnum):
    """How low-resolution pictures are made of originals."""

    BICUBIC = "bicubic"
    REAL = "real"


@terminated_as_interrupt()
@enough_memory("end other programs, or go on with --resume on a machine that has more")
def retrain(
    data: Path = typer.Option(
        ...,
        "--data",
        metavar="DIR",
        help="New pictures: originals, or folders HR and LR of pairs.",
    ),
    any_quality: bool = typer.Option(
        False,
        "--any-quality",
        help="Learn from originals with signs of damage, too, which are left out otherwise.",
    ),
    champion: str = typer.Option(
        "photo-fast-x2", "--from", metavar="MODEL", help="The model to go on from, or its card."
    ),
    minutes: float | None = typer.Option(
        None, "--minutes", help="How long to train; 20 unless steps are given.", metavar="N"
    ),
    steps: int | None = typer.Option(
        None, "--steps", min=1, help="How many steps to train.", metavar="N"
    ),
    suite: list[str] = typer.Option(
        [],
        "--suite",
        metavar="SUITE[:N]",
        help="A frozen suite (its first N pictures) on which nothing may be lost; may be given "
        "more than once. Set5, BSD100 and Urban100, as far as they are there, by default.",
    ),
    no_suite: bool = typer.Option(
        False, "--no-suite", help="Judge by the new pictures alone, whatever else may be lost."
    ),
    out: Path | None = typer.Option(
        None, "--out", "-o", metavar="DIR", help="For report and model; retrained/NAME by default."
    ),
    name: str | None = typer.Option(
        None, "--name", help="Name of the new model; by default made from the old one's."
    ),
    margin: float = typer.Option(
        0.02, "--margin", min=0.0, metavar="DB", help="Least gain on new pictures held back, in dB."
    ),
    tolerance: float = typer.Option(
        0.02, "--tolerance", min=0.0, metavar="DB", help="Largest loss on a frozen suite, in dB."
    ),
    degradation: MadeHow | None = typer.Option(
        None,
        "--degradation",
        help="How originals become small: bicubic, or real, which is the default for restore-*.",
    ),
    rate: float = typer.Option(2e-4, "--rate", min=1e-7, help="Highest learning rate."),
    seed: int = typer.Option(0, "--seed", min=0, help="Of what is random in the training."),
    bench: bool = typer.Option(
        True, "--bench/--no-bench", help="Measure the speed of a better model onto its card."
    ),
    resume: bool = typer.Option(
        False, "--resume", help="Go on with an interrupted retraining of the same options."
    ),
    as_json: bool = JSON,
    quiet: bool = typer.Option(False, "--quiet", help="No progress."),
) -> None:
    """Fine-tune a model on new pictures, and keep the result only if it is better.

    Some of the new pictures are held back from the training. Both models are measured on those
    and on the frozen suites, as they run on this machine. A better one is exported; of another
    one only the report is left, and the exit code is 5.
    """
    needs_torch()
    only_one(minutes=minutes, steps=steps)
    only_one(suite=suite or None, no_suite=no_suite)
    if minutes is not None and not minutes > 0.0:
        raise UsageError(f"--minutes must be more than 0, not {minutes:g}")
    from hyperfocal.evaluate import DATA_VARIABLE, SuiteChoice, known_suites
    from hyperfocal.retrain import Plan
    from hyperfocal.retrain import retrain as run

    suites = tuple(SuiteChoice.read(text) for text in suite)
    if not suites and not no_suite and not (suites := known_suites()):
        raise UsageError(
            "there is no frozen suite to judge by, without which a model may lose what it knew: "
            f"name folders of pictures (--suite), set {DATA_VARIABLE} to the folder whose eval/ "
            "has Set5 and the like, or do without (--no-suite)"
        )
    plan = Plan(
        data=data,
        champion=champion,
        out=out,
        suites=suites,
        name=name,
        degradation=None if degradation is None else degradation.value,
        minutes=_MINUTES if minutes is None and steps is None else minutes,
        steps=steps,
        margin=margin,
        tolerance=tolerance,
        rate=rate,
        seed=seed,
        bench=bench,
        any_quality=any_quality,
    )
    loud = not quiet and not as_json
    report, folder = run(
        plan, read_settings(), resume=resume, progress=loud, told=say.line if loud else None
    )
    if as_json:
        say.document(report.to_dict())
    else:
        _print(report, folder)
    if not report.verdict.better:
        raise typer.Exit(NOT_BETTER)


def _print(report: RetrainReport, folder: Path) -> None:
    rows = [
        ("suite", "weights", "pictures", report.champion, report.challenger, "gain", "surely over")
    ]
    rows += [
        (
            found.suite,
            found.precision,
            str(found.images),
            f"{found.champion_psnr:.3f}",
            f"{found.challenger_psnr:.3f}",
            f"{found.gain:+.3f}",
            "" if found.sure is None else f"{found.sure:+.3f}",
        )
        for found in report.suites
    ]
    say.table(rows, right=range(2, 7))
    verdict = "better, and exported" if report.verdict.better else "refused, not exported"
    typer.echo(f"{report.challenger} is {verdict}:")
    for reason in (*report.verdict.reasons, *(f"note: {note}" for note in report.notes)):
        typer.echo(f"  {reason}")
    typer.echo(f"report: {folder / 'report.md'}")
