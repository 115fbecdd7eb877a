"""How well models do on photographs of every sharpness; for docs/decisions/0009.

    HYPERFOCAL_DATA=... python tools/sharpness.py MODEL... [--from-commit COMMIT]... [--keep]

PSNR of luma of the validation pictures as they are and made smaller first, in the ways that
training may make its pictures smaller (``data.reduce_by``), which takes the softness of the camera
out of them. MODELs are names or files of cards, of one scale, in int8; with ``--from-commit`` also
what shipped under these names then, from git. It prints a table. With ``--keep`` the figures go
into benchmarks/sharpness.json, with the weights that they are of, and ``make docs`` makes the
table of the page.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from measured import kept_table, measure_and_keep
from models_of_commits import of_commits, psnr_of_each
from readme_figures import ROOT, markdown

if TYPE_CHECKING:
    from hyperfocal import Upscaler
    from hyperfocal.training.reduction import Reduction

FIGURES = ROOT / "benchmarks" / "sharpness.json"
_SIZES: tuple[tuple[float, Reduction], ...] = (
    (1.0, "bicubic"),
    (0.7, "bicubic"),
    (0.5, "bicubic"),
    (0.6, "lanczos"),
    (0.6, "hamming"),
    (0.5, "box"),
    (0.6, "aliased"),
)


def main() -> None:
    """Measure, print, and keep where that is asked for."""
    measure_and_keep(__doc__ or "", FIGURES, measured, written)


def measured(names: Sequence[str], commits: Sequence[str]) -> dict[str, Any]:
    """The models, those of the commits first, and PSNR of bicubic and of each model by size."""
    with tempfile.TemporaryDirectory() as scratch:
        models, nets = of_commits(names, commits, Path(scratch))
        rows = [
            {"factor": factor, "by": by, "psnr": _row(nets, factor, by)} for factor, by in _SIZES
        ]
    return {"models": models, "rows": rows}


def written(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    models = found["models"]
    names = [f"{m['model']} of {m['commit']}" if m["commit"] else m["model"] for m in models]
    table = [["pictures", "bicubic", *names]]
    for row in found["rows"]:
        what = "as they are" if row["factor"] == 1.0 else f"to {row['factor']:g}, {row['by']}"
        table.append([what, *(f"{psnr:.3f}" for psnr in row["psnr"])])
    return markdown(table, "-" + "#" * (1 + len(names)))


def table() -> str:
    """The figures that are kept as Markdown, and what is wrong with them."""
    return kept_table(FIGURES, written)


def _row(models: list[Upscaler], factor: float, by: Reduction) -> list[float]:
    """PSNR of bicubic and of the models, means over the pictures, to three decimals."""
    from hyperfocal.training.data import bicubic_pair, pictures_in, read_rgb
    from hyperfocal.training.reduction import smaller

    (scale,), rows = models[0].scales, []
    for file in pictures_in(Path(os.environ["HYPERFOCAL_DATA"]) / "val"):
        hr = read_rgb(file)
        pair = bicubic_pair(hr if factor == 1.0 else smaller(hr, factor, by), scale)
        rows.append(psnr_of_each(models, scale, *pair))
    return [round(float(psnr), 3) for psnr in np.mean(rows, axis=0)]


if __name__ == "__main__":
    main()
