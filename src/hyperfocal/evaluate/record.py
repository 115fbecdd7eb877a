"""Writing measured quality and speed onto a model's card."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from hyperfocal.errors import UsageError
from hyperfocal.evaluate.bench import Row
from hyperfocal.evaluate.report import Report
from hyperfocal.models.card import VALIDATION, ModelCard, Precision, Quality, Speed


def check_name(suite: str) -> None:
    """:class:`UsageError` for the name of a suite that means something else on a card."""
    if suite == VALIDATION:
        raise UsageError(
            f"'{VALIDATION}' on a card means the pictures that the training chose by; give the "
            "folder of the suite another name"
        )


def record(report: Report, path: Path) -> ModelCard:
    """Put a report's means on the card at ``path``, and give the new card back.

    Replaces what the card said for the same suite, precision and number of pictures, and keeps
    the rest. :class:`UsageError` when the report is of another model, scale or kind of weights, or
    of a suite with the name of what is no suite.
    """
    card = ModelCard.read(path)
    if (report.model, report.scale) != (card.name, card.scale):
        raise UsageError(
            f"{path} is the card of {card.name} x{card.scale}, the report of "
            f"{report.model} x{report.scale}"
        )
    check_name(report.suite)
    if report.precision not in get_args(Precision):
        raise UsageError(f"a card has no place for figures of {report.precision}")
    measured = Quality.of(
        report.suite,
        report.precision,
        len(report.images),
        (report.mean.psnr, report.mean.ssim),
        (report.bicubic.psnr, report.bicubic.ssim),
    )
    kept = (entry for entry in card.quality if _key(entry) != _key(measured))
    updated = card.model_copy(update={"quality": tuple(sorted((*kept, measured), key=_key))})
    updated.write(path)
    return updated


def record_speed(row: Row, processor: str, path: Path) -> ModelCard:
    """Put a bench's figures on the card at ``path``, and give the new card back.

    Replaces those of the same weights, processor, threads and picture, and keeps the rest.
    :class:`UsageError` when the figures are of another model or scale.
    """
    card = ModelCard.read(path)
    if (row.model, row.scale) != (card.name, card.scale):
        raise UsageError(
            f"{path} is the card of {card.name} x{card.scale}, the figures are of "
            f"{row.model} x{row.scale:g}"
        )
    measured = Speed.model_validate(
        {
            "precision": row.precision,
            "processor": processor,
            "threads": row.threads,
            "side": row.side,
            "runs": row.runs,
            "median": round(row.median, 1),
            "p95": round(row.p95, 1),
            "reference": round(row.reference, 2),
            "peak_mb": round(row.peak_mb or 0.0, 1),
        }
    )
    kept = (entry for entry in card.speed if _speed_key(entry) != _speed_key(measured))
    updated = card.model_copy(update={"speed": tuple(sorted((*kept, measured), key=_speed_key))})
    updated.write(path)
    return updated


def _speed_key(entry: Speed) -> tuple[str, str, int, int]:
    return entry.processor, entry.precision, entry.threads, entry.side


def _key(entry: Quality) -> tuple[str, str, int]:
    return entry.suite, entry.precision, entry.images
