"""How well models do on photographs of every sharpness, as a table in Markdown.

    HYPERFOCAL_DATA=... python tools/sharpness.py MODEL... [--from-commit COMMIT]

PSNR of luma of the validation pictures as they are and made smaller first, in the ways that
training may make its pictures smaller (``data.reduce_by``), which takes the softness of the camera
out of them. MODELs are names or files of cards, of one scale, in int8; with ``--from-commit`` also
what shipped under these names then, from git.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from hyperfocal import Picture, Upscaler
from hyperfocal.models.card import ModelCard
from hyperfocal.quality import imresize, scores
from hyperfocal.training.data import Pixels, bicubic_pair, pictures_in, read_rgb
from hyperfocal.training.reduction import Reduction, smaller

ROOT = Path(__file__).parent.parent
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
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--from-commit", metavar="COMMIT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        models = {name: Upscaler.load(name, precision="int8") for name in options.models}
        if options.from_commit:
            models = {
                f"{name} before": Upscaler.load(
                    str(_shipped(options.from_commit, name, Path(scratch))), precision="int8"
                )
                for name in options.models
            } | models
        print("| pictures | bicubic |" + "".join(f" {name} |" for name in models))
        print("|---|" + "---:|" * (1 + len(models)))
        for factor, by in _SIZES:
            row = _row(list(models.values()), factor, by)
            what = "as they are" if factor == 1.0 else f"to {factor:g}, {by}"
            print(f"| {what} |" + "".join(f" {psnr:.3f} |" for psnr in row), flush=True)


def _shipped(commit: str, name: str, folder: Path) -> Path:
    """The card of that model as it was, with its files, which may be another's, beside it."""
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
    """PSNR of bicubic and of the models, means over the pictures."""
    (scale,), rows = models[0].scales, []
    for file in pictures_in(Path(os.environ["HYPERFOCAL_DATA"]) / "val"):
        hr = read_rgb(file)
        lr, hr = bicubic_pair(hr if factor == 1.0 else smaller(hr, factor, by), scale)
        made = [_bicubic(lr, scale)]
        size = hr.shape[1], hr.shape[0]
        made += [model(Picture(lr), size=size).picture.pixels for model in models]
        rows.append([scores(pixels, hr, shave=scale).psnr for pixels in made])
    means: list[float] = np.mean(rows, axis=0).tolist()
    return means


def _bicubic(lr: Pixels, scale: int) -> Pixels:
    enlarged = imresize(lr.astype(np.float32), float(scale))
    return np.clip(np.rint(enlarged), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
