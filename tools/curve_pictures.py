"""Draw docs/images/curves/NAME.webp from experiments/curves/NAME.csv, the figures of a training.

    python tools/curve_pictures.py [PATTERN]

To ship weights, put ``metrics.csv`` of their training there with them. A picture tells, as its
description, which int8 weights shipped when its curves came, and which curves it is of: as long as
these are the same it is left as it is, so that weights that came without theirs are found out, and
docs/models.md says which version a picture is of.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import stamp
from measured import weights
from PIL import Image
from readme_figures import ROOT

if TYPE_CHECKING:
    from hyperfocal.models.card import ModelCard

CURVES = ROOT / "experiments" / "curves"
OUT = ROOT / "docs" / "images" / "curves"


def main(pattern: str = "*") -> None:
    """One picture for each file of curves that matches and is not drawn yet."""
    for curves in sorted(CURVES.glob(f"{pattern}.csv")):
        path = OUT / f"{curves.stem}.webp"
        if path.is_file() and stamp.read(path).endswith(digest(curves)):
            continue
        draw(curves, path, f"{weights(curves.stem)[curves.stem]} {digest(curves)}")
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def digest(curves: Path) -> str:
    """The sha256 of a file of curves."""
    return hashlib.sha256(curves.read_bytes()).hexdigest()


def draw(curves: Path, path: Path, told: str) -> None:
    """The picture of a file of curves, under the name of the file."""
    from hyperfocal.training.curves import FILE
    from hyperfocal.training.curves import draw as drawn

    with tempfile.TemporaryDirectory() as scratch:
        run, sheet = Path(scratch) / curves.stem, Path(scratch) / "sheet.png"
        run.mkdir()
        (run / FILE).write_bytes(curves.read_bytes())
        drawn([run], sheet)
        path.parent.mkdir(parents=True, exist_ok=True)
        stamp.save(Image.open(sheet).convert("RGB"), path, told, quality=80)


def version(card: ModelCard, path: Path) -> str:
    """Which version of a model its picture of curves is of, in a sentence or two."""
    made, step = stamp.read(path).partition(" ")[0], f"{card.training.steps:,}"
    if made == card.weights["int8"].sha256:
        which = f"those of its step {step}"
        if card.training.averaged_with:
            which = f"the mean of {which} and of others ({card.training.averaged_with})"
        return f"The last training alone. The weights are {which}."
    if made:
        return f"The training of an earlier version, whose int8 weights had the sha256 {made[:12]}…"
    return "The training of this version or of an earlier one: the picture does not tell which."


if __name__ == "__main__":
    main(*sys.argv[1:])
