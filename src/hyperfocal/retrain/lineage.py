"""What the models had that a model comes from, so that small losses do not add up.

Each retraining may lose a little on a frozen suite against the model it starts from. A card keeps
the best that any model before it had there, and its successors are judged against that as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from hyperfocal.evaluate.report import Report
from hyperfocal.models.card import Quality
from hyperfocal.retrain.report import counted

# Means of bicubic (dB) nearer than this are those of the same pictures.
_SAME = 0.005


def best(lineage: Sequence[Quality], reports: Iterable[Report]) -> tuple[Quality, ...]:
    """The best figures known of each suite and kind of weights, for the card of what comes next.

    ``lineage``: those on the champion's card; ``reports``: of the champion itself. Where a suite
    has other pictures than it had, its old figures go.
    """
    found = {_key(entry): entry for entry in lineage}
    for report in reports:
        measured = _figures(report)
        before = best_psnr(lineage, report)
        if before is None or measured.psnr > before:
            found[_key(measured)] = measured
    return tuple(found[key] for key in sorted(found))


def best_psnr(lineage: Sequence[Quality], report: Report) -> float | None:
    """The PSNR in dB that a lineage had on the pictures of a report; None if it is not known."""
    measured = _figures(report)
    for entry in lineage:
        same = abs(entry.bicubic_psnr - measured.bicubic_psnr) < _SAME
        if same and _key(entry) == _key(measured):
            return entry.psnr
    return None


def _figures(report: Report) -> Quality:
    model, bicubic = report.mean, report.bicubic
    return Quality.of(
        report.suite,
        report.precision,
        len(report.images),
        (fmean(counted(report)), model.ssim),
        (bicubic.psnr, bicubic.ssim),
    )


def _key(entry: Quality) -> tuple[str, str, int]:
    return entry.suite, entry.precision, entry.images
