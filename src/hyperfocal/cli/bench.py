"""``hyperfocal bench``: speed and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hyperfocal.cli import say
from hyperfocal.cli.choices import JSON, PRECISION, RUNTIME, read_settings
from hyperfocal.cli.stopping import terminated_as_interrupt
from hyperfocal.errors import ModelMissing

if TYPE_CHECKING:
    from hyperfocal.evaluate.bench import Row
    from hyperfocal.settings import Settings


@terminated_as_interrupt()
def bench(
    model: list[str] = typer.Option(
        [],
        "-m",
        "--model",
        metavar="MODEL",
        help="A model, a family, an alias or a wildcard; may be given more than once; left out, "
        "all models.",
    ),
    scale: float | None = typer.Option(None, "-s", "--scale", help="Left out, each model's own."),
    side: int = typer.Option(512, "--side", min=1, help="Side of the square picture in pixels."),
    runs: int = typer.Option(20, "--runs", min=2, help="Runs of each kind."),
    threads: int = typer.Option(
        2, "--threads", min=1, help="Processor cores to use, if there are so many."
    ),
    precision: str | None = PRECISION,
    runtime: str | None = RUNTIME,
    as_json: bool = JSON,
) -> None:
    """Time models on a picture in memory and with files, and tell their peak memory.

    Each model runs in a process of its own. A fixed matrix product is timed between the runs:
    on a busy machine compare the ratio to it.
    """
    from hyperfocal.evaluate.bench import bench as run

    settings = read_settings(precision=precision, runtime=runtime)
    rows = []
    for name, own_scale in _chosen(model or ["*"], settings):
        rows.append(
            run(
                name,
                float(own_scale) if scale is None else scale,
                side=side,
                runs=runs,
                threads=threads,
                settings=settings,
            )
        )
        say.line(f"measured {name}")
    if as_json:
        from hyperfocal.models.hardware import processor

        say.document({"processor": processor().described, "rows": [row.to_dict() for row in rows]})
    else:
        _print(rows)


def _chosen(patterns: list[str], settings: Settings) -> list[tuple[str, int]]:
    """Names and native scales, each model once."""
    from hyperfocal import models
    from hyperfocal.models.registry import meant

    chosen: dict[str, int] = {}
    for pattern in patterns:
        cards = models.list(meant(pattern, settings), settings=settings)
        if not cards:
            raise ModelMissing(f"no model matches '{pattern}'; see 'hyperfocal models list'")
        chosen.update({card.name: card.scale for card in cards})
    return list(chosen.items())


def _print(rows: list[Row]) -> None:
    first = rows[0]
    typer.echo(
        f"{first.side}x{first.side}, {first.threads} threads, {first.runs} runs; milliseconds"
    )
    table = [
        (
            "model",
            "weights",
            "scale",
            "median",
            "p95",
            "net",
            "with PNG",
            "with JPEG",
            "matrix product",
            "peak MB",
            "load",
        )
    ]
    table.extend(
        (
            row.model,
            row.precision,
            f"x{row.scale:g}",
            f"{row.median:.1f}",
            f"{row.p95:.1f}",
            f"{row.net:.1f}",
            f"{row.with_png:.1f}",
            f"{row.with_jpeg:.1f}",
            f"{row.reference:.1f}",
            "" if row.peak_mb is None else f"{row.peak_mb:.0f}",
            f"{row.load:.0f}",
        )
        for row in rows
    )
    say.table(table, right=range(3, 11))
