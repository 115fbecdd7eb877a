"""Make docs/images/before-after.png: a crop of the sample at 1:1, bicubic beside restored.

The sample is half of a public photograph (examples/README.md), so that the third panel can show
what was there before it was reduced.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import hyperfocal

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "images" / "before-after.png"
# Left, top, width and height in the restored picture: the mission patch and the shoulder.
CROP = (100, 300, 216, 160)
FACE = (130, 40, 216, 160)
_GAP, _LABEL = 8, 22


def panels(model: str) -> list[tuple[str, Image.Image]]:
    """Label and picture of each column, all of the original's size."""
    sample = hyperfocal.open(ROOT / "examples" / "astronaut.jpg")
    original = hyperfocal.open(ROOT / "examples" / "astronaut-original.webp")
    scale = original.width / sample.width
    bicubic = hyperfocal.Upscaler.load("bicubic")(sample, scale=scale)
    restored = hyperfocal.Upscaler.load(model)(sample, scale=scale)
    pictures = [
        ("input, bicubic", bicubic.picture),
        ("restored", restored.picture),
        ("original", original),
    ]
    return [(label, Image.fromarray(np.asarray(each.pixels))) for label, each in pictures]


def compose(columns: list[tuple[str, Image.Image]]) -> Image.Image:
    """The crops side by side, one row each, under their labels."""
    width = len(columns) * (CROP[2] + _GAP) - _GAP
    sheet = Image.new("RGB", (width, _LABEL + CROP[3] + _GAP + FACE[3]), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=14)
    for index, (label, picture) in enumerate(columns):
        x = index * (CROP[2] + _GAP)
        draw.text((x + 2, 2), label, fill="black", font=font)
        y = _LABEL
        for left, top, wide, high in (FACE, CROP):
            sheet.paste(picture.crop((left, top, left + wide, top + high)), (x, y))
            y += high + _GAP
    return sheet


def main() -> None:
    """Write the picture and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="restore-fast")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    sheet = compose(panels(given.model))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(given.out, optimize=True)
    print(f"{given.out}: {sheet.width}x{sheet.height}, {given.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
