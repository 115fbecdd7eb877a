"""``hyperfocal train``: training and export (extra ``[train]``)."""

from __future__ import annotations

from pathlib import Path

import typer

from hyperfocal.cli import say
from hyperfocal.cli.degrading import degrade_suite, preview_degradations
from hyperfocal.errors import RuntimeMissing


def app() -> typer.Typer:
    """The verbs of training."""
    verbs = typer.Typer(help="Train models and export them.", no_args_is_help=True)
    verbs.command("fit")(fit)
    verbs.command("export")(export)
    verbs.command("preview-degradations")(preview_degradations)
    verbs.command("degrade-suite")(degrade_suite)
    return verbs


def _needs_torch() -> None:
    """The training extra is large and rarely wanted, so it may well be absent."""
    from importlib.util import find_spec

    for module in ("torch", "lightning", "onnx"):
        if find_spec(module) is None:
            raise RuntimeMissing(
                f"training needs {module}; install it with: pip install 'hyperfocal[train]'"
            )


def fit(
    experiment: Path = typer.Argument(help="The experiment file (TOML)."),
    out: Path = typer.Option(
        None, "--out", "-o", help="Folder for checkpoints and curves; runs/NAME by default."
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on from the last checkpoint there."),
    quiet: bool = typer.Option(False, "--quiet", help="No progress bar."),
) -> None:
    """Train a net as an experiment file says, keeping the best and the last checkpoint."""
    _needs_torch()
    from hyperfocal.training.experiment import Experiment
    from hyperfocal.training.fit import fit as run

    plan = Experiment.read(experiment)
    folder = out or Path("runs") / plan.name
    trained = run(plan, folder, resume=resume, progress=not quiet)
    say.facts(
        [
            ("checkpoint", str(folder / "best.ckpt")),
            ("best validation PSNR", f"{trained.best_psnr:.3f} dB"),
            ("last validation PSNR", f"{trained.final_psnr:.3f} dB"),
            ("steps", str(trained.steps)),
            ("minutes", f"{trained.seconds / 60.0:.1f}"),
        ]
    )


def export(
    checkpoint: Path = typer.Argument(help="A checkpoint, such as runs/NAME/best.ckpt."),
    folder: Path = typer.Option(
        Path(), "--out", "-o", help="Where the weights and the card go; here by default."
    ),
    calibration: int = typer.Option(
        48, "--calibration", min=1, help="Training pictures that set the int8 ranges."
    ),
) -> None:
    """Fold a checkpoint into float and int8 ONNX weights and write the model's card."""
    _needs_torch()
    from hyperfocal.training.export import export as run

    made = run(checkpoint, folder, calibration=calibration)
    say.facts(
        [
            ("card", str(folder / f"{made.card.name}.toml")),
            ("validation PSNR, float", f"{made.validation['float']:.3f} dB"),
            ("validation PSNR, int8", f"{made.validation['int8']:.3f} dB"),
            ("activations clipped", f"{made.clipped_share:g}"),
        ]
    )
