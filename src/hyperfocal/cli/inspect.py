"""``hyperfocal inspect``: what files say about their pictures."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hyperfocal.cli import say, streams
from hyperfocal.cli.choices import JSON, read_settings
from hyperfocal.cli.find import PIPE
from hyperfocal.errors import InputError

if TYPE_CHECKING:
    from hyperfocal.imaging import Facts


def inspect(
    inputs: list[str] = typer.Argument(
        ..., metavar="IN...", help="Pictures; '-' is stdin.", show_default=False
    ),
    as_json: bool = JSON,
) -> None:
    """Show size, depth, colour profile and metadata, without decoding the pixels."""
    from hyperfocal import imaging

    if PIPE in inputs:
        streams.check_in()
    settings = read_settings()
    files: list[dict[str, object]] = []
    errors: list[InputError] = []
    for name in inputs:
        try:
            source = sys.stdin.buffer if name == PIPE else Path(name)
            facts = imaging.inspect(source, settings=settings)
        except InputError as error:
            errors.append(error)
            files.append({"input": name, "error": {"code": error.code, "message": str(error)}})
            say.error(str(error))
            continue
        files.append({"input": name, **asdict(facts), "error": None})
        if not as_json:
            typer.echo(say.in_a_row(f"{name}: {_describe(facts)}"))
    if as_json:
        say.document({"files": files})
    if errors:
        raise typer.Exit(errors[0].exit_code if len(errors) == len(inputs) else 1)


def _describe(facts: Facts) -> str:
    """One line."""
    depth = f"{facts.bit_depth} bit"
    if facts.is_float:
        depth = "float" if facts.bit_depth == 32 else f"{depth} float"
    parts = [
        f"{facts.format} {facts.width}x{facts.height}",
        facts.mode if facts.mode == "1 bit" else f"{facts.mode} {depth}",
    ]
    if facts.has_alpha:
        parts.append("alpha")
    if facts.frames > 1:
        parts.append(f"{facts.frames} frames")
    if facts.profile is not None:
        parts.append(f"profile '{facts.profile}'")
    if facts.orientation != 1:
        parts.append(f"orientation {facts.orientation}")
    if facts.dpi is not None:
        parts.append(f"{facts.dpi[0]:g} dpi")
    blocks = (("EXIF", facts.has_exif), ("XMP", facts.has_xmp), ("IPTC", facts.has_iptc))
    parts.extend(name for name, there in blocks if there)
    return ", ".join([*parts, f"{facts.bytes:,} bytes"])
