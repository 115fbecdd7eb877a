"""``hyperfocal train``: training and export (extra ``[train]``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hyperfocal.cli import say
from hyperfocal.cli.choices import only_one
from hyperfocal.cli.degrading import degrade_suite, preview_degradations
from hyperfocal.cli.extras import enough_memory, needs_torch
from hyperfocal.cli.stopping import terminated_as_interrupt
from hyperfocal.cli.tuning import curves, lr_find, sweep
from hyperfocal.errors import Cancelled, UsageError

if TYPE_CHECKING:
    from hyperfocal.training.experiment import Experiment


def app() -> typer.Typer:
    """The verbs of training."""
    verbs = typer.Typer(help="Train models and export them.", no_args_is_help=True)
    verbs.command("fit")(fit)
    verbs.command("export")(export)
    verbs.command("sweep")(sweep)
    verbs.command("lr-find")(lr_find)
    verbs.command("curves")(curves)
    verbs.command("preview-degradations")(preview_degradations)
    verbs.command("degrade-suite")(degrade_suite)
    return verbs


@terminated_as_interrupt()
@enough_memory()
def fit(
    experiment: Path = typer.Argument(help="The experiment file (TOML)."),
    out: Path = typer.Option(
        None,
        "--out",
        "-o",
        help="Folder for checkpoints and curves; runs/NAME by default, none for quick looks.",
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on from the last checkpoint there."),
    tracking: bool = typer.Option(
        True, "--tracking/--no-tracking", help="Tell MLflow, unless the experiment says no."
    ),
    with_export: bool = typer.Option(
        True,
        "--export/--no-export",
        help="Export the best net into FOLDER/model at the end of a tracked training, and "
        "register it.",
    ),
    overfit: bool = typer.Option(
        False, "--overfit-one-batch", help="Only see whether the net learns one batch by heart."
    ),
    dev_run: bool = typer.Option(
        False, "--fast-dev-run", help="Only run one step and one picture of everything."
    ),
    ray: str = typer.Option(
        None,
        "--ray",
        metavar="ADDRESS",
        help="Train by several workers of a Ray cluster (extra 'ray'): 'local' starts one here, "
        "'auto' joins the one of this machine, HOST:PORT another.",
    ),
    ray_workers: int = typer.Option(
        None, "--ray-workers", min=1, help="How many workers share every batch; 2 by default."
    ),
    quiet: bool = typer.Option(False, "--quiet", help="No progress bar."),
) -> None:
    """Train a net as an experiment file says, keeping the best and the last checkpoint."""
    needs_torch()
    only_one(resume=resume, overfit_one_batch=overfit, fast_dev_run=dev_run)
    only_one(ray=ray is not None, overfit_one_batch=overfit, fast_dev_run=dev_run)
    if ray_workers is not None and ray is None:
        raise UsageError("--ray-workers goes with --ray ADDRESS")
    from hyperfocal.training.checkpoints import LAST
    from hyperfocal.training.experiment import Experiment
    from hyperfocal.training.fit import fit as run

    plan = Experiment.read(experiment)
    folder = out or Path("runs") / plan.name
    if overfit:
        return _overfit(plan, out, quiet=quiet)
    if dev_run:
        return _dev_run(plan)
    if resume and not (folder / LAST).exists():
        say.line(
            f"note: there is no checkpoint in {folder} to go on from; the training starts anew"
        )
    tracked = plan.tracking and tracking
    try:
        if ray is None:
            trained = run(plan, folder, resume=resume, progress=not quiet, tracking=tracked)
        else:
            from hyperfocal.training.ray_cluster import fit_on_ray

            trained = fit_on_ray(
                plan,
                folder,
                address=ray,
                workers=ray_workers or 2,
                resume=resume,
                progress=not quiet,
                tracking=tracked,
            )
    except KeyboardInterrupt as stopped:
        hint = "; --resume goes on from the last checkpoint" if (folder / LAST).exists() else ""
        raise Cancelled(f"stopped{hint}") from stopped
    facts = [
        ("checkpoint", str(folder / "best.ckpt")),
        ("best validation PSNR", f"{trained.best_psnr:.3f} dB"),
        ("last validation PSNR", f"{trained.final_psnr:.3f} dB"),
        *[(f"{kind.replace('_', ' ')}", f"{value:.4g}") for kind, value in trained.test.items()],
        ("steps", str(trained.steps)),
        ("minutes", f"{trained.seconds / 60.0:.1f}"),
    ]
    if trained.run_id is not None:
        facts.append(("MLflow run", trained.run_id))
    say.facts(facts)
    if tracked and with_export:
        from hyperfocal.training.export import EXPORTABLE

        if plan.net.name in EXPORTABLE:
            _export(folder / "best.ckpt", folder / "model")
    return None


def _overfit(plan: Experiment, folder: Path | None, *, quiet: bool) -> None:
    from hyperfocal.training.presets import overfit_one_batch

    learnt = overfit_one_batch(plan, folder, progress=not quiet)
    say.facts(
        [
            ("PSNR of the batch, bicubic", f"{learnt.bicubic:.3f} dB"),
            ("PSNR of the batch, net", f"{learnt.net:.3f} dB"),
            ("steps", str(learnt.steps)),
        ]
    )
    if not learnt.sound:
        say.error("the net does not learn even one batch; look at rate, loss and architecture")
        raise typer.Exit(1)


def _dev_run(plan: Experiment) -> None:
    from hyperfocal.training.presets import dev_run

    seen = dev_run(plan)
    say.facts([("steps", str(seen.steps)), ("PSNR of one picture", f"{seen.final_psnr:.3f} dB")])


def export(
    checkpoint: Path = typer.Argument(
        help="A checkpoint, such as runs/NAME/best.ckpt; or NAME.float.onnx beside its card, to "
        "export it anew."
    ),
    folder: Path = typer.Option(
        Path(), "--out", "-o", help="Where the weights and the card go; here by default."
    ),
    calibration: int = typer.Option(
        48, "--calibration", min=1, help="Training pictures that set how int8 rounds."
    ),
    suite: list[str] = typer.Option(
        [],
        "--suite",
        metavar="SUITE[:N]",
        help="Measure the quality on a suite (its first N pictures) onto the card; may be given "
        "more than once.",
    ),
    bench: bool = typer.Option(
        True, "--bench/--no-bench", help="Measure the speed of 512x512 pixels onto the card."
    ),
    experiment: Path = typer.Option(
        None, "--experiment", help="Of such float weights: the file with their data."
    ),
    average: Path = typer.Option(
        None,
        "--average",
        help="Export the mean with these float weights or this checkpoint of the same net, such as "
        "what the training went on from: often better than either.",
    ),
    registered: bool = typer.Option(
        True, "--register/--no-register", help="Register the model where its training is tracked."
    ),
) -> None:
    """Fold a checkpoint into float and int8 ONNX weights and write the model's card.

    The card tells the measured quality, on the validation pictures and on any suite that is named,
    and the speed. Where MLflow was told about the training, the model is registered there.
    """
    needs_torch()
    _export(
        checkpoint,
        folder,
        experiment=experiment,
        average=average,
        calibration=calibration,
        suites=suite,
        bench=bench,
        registered=registered,
    )


def _export(
    checkpoint: Path,
    folder: Path,
    *,
    experiment: Path | None = None,
    average: Path | None = None,
    calibration: int = 48,
    suites: Sequence[str] = (),
    bench: bool = True,
    registered: bool = True,
) -> None:
    from hyperfocal.evaluate import SuiteChoice, check_name, measure_quality, measure_speed
    from hyperfocal.training.experiment import Experiment
    from hyperfocal.training.export import export as run

    choices = [SuiteChoice.read(text) for text in suites]
    for choice in choices:
        check_name(choice.name)
    plan = None if experiment is None else Experiment.read(experiment)
    made = run(checkpoint, folder, calibration=calibration, experiment=plan, average=average)
    card, path = made.card, folder / f"{made.card.name}.toml"
    facts = [("card", str(path))]
    if made.clipped_share is not None:
        facts.append(("activations clipped", f"{made.clipped_share:g}"))
    if choices:
        card = measure_quality(path, choices, on_report=lambda r: say.line(f"measured {r.suite}"))
    facts += [
        (f"{q.suite} ({q.images}), {q.precision}", f"{q.psnr:.3f} dB, {q.ssim:.4f}")
        for q in card.quality
    ]
    if bench:
        card = measure_speed(path)
        facts += [(f"512x512, {s.precision}", f"{s.median:.1f} ms") for s in card.speed]
    if registered:
        from hyperfocal.training.registration import register

        version = register(card, folder, checkpoint.parent)
        if version is not None:
            facts.append(("registered", f"{card.name}, version {version}"))
    say.facts(facts)
