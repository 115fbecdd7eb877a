"""Writing measured quality onto a model's card."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from hyperfocal.errors import UsageError
from hyperfocal.evaluate.report import Report
from hyperfocal.models.card import ModelCard, Precision, Quality


def record(report: Report, path: Path) -> ModelCard:
    """Put a report's means on the card at ``path``, and give the new card back.

    Replaces what the card said for the same suite, precision and number of pictures, and keeps
    the rest. :class:`UsageError` when the report is of another model, scale
    or kind of weights.
    """
    card = ModelCard.read(path)
    if (report.model, report.scale) != (card.name, card.scale):
        raise UsageError(
            f"{path} is the card of {card.name} x{card.scale}, the report of "
            f"{report.model} x{report.scale}"
        )
    if report.precision not in get_args(Precision):
        raise UsageError(f"a card has no place for figures of {report.precision}")
    measured = Quality.model_validate(
        {
            "suite": report.suite,
            "precision": report.precision,
            "images": len(report.images),
            "psnr": round(report.mean.psnr, 3),
            "ssim": round(report.mean.ssim, 4),
            "bicubic_psnr": round(report.bicubic.psnr, 3),
            "bicubic_ssim": round(report.bicubic.ssim, 4),
        }
    )
    kept = (entry for entry in card.quality if _key(entry) != _key(measured))
    updated = card.model_copy(update={"quality": tuple(sorted((*kept, measured), key=_key))})
    updated.write(path)
    return updated


def _key(entry: Quality) -> tuple[str, str, int]:
    return entry.suite, entry.precision, entry.images
