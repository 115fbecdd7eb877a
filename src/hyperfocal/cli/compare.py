"""``hyperfocal compare``: two pictures in figures."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from hyperfocal.cli import say, streams
from hyperfocal.cli.choices import JSON, read_settings
from hyperfocal.cli.find import PIPE
from hyperfocal.errors import UsageError

if TYPE_CHECKING:
    from hyperfocal.imaging import Picture
    from hyperfocal.settings import Settings


def compare(
    a: str = typer.Argument(..., metavar="A", help="A picture; '-' is stdin.", show_default=False),
    b: str = typer.Argument(
        ...,
        metavar="B",
        help="The reference, or a smaller or larger version; '-' is stdin.",
        show_default=False,
    ),
    shave: int = typer.Option(
        0,
        "--shave",
        min=0,
        help="Leave out so many pixels along every border, of pictures of one size.",
    ),
    as_json: bool = JSON,
) -> None:
    """Compare two pictures.

    Of one size: PSNR, SSIM, MSE and SNR of A against B. Where one is an enlargement of the
    other: how consistent the two are, in dB. Transparency is not compared, nor is colour that it
    hides. Figures of one size are those of 8 bits, as in the literature; of deeper pictures a note
    says so, and whether they differ by less.
    """
    from hyperfocal.evaluate import compare as compare_pictures

    if a == b == PIPE:
        raise UsageError("only one of the two can come from stdin")
    if PIPE in (a, b):
        streams.check_in()
    settings = read_settings()
    one, other = (_source(name, settings) for name in (a, b))
    found = replace(compare_pictures(one, other, shave=shave, settings=settings), a=a, b=b)
    if as_json:
        say.document(found.to_dict())
        return
    units = (
        ("psnr", "PSNR", "{:.2f} dB"),
        ("ssim", "SSIM", "{:.4f}"),
        ("mse", "MSE", "{:.2f}"),
        ("snr", "SNR", "{:.2f} dB"),
        ("scale", "scale", "{:.4g}"),
        ("consistency", "consistency", "{:.2f} dB"),
    )
    lines = [
        (title, form.format(value))
        for name, title, form in units
        if (value := getattr(found, name)) is not None
    ]
    say.facts([*lines, ("basis", found.basis)])
    for note in found.notes:
        say.line(f"note: {note}")


def _source(name: str, settings: Settings) -> str | Picture:
    """A path, or the picture that comes through the pipe."""
    if name != PIPE:
        return name
    from hyperfocal import imaging

    return imaging.open(sys.stdin.buffer, settings=settings)
