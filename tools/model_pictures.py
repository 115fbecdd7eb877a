"""Make docs/images/models/NAME.webp for every trained model: bicubic, restored, original at 1:1.

The input is the original of the sample (examples/README.md), reduced by the model's scale; for
``restore-*`` it is saved as a JPEG of quality 60 besides. Each tells, as its description, which
weights made it; tests/test_pictures.py compares that with the card.
"""

from __future__ import annotations

import io
import sys

import numpy as np
import stamp
from before_after import ROOT, compose
from PIL import Image

import hyperfocal
from hyperfocal.models import list as list_models
from hyperfocal.quality import imresize

OUT = ROOT / "docs" / "images" / "models"
_JPEG = 60


def panels(name: str, scale: int) -> list[tuple[str, Image.Image]]:
    """Label and picture of each column, all of the original's size."""
    original = np.asarray(hyperfocal.open(ROOT / "examples" / "astronaut-original.webp").pixels)
    height, width = (side - side % scale for side in original.shape[:2])
    original = original[:height, :width]
    small = np.rint(imresize(original / 255.0, 1.0 / scale) * 255.0).clip(0, 255).astype(np.uint8)
    label = "bicubic"
    if name.startswith("restore-"):
        file = io.BytesIO()
        Image.fromarray(small).save(file, "JPEG", quality=_JPEG)
        small = np.asarray(Image.open(file))
        label = f"JPEG of quality {_JPEG}, bicubic"
    bicubic = hyperfocal.upscale(small, scale=scale, model="bicubic")
    restored = hyperfocal.upscale(small, scale=scale, model=name)
    columns = [(label, bicubic), (name, restored), ("original", original)]
    return [(text, Image.fromarray(np.asarray(pixels))) for text, pixels in columns]


def main(pattern: str = "*") -> None:
    """One picture a model that matches."""
    OUT.mkdir(parents=True, exist_ok=True)
    for card in list_models(pattern):
        if not card.weights:
            continue
        path = OUT / f"{card.name}.webp"
        sheet = compose(panels(card.name, card.scale))
        stamp.save(sheet, path, card.weights["int8"].sha256, quality=88)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
