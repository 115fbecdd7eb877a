"""How well pictures come out that a program prepared carelessly; for docs/degradations.md.

    HYPERFOCAL_DATA=... python tools/carelessly.py MODEL... [--from-commit COMMIT]... [--keep]

PSNR of luma of the validation pictures, reduced with and without a filter and sharpened by an
unsharp mask or not. MODELs are names or files of cards, in int8; with ``--from-commit`` also
what shipped under these names then, from git. It prints a table. With
``--keep`` the figures go into benchmarks/carelessly.json, with the weights that they are of, and
``make docs`` makes the table of the page.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from measured import kept_table, measure_and_keep
from models_of_commits import of_commits, psnr_of_each
from readme_figures import ROOT, markdown

if TYPE_CHECKING:
    from hyperfocal.training.data import Pixels

FIGURES = ROOT / "benchmarks" / "carelessly.json"
_SIGMA = 0.6
# Reduced with a filter, and the amount of the unsharp mask.
_WAYS = ((True, 0.0), (True, 2.0), (False, 0.0), (False, 1.0), (False, 2.5))


def main() -> None:
    """Measure, print, and keep where that is asked for."""
    measure_and_keep(__doc__ or "", FIGURES, measured, written)


def measured(names: Sequence[str], commits: Sequence[str]) -> dict[str, Any]:
    """The models, those of the commits first; PSNR of bicubic and of these, by name and way."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        models, nets = of_commits(names, commits, Path(scratch))
        for name in names:
            same = [net for net, of in zip(nets, models, strict=True) if of["model"] == name]
            (scale,) = same[0].scales
            for filtered, amount in _WAYS:
                pairs = _pairs(scale, filtered, amount)
                means = np.mean([psnr_of_each(same, scale, lr, hr) for lr, hr in pairs], axis=0)
                psnr = [round(float(mean), 3) for mean in means]
                row = {"model": name, "filtered": filtered, "amount": amount, "psnr": psnr}
                rows.append(row)
    return {"models": models, "rows": rows}


def _pairs(scale: int, filtered: bool, amount: float) -> Iterator[tuple[Pixels, Pixels]]:
    from hyperfocal.training.data import pictures_in, read_rgb
    from hyperfocal.training.degradations.resizing import Resize, from_bytes, to_bytes
    from hyperfocal.training.degradations.sharpening import Sharpen

    nothing_random = np.random.default_rng(0)
    for file in pictures_in(Path(os.environ["HYPERFOCAL_DATA"]) / "val"):
        hr = read_rgb(file)
        low = hr.shape[0] // scale, hr.shape[1] // scale
        lr = Resize(low, "bicubic", filtered).apply(from_bytes(hr), nothing_random)
        if amount:
            lr = Sharpen(_SIGMA, amount).apply(lr, nothing_random)
        yield to_bytes(lr), np.ascontiguousarray(hr[: low[0] * scale, : low[1] * scale])


def written(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    first = found["models"][0]["model"]
    ages = [
        f"as of {m['commit']}" if m["commit"] else "as it ships"
        for m in found["models"]
        if m["model"] == first
    ]
    table = [["model", "reduced", "sharpened", "bicubic", *ages]]
    for row in found["rows"]:
        how = "bicubically" if row["filtered"] else "without a filter"
        sharp = f"{row['amount']:.0%} at {_SIGMA:g} px" if row["amount"] else "not"
        table.append([row["model"], how, sharp, *(f"{psnr:.2f}" for psnr in row["psnr"])])
    return markdown(table, "---" + "#" * (1 + len(ages)))


def table() -> str:
    """The figures that are kept as Markdown, and what is wrong with them."""
    return kept_table(FIGURES, written)


if __name__ == "__main__":
    main()
