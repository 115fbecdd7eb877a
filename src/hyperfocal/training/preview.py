"""A contact sheet of degradations: original, clean LR, degraded LR, and what was done."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hyperfocal.errors import SettingsError
from hyperfocal.training.data import Pixels, bicubic_pair, read_rgb
from hyperfocal.training.degradations import Degradations
from hyperfocal.training.degraded import degraded_pair
from hyperfocal.training.drawing import write_drawing

_GAP = 6
_TEXT = 250
_WRAP = 38


def contact_sheet(
    files: list[Path], scale: int, degradations: Degradations, *, seed: int = 0, side: int = 256
) -> Image.Image:
    """A row a picture: its middle, at most ``side`` wide, and the two LR pictures of it.

    LR pixels are enlarged as squares, so that nothing is smoothed over. :class:`SettingsError` for
    a picture of which nothing would be left.
    """
    rows = []
    for path in files:
        hr = _middle(read_rgb(path), side)
        if min(hr.shape[:2]) < scale:
            raise SettingsError(
                f"{path} is too small ({hr.shape[1]}x{hr.shape[0]}) for a scale of {scale}"
            )
        clean, hr = bicubic_pair(hr, scale)
        degraded, _, recipe = degraded_pair(hr, f"{path.stem}-{seed}", scale, 1, degradations)
        squares = [low.repeat(scale, axis=0).repeat(scale, axis=1) for low in (clean, degraded)]
        said = [path.name, *(str(step) for step in recipe.steps)]
        rows.append(([hr, *squares], said))
    return _sheet(rows)


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """Write a sheet as PNG whole or not at all; :class:`OutputRefused` where it cannot be."""
    write_drawing(path, lambda partial: sheet.save(partial, format="PNG"))


def _middle(picture: Pixels, side: int) -> Pixels:
    top, left = ((length - min(length, side)) // 2 for length in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def _sheet(rows: list[tuple[list[Pixels], list[str]]]) -> Image.Image:
    widths = [max(pictures[at].shape[1] for pictures, _ in rows) for at in range(3)]
    heights = [pictures[0].shape[0] + _GAP for pictures, _ in rows]
    sheet = Image.new("RGB", (sum(widths) + 4 * _GAP + _TEXT, sum(heights) + 20), (255, 255, 255))
    pen, x = ImageDraw.Draw(sheet), _GAP
    for name, width in zip(("original", "clean", "degraded"), widths, strict=True):
        pen.text((x, 4), name, fill=(0, 0, 0))
        x += width + _GAP
    y = 20
    for (pictures, said), height in zip(rows, heights, strict=True):
        x = _GAP
        for picture, width in zip(pictures, widths, strict=True):
            sheet.paste(Image.fromarray(picture), (x, y))
            x += width + _GAP
        lines = [line for step in said for line in textwrap.wrap(step, _WRAP)]
        pen.multiline_text((x, y), "\n".join(lines), fill=(0, 0, 0), spacing=3)
        y += height
    return sheet
