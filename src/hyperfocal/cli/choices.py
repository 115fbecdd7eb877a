"""Options that several verbs take, and reading them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import typer

from hyperfocal.errors import OutputRefused, SettingsError, UsageError

if TYPE_CHECKING:
    from hyperfocal.restore.target import Target
    from hyperfocal.settings import Settings

JSON = typer.Option(False, "--json", help="Print one JSON document to stdout and nothing else.")
DEPTH = typer.Option(
    None,
    "--depth",
    metavar="MAP",
    help="A grey picture of how near or far things are, either way round, or a folder of them "
    "called as the pictures are: what is out of focus is not sharpened. Left out, the map in "
    "the picture's own file, if there is one.",
)
NO_DEPTH = typer.Option(
    False, "--no-depth", help="Make no use of a depth map in the picture's own file."
)
THREADS = typer.Option(None, "--threads", min=0, help="Threads a picture; 0 means all cores.")
PRECISION = typer.Option(
    None, "--precision", help="Weights to run: auto, int8, float or bf16.", metavar="PRECISION"
)
RUNTIME = typer.Option(
    None, "--runtime", help="Engine to run them: auto, openvino or onnxruntime.", metavar="ENGINE"
)

# Python makes no numbers of thousands of digits, and no picture has sides of so many.
_SIDE = "[1-9][0-9]{0,17}"


def as_option(name: str) -> str:
    """A Python name as it is typed: ``long_edge`` is ``--long-edge``."""
    return f"--{name.replace('_', '-')}"


def read_settings(**given: object) -> Settings:
    """Settings from the environment, overridden by the options that were given (not None)."""
    from hyperfocal.settings import Settings

    given = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings.read(None, **given)
    except SettingsError as error:
        text = str(error)
        for name in given:
            text = text.replace(f"setting '{name}'", as_option(name))
        raise SettingsError(text) from error


def read_target(*, size: str | None, **others: Any) -> Target:
    """How large results shall be, from options of the names that :class:`Target` has.

    ``size``: as it was written.
    """
    from hyperfocal.restore.target import Target

    given = {"size": None if size is None else read_size(size), **others}
    only_one(**given)
    try:
        return Target(**given)
    except UsageError as error:
        # Its sentences begin with what they are about.
        name, _, rest = str(error).partition(" ")
        raise UsageError(f"{as_option(name)} {rest}") from error


def read_format(text: str) -> str:
    """The name of a format that can be written; :class:`UsageError` for anything else."""
    from hyperfocal.imaging.formats import written_format

    try:
        return written_format(text).name
    except OutputRefused as error:
        raise UsageError(str(error)) from error


def check_bits(bits: int | None) -> None:
    """:class:`UsageError` for a ``--bit-depth`` that no format has."""
    if bits is not None and bits not in (8, 10, 12, 16, 32):
        raise UsageError(f"--bit-depth is 8, 10, 12, 16 or 32, not {bits}")


def check_decibels(option: str, bound: float | None) -> None:
    """:class:`UsageError` for a bound that is no number."""
    if bound is not None and not math.isfinite(bound):
        raise UsageError(f"{option} is a number of dB, not {bound}")


def check_depth(form: str, bits: int | None) -> None:
    """:class:`UsageError` where a format cannot be written with the ``--bit-depth`` asked for."""
    from hyperfocal.imaging import plan
    from hyperfocal.imaging.formats import written_format

    try:
        plan.check_depth(written_format(form), bits)
    except OutputRefused as error:
        raise UsageError(f"{error}; leave --bit-depth out or name another format") from error


def read_size(text: str) -> tuple[int | None, int | None]:
    """``1920x1080``, ``1920x`` or ``x1080`` as (width, height)."""
    match = re.fullmatch(rf"({_SIDE})?[xX]({_SIDE})?", text.strip())
    if match is None or match[1] is match[2] is None:
        raise UsageError(f"'{text:.60}' is not a size; write 1920x1080, 1920x or x1080")
    return (int(match[1]) if match[1] else None, int(match[2]) if match[2] else None)


def only_one(**given: object) -> None:
    """:class:`UsageError` when more than one of these options was given."""
    there = [name for name, value in given.items() if value is not None and value is not False]
    if len(there) > 1:
        raise UsageError(f"{' and '.join(map(as_option, there))} exclude each other")
