"""``hyperfocal doctor``: what this installation can do."""

from __future__ import annotations

from dataclasses import asdict

import typer

from hyperfocal.cli import say
from hyperfocal.cli.choices import JSON, PRECISION, RUNTIME, THREADS, read_settings


def doctor(
    threads: int | None = THREADS,
    precision: str | None = PRECISION,
    runtime: str | None = RUNTIME,
    as_json: bool = JSON,
) -> None:
    """Show processor, engines, formats, and how each model would run; say what is wrong."""
    from hyperfocal.cli.progress import size_of
    from hyperfocal.models.doctor import doctor as examine

    settings = read_settings(threads=threads, precision=precision, runtime=runtime)
    report = examine(settings)
    if as_json:
        say.document(asdict(report))
    else:
        able = ", ".join(name for name, there in report.capabilities.items() if there)
        say.facts(
            [
                ("hyperfocal", report.hyperfocal),
                ("python", f"{report.python}, {report.system}"),
                ("processor", f"{report.processor}, {report.cores} cores, {able or 'no vectors'}"),
                ("threads", str(report.threads)),
                ("engines", _versions(report.engines)),
                ("libraries", _versions(report.libraries)),
                ("extra formats", _versions(report.formats)),
                ("models in", report.model_folder),
                (
                    "compiled models",
                    f"{report.cache_folder}, {size_of(report.cache_bytes)}"
                    + ("" if report.cache_writable else ", not writable"),
                ),
            ]
        )
        typer.echo()
        rows = [("model", "engine", "weights", "arithmetic")]
        rows.extend(
            (choice.model, choice.runtime, choice.precision, choice.arithmetic)
            for choice in report.models
            if not choice.problem
        )
        say.table(rows)
        for name, command in report.install.items():
            typer.echo(f"to add {name}: {command}")
        typer.echo("\n".join(report.problems) if report.problems else "everything is in order")
    if report.problems:
        raise typer.Exit(1)


def _versions(found: dict[str, str | None]) -> str:
    return ", ".join(f"{name} {version or 'not installed'}" for name, version in found.items())
