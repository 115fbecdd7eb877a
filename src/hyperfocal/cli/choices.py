"""Options that several verbs take, and reading them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import typer

from hyperfocal.errors import UsageError

if TYPE_CHECKING:
    from hyperfocal.settings import Settings

JSON = typer.Option(False, "--json", help="Print one JSON document to stdout and nothing else.")
THREADS = typer.Option(None, "--threads", min=0, help="Threads a picture; 0 means all cores.")
PRECISION = typer.Option(
    None, "--precision", help="Weights to run: auto, int8, float or bf16.", metavar="PRECISION"
)
RUNTIME = typer.Option(
    None, "--runtime", help="Engine to run them: auto, openvino or onnxruntime.", metavar="ENGINE"
)


def read_settings(**given: object) -> Settings:
    """Settings from the environment, overridden by the options that were given (not None)."""
    from hyperfocal.settings import Settings

    return Settings.read(
        None, **{name: value for name, value in given.items() if value is not None}
    )


def read_size(text: str) -> tuple[int | None, int | None]:
    """``1920x1080``, ``1920x`` or ``x1080`` as (width, height)."""
    match = re.fullmatch(r"([1-9][0-9]*)?[xX]([1-9][0-9]*)?", text.strip())
    if match is None or match[1] is match[2] is None:
        raise UsageError(f"'{text}' is not a size; write 1920x1080, 1920x or x1080")
    return (int(match[1]) if match[1] else None, int(match[2]) if match[2] else None)


def only_one(**given: object) -> None:
    """:class:`UsageError` when more than one of these options was given."""
    there = [name for name, value in given.items() if value is not None and value is not False]
    names = [f"--{name.replace('_', '-')}" for name in there]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} exclude each other")
