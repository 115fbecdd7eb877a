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

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from measured import below, earlier
from readme_figures import ROOT, markdown

if TYPE_CHECKING:
    from hyperfocal import Upscaler
    from hyperfocal.training.data import Pixels
    from hyperfocal.training.reduction import Reduction

FIGURES = ROOT / "benchmarks" / "sharpness.json"
SHIPPED = "src/hyperfocal/models/shipped"
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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--from-commit", action="append", default=[], metavar="COMMIT")
    parser.add_argument("--keep", action="store_true", help=f"write {FIGURES.name}, too")
    given = parser.parse_args()
    found = measured(given.models, given.from_commit)
    print(written(found))
    if given.keep:
        FIGURES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def measured(names: Sequence[str], commits: Sequence[str]) -> dict[str, Any]:
    """The models, those of the commits first, and PSNR of bicubic and of each model by size."""
    from hyperfocal import Upscaler
    from hyperfocal.models.registry import find, read_entry

    models: list[dict[str, str]] = []
    nets: list[Upscaler] = []
    with tempfile.TemporaryDirectory() as scratch:
        for commit in (*commits, ""):
            for name in names:
                where = name
                if commit:
                    folder = Path(scratch) / commit
                    folder.mkdir(exist_ok=True)
                    where = str(_shipped(commit, name, folder))
                entry = read_entry(Path(where)) if where.endswith(".toml") else find(where)
                digest = entry.card.weights["int8"].sha256
                models.append({"model": name, "commit": commit, "weights": digest})
                nets.append(Upscaler.load(where, precision="int8"))
        rows = [
            {"factor": factor, "by": by, "psnr": _row(nets, factor, by)} for factor, by in _SIZES
        ]
    return {"models": models, "rows": rows}


def written(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    of = [(m["model"], m["commit"]) for m in found["models"]]
    names = [f"{model} of {commit}" if commit else model for model, commit in of]
    table = [["pictures", "bicubic", *names]]
    for row in found["rows"]:
        what = "as they are" if row["factor"] == 1.0 else f"to {row['factor']:g}, {row['by']}"
        table.append([what, *(f"{psnr:.3f}" for psnr in row["psnr"])])
    return markdown(table, "-" + "#" * (1 + len(names)))


def table() -> str:
    """The figures that are kept as Markdown, and what is wrong with them."""
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    today = {m["model"]: m["weights"] for m in found["models"] if not m["commit"]}
    return below(written(found), earlier(today))


def _shipped(commit: str, name: str, folder: Path) -> Path:
    """The card of that model as it was, with its files, which may be another's, beside it."""
    from hyperfocal.models.card import ModelCard

    card = _taken(commit, f"{name}.toml", folder)
    for weights in ModelCard.read(card).weights.values():
        _taken(commit, weights.file, folder)
    return card


def _taken(commit: str, file: str, folder: Path) -> Path:
    path = f"{commit}:{SHIPPED}/{file}"
    made = subprocess.run(["git", "show", path], cwd=ROOT, check=True, capture_output=True)
    (folder / file).write_bytes(made.stdout)
    return folder / file


def _row(models: list[Upscaler], factor: float, by: Reduction) -> list[float]:
    """PSNR of bicubic and of the models, means over the pictures, to three decimals."""
    from hyperfocal import Picture
    from hyperfocal.quality import scores
    from hyperfocal.training.data import bicubic_pair, pictures_in, read_rgb
    from hyperfocal.training.reduction import smaller

    (scale,), rows = models[0].scales, []
    for file in pictures_in(Path(os.environ["HYPERFOCAL_DATA"]) / "val"):
        hr = read_rgb(file)
        lr, hr = bicubic_pair(hr if factor == 1.0 else smaller(hr, factor, by), scale)
        made = [_bicubic(lr, scale)]
        size = hr.shape[1], hr.shape[0]
        made += [np.asarray(m(Picture(lr), size=size).picture.pixels, np.uint8) for m in models]
        rows.append([scores(pixels, hr, shave=scale).psnr for pixels in made])
    return [round(float(psnr), 3) for psnr in np.mean(rows, axis=0)]


def _bicubic(lr: Pixels, scale: int) -> Pixels:
    from hyperfocal.quality import imresize

    enlarged = imresize(lr.astype(np.float32), float(scale))
    return np.clip(np.rint(enlarged), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
