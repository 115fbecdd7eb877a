"""Measure shipped models on the literature's suites and write the means onto their cards.

    HYPERFOCAL_DATA=... python tools/measure_quality.py [PATTERN [PRECISION]]

Both precisions, or the one named, of every model that matches, of all where no pattern is given;
``hyperfocal train export --suite`` does the same for a model that is not shipped yet.
"""

from __future__ import annotations

import sys

from hyperfocal.evaluate import Report, measure_quality
from hyperfocal.models.card import Precision
from hyperfocal.models.registry import SHIPPED


def main(pattern: str = "*", *precisions: Precision) -> None:
    """Measure, print and record."""
    for path in sorted(SHIPPED.glob(f"{pattern}.toml")):
        measure_quality(path, precisions=precisions or None, on_report=_told)


def _told(report: Report) -> None:
    print(
        f"{report.model} {report.precision} {report.suite} ({len(report.images)}): "
        f"{report.mean.psnr:.3f} dB, {report.mean.ssim:.4f}; bicubic {report.bicubic.psnr:.3f} dB",
        flush=True,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
