"""The tables of the README: quality from the models' cards, speed from benchmarks/speed/.

``make bench`` measures the speed, ``hyperfocal evaluate`` the quality; nothing is typed in by hand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from measured import below, busy
from speed import Row, speeds

ROOT = Path(__file__).parent.parent


def filled(readme: str) -> str:
    """The README's text with both tables as they should be."""
    readme = between(readme, "quality", quality())
    return between(readme, "speed", speed())


def quality() -> str:
    """A shipped model and precision a row, a suite a column, bicubic first."""
    from hyperfocal.evaluate.measuring import SUITES
    from hyperfocal.models.card import ModelCard
    from hyperfocal.models.registry import SHIPPED

    cards = [ModelCard.read(path) for path in sorted(SHIPPED.glob("*.toml"))]
    cards = sorted((card for card in cards if card.quality), key=lambda card: card.scale)
    named = {choice.suite for choice in SUITES}
    measured = {(entry.suite, entry.images) for card in cards for entry in card.quality}
    suites = sorted(key for key in measured if key[0] in named)
    if not suites:
        return ""
    rows = [["scale", "model", *(f"{suite} ({images})" for suite, images in suites)]]
    told: set[int] = set()
    for card in cards:
        found = {(e.suite, e.images, e.precision): e for e in card.quality}
        if card.scale not in told:
            told.add(card.scale)
            any_precision = {(e.suite, e.images): e for e in card.quality}
            cells = [
                _cell(entry.bicubic_psnr, entry.bicubic_ssim) if entry else ""
                for entry in map(any_precision.get, suites)
            ]
            rows.append([f"x{card.scale}", "bicubic", *cells])
        for precision in sorted({entry.precision for entry in card.quality}):
            entries = [found.get((*suite, precision)) for suite in suites]
            cells = [_cell(entry.psnr, entry.ssim) if entry else "" for entry in entries]
            rows.append([f"x{card.scale}", f"{card.name} ({precision})", *cells])
    return markdown(rows, "--" + "-" * len(suites))


def speed() -> str:
    """A table a processor, a model a row; milliseconds."""
    return "\n\n".join(_speed(on, rows) for on, rows in speeds().items() if rows)


def _speed(processor: str, measured: list[Row]) -> str:
    rows = [
        ["model", "median ms", "p95", "net", "with PNG", "with JPEG", "matrix product", "peak MB"],
        *(
            [
                f"{row['model']} ({row['precision']})",
                *(f"{row[name]:.0f}" for name in ("median", "p95", "net", "with_png", "with_jpeg")),
                f"{row['reference']:.1f}",
                "" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}",
            ]
            for row in measured
        ),
    ]
    first = measured[0]
    on = f"{processor}, {first['threads']} cores, {first['runs']} runs."
    load = max((row.get("load_average_before") or 0.0 for row in measured), default=None)
    return below(markdown(rows, "-#######"), on, busy(load))


def _cell(psnr: float, ssim: float) -> str:
    return f"{psnr:.2f} / {ssim:.4f}"


def markdown(rows: Sequence[Sequence[str]], columns: str) -> str:
    """A table of which the first row is the head.

    ``columns``: "-" for text, "#" for numbers, one character each.
    """
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("---:" if column == "#" else "---" for column in columns) + "|")
    return "\n".join(lines)


def between(text: str, name: str, content: str) -> str:
    """``text`` with ``content`` between the marks of that name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    inside = f"\n\n{content}\n\n" if content else "\n"
    return re.sub(
        f"{re.escape(begin)}.*?{re.escape(end)}",
        lambda _: f"{begin}{inside}{end}",
        text,
        flags=re.DOTALL,
    )
