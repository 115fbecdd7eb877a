"""Models as they ship and as they shipped at earlier commits, beside each other."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from readme_figures import ROOT

if TYPE_CHECKING:
    from hyperfocal import Upscaler
    from hyperfocal.training.data import Pixels

SHIPPED = "src/hyperfocal/models/shipped"


def of_commits(
    names: Sequence[str], commits: Sequence[str], scratch: Path
) -> tuple[list[dict[str, str]], list[Upscaler]]:
    """Which models these are, those of the commits first, and each of them loaded, in int8.

    ``names``: of models or files of cards. ``scratch``: a folder for what comes from git.
    """
    from hyperfocal import Upscaler
    from hyperfocal.models.registry import find, read_entry

    models: list[dict[str, str]] = []
    nets: list[Upscaler] = []
    for commit in (*commits, ""):
        for name in names:
            where = name
            if commit:
                folder = scratch / commit
                folder.mkdir(exist_ok=True)
                where = str(_shipped(commit, name, folder))
            entry = read_entry(Path(where)) if where.endswith(".toml") else find(where)
            digest = entry.card.weights["int8"].sha256
            models.append({"model": name, "commit": commit, "weights": digest})
            nets.append(Upscaler.load(where, precision="int8"))
    return models, nets


def psnr_of_each(models: Sequence[Upscaler], scale: int, lr: Pixels, hr: Pixels) -> list[float]:
    """PSNR of bicubic and of the models on a pair of pictures ``(H, W, 3)``, in dB."""
    from hyperfocal import Picture
    from hyperfocal.quality import scores
    from hyperfocal.quality.resize import enlarge_bicubic

    size = hr.shape[1], hr.shape[0]
    made = [enlarge_bicubic(lr, scale)]
    made += [np.asarray(m(Picture(lr), size=size).picture.pixels, np.uint8) for m in models]
    return [scores(pixels, hr, shave=scale).psnr for pixels in made]


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
