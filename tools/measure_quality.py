"""Measure shipped models on the literature's suites and write the means onto their cards.

    HYPERFOCAL_DATA=... python tools/measure_quality.py [PATTERN]

Both precisions of every model that matches, on Set5, BSD100, Urban100 and the first 20 pictures
of Urban100, which peers' figures are often given for.
"""

from __future__ import annotations

import sys

from hyperfocal.evaluate import evaluate
from hyperfocal.evaluate.record import record
from hyperfocal.models import list as list_models
from hyperfocal.models.registry import SHIPPED
from hyperfocal.settings import Settings

SUITES: tuple[tuple[str, int | None], ...] = (
    ("Set5", None),
    ("BSD100", None),
    ("Urban100", None),
    ("Urban100", 20),
)


def main(pattern: str = "photo-*") -> None:
    """Measure, print and record."""
    for card in list_models(pattern):
        for precision in sorted(card.weights):
            settings = Settings(precision=precision)
            for suite, first in SUITES:
                report = evaluate(suite, card.name, card.scale, first, settings)
                record(report, SHIPPED / f"{card.name}.toml")
                print(
                    f"{card.name} {precision} {suite} ({len(report.images)}): "
                    f"{report.mean.psnr:.3f} dB, {report.mean.ssim:.4f}; "
                    f"bicubic {report.bicubic.psnr:.3f} dB",
                    flush=True,
                )


if __name__ == "__main__":
    main(*sys.argv[1:])
