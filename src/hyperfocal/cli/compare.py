"""``hyperfocal compare``: two pictures in figures."""

from __future__ import annotations

import typer

from hyperfocal.cli import say
from hyperfocal.cli.choices import JSON, read_settings


def compare(
    a: str = typer.Argument(..., metavar="A", help="A picture.", show_default=False),
    b: str = typer.Argument(
        ..., metavar="B", help="The reference, or a smaller or larger version.", show_default=False
    ),
    shave: int = typer.Option(
        0, "--shave", min=0, help="Leave out so many pixels along every border."
    ),
    as_json: bool = JSON,
) -> None:
    """Compare two pictures.

    Of one size: PSNR, SSIM, MSE and SNR of A against B. Where one is an enlargement of the
    other: how consistent the two are, in dB.
    """
    from hyperfocal.evaluate import compare as compare_pictures

    found = compare_pictures(a, b, shave=shave, settings=read_settings())
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
