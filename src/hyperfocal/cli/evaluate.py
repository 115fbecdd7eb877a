"""``hyperfocal evaluate``: a model on a suite of pictures, beside bicubic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hyperfocal.cli import say
from hyperfocal.cli.choices import JSON, PRECISION, RUNTIME, THREADS, read_settings

if TYPE_CHECKING:
    from hyperfocal.evaluate import ImageScore, Report


def evaluate(
    suite: str = typer.Option(
        ...,
        "--suite",
        metavar="DIR|NAME",
        help="A folder of originals or of HR and LR, or a name under $HYPERFOCAL_DATA/eval.",
    ),
    model: str = typer.Option(..., "-m", "--model", metavar="MODEL", help="A model."),
    scale: int | None = typer.Option(None, "-s", "--scale", help="Left out, the model's own."),
    first: int | None = typer.Option(
        None, "--first", min=1, metavar="N", help="Only the first N pictures by name."
    ),
    threads: int | None = THREADS,
    precision: str | None = PRECISION,
    runtime: str | None = RUNTIME,
    as_json: bool = JSON,
    quiet: bool = typer.Option(False, "--quiet", help="Only the means."),
    eye: bool = typer.Option(
        False, "--perceptual", help="Also GMSD, FSIM and HaarPSI, which are closer to the eye."
    ),
) -> None:
    """Measure PSNR and SSIM by the protocol of the literature.

    MATLAB bicubic, luma of BT.601, a border as wide as the scale left out. Pairs that do not
    belong together are refused.
    """
    from hyperfocal.evaluate import evaluate as run
    from hyperfocal.quality.perceptual import LEAST
    from hyperfocal.quality.similarity import WINDOW

    settings = read_settings(threads=threads, precision=precision, runtime=runtime)
    report = run(
        suite,
        model,
        scale,
        first,
        settings,
        # Told before anything is measured that would be lost.
        least=max(LEAST, WINDOW) if eye else WINDOW,
        on_image=None if as_json or not say.is_terminal() else _count,
    )
    seen = None
    if eye:
        from hyperfocal.evaluate.perceptual import perceptual

        seen = perceptual(suite, model, scale, first, settings)
    if as_json:
        more = {} if seen is None else {"perceptual": seen.to_dict()}
        say.document({**report.to_dict(), **more})
        return
    _print(report, quiet)
    if seen is not None:
        say.table(
            [
                ("", "GMSD", "FSIM", "HaarPSI"),
                ("model", *map(_four, (seen.gmsd, seen.fsim, seen.haarpsi))),
                (
                    "bicubic",
                    *map(_four, (seen.bicubic_gmsd, seen.bicubic_fsim, seen.bicubic_haarpsi)),
                ),
            ],
            right=(1, 2, 3),
        )


def _four(value: float) -> str:
    return f"{value:.4f}"


def _count(score: ImageScore, done: int, total: int) -> None:
    typer.echo(f"\r{done} of {total}", err=True, nl=done == total)


def _print(report: Report, quiet: bool) -> None:
    rows = [("picture", "PSNR", "bicubic", "SSIM", "bicubic", "consistency", "ms")]
    if not quiet:
        rows.extend(
            (
                image.name,
                f"{image.psnr:.2f}",
                f"{image.bicubic_psnr:.2f}",
                f"{image.ssim:.4f}",
                f"{image.bicubic_ssim:.4f}",
                f"{image.consistency:.2f}",
                f"{image.milliseconds:.0f}",
            )
            for image in report.images
        )
    mean, bicubic = report.mean, report.bicubic
    rows.append(
        (
            f"mean of {len(report.images)}",
            f"{mean.psnr:.2f}",
            f"{bicubic.psnr:.2f}",
            f"{mean.ssim:.4f}",
            f"{bicubic.ssim:.4f}",
            f"{mean.consistency:.2f}",
            f"{mean.milliseconds:.0f}",
        )
    )
    typer.echo(f"{report.suite} x{report.scale}, {report.model} ({report.precision})")
    say.table(rows, right=range(1, 7))
    typer.echo(report.protocol_check.reason)
