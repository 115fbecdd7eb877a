"""How well damaged pictures come out, for docs/models.md.

    HYPERFOCAL_DATA=... python tools/restoring.py

The validation pictures in four parts each, every part damaged as its name decides (what ``train
degrade-suite`` writes), by every model of the scale that may be taken for them, in int8.
benchmarks/restoring.json keeps the figures and which weights they are of, ``make docs`` makes the
table of them.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from measured import below, earlier, weights
from readme_figures import ROOT, markdown

FIGURES = ROOT / "benchmarks" / "restoring.json"
_MODELS = ("photo-fast", "restore-fast", "restore-fine")
_SCALES = (2, 4)
_BICUBIC = "bicubic"
# In what order they are measured and shown, and to how many decimals.
_FIGURES = {"psnr": 2, "ssim": 4, "gmsd": 4, "fsim": 4, "haarpsi": 4}


def main() -> None:
    """Measure and keep."""
    from hyperfocal.training.suite import write_suite

    originals = Path(os.environ["HYPERFOCAL_DATA"]) / "val"
    rows: list[dict[str, Any]] = []
    for scale in _SCALES:
        with tempfile.TemporaryDirectory() as scratch:
            suite = Path(scratch) / "suite"
            write_suite(originals, suite, scale)
            rows += _measured(suite, scale)
    FIGURES.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _measured(suite: Path, scale: int) -> list[dict[str, Any]]:
    from hyperfocal import models
    from hyperfocal.evaluate import evaluate
    from hyperfocal.evaluate.perceptual import perceptual

    rows: list[dict[str, Any]] = []
    for card in (c for name in _MODELS for c in models.list(f"{name}-x{scale}")):
        report = evaluate(suite, card.name, precision="int8")
        seen = perceptual(suite, card.name, precision="int8")
        if not rows:
            cubic = report.bicubic.psnr, report.bicubic.ssim
            figures = *cubic, seen.bicubic_gmsd, seen.bicubic_fsim, seen.bicubic_haarpsi
            rows.append(_row(_BICUBIC, scale, len(report.images), *figures))
        figures = report.mean.psnr, report.mean.ssim, seen.gmsd, seen.fsim, seen.haarpsi
        rows.append(_row(card.name, scale, len(report.images), *figures))
        print(rows[-1], flush=True)
    return rows


def _row(model: str, scale: int, pictures: int, *figures: float) -> dict[str, Any]:
    named: dict[str, Any] = dict(zip(_FIGURES, figures, strict=True))
    if model != _BICUBIC:
        named["weights"] = weights(model)[model]
    return {"model": model, "scale": scale, "pictures": pictures} | named


def table() -> str:
    """The figures as Markdown, and what is wrong with them; empty where there are none."""
    if not FIGURES.is_file():
        return ""
    rows = json.loads(FIGURES.read_text(encoding="utf-8"))
    lines = [["model", "scale", "pictures", "PSNR", "SSIM", "GMSD", "FSIM", "HaarPSI"]]
    lines += [
        [
            row["model"],
            f"x{row['scale']}",
            str(row["pictures"]),
            *(f"{row[name]:.{digits}f}" for name, digits in _FIGURES.items()),
        ]
        for row in rows
    ]
    kept = {row["model"]: row.get("weights") for row in rows if row["model"] != _BICUBIC}
    return below(markdown(lines, "-#######"), earlier(kept))


if __name__ == "__main__":
    main()
