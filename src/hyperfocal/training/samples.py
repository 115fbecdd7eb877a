"""What the net makes of validation pictures, as one picture to look at."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from PIL import Image, ImageDraw

from hyperfocal.quality.resize import enlarge_bicubic, imresize
from hyperfocal.training.data import Pixels
from hyperfocal.training.module import Restoration

FOLDER = "samples"
COLUMNS = ("input", "bicubic", "output", "original")
_log = logging.getLogger(__name__)

_HEAD = 16
_GAP = 4


class Samples(Callback):
    """Writes ``samples/step-STEP.png`` at every validation.

    A row a picture, for the first ``count``: input (its pixels enlarged as squares), bicubic,
    output, original, of the window of ``side`` LR pixels that bicubic does worst. One that cannot
    be written costs a warning, never the training.
    """

    def __init__(
        self, folder: Path, pairs: list[tuple[Pixels, Pixels]], *, count: int = 4, side: int = 64
    ) -> None:
        self.folder = folder / FOLDER
        self.pairs = pairs[:count]
        self.side = side
        self._windows: list[tuple[slice, slice]] = []

    @torch.no_grad()
    def on_validation_end(self, trainer: lightning.Trainer, pl_module: Restoration) -> None:
        if trainer.sanity_checking:
            return
        net = pl_module.experiment.net
        multiple = getattr(net, "unshuffle", 1)
        if not self._windows:
            self._windows = [hardest(lr, hr, self.side, multiple) for lr, hr in self.pairs]
        rows: list[tuple[Pixels, ...]] = []
        for (lr, hr), window in zip(self.pairs, self._windows, strict=True):
            low = np.ascontiguousarray(lr[window])
            scale = hr.shape[0] // lr.shape[0]
            high = hr[tuple(slice(part.start * scale, part.stop * scale) for part in window)]
            x = torch.from_numpy(low).permute(2, 0, 1)[None].to(pl_module.device).float() / 255.0
            made = pl_module.average(x)[0].float().nan_to_num().clamp(0, 1)
            pixels: Pixels = (made * 255.0).round().byte().permute(1, 2, 0).cpu().numpy()
            squares = low.repeat(scale, axis=0).repeat(scale, axis=1)
            cubic = enlarge_bicubic(low, scale)
            rows.append((squares, cubic, pixels, high))
        path = self.folder / f"step-{trainer.global_step:07d}.png"
        try:
            _write(grid(rows), path)
        except OSError as error:
            _log.warning("%s cannot be written: %s", path, error.strerror or error)


def _write(sheet: Image.Image, path: Path) -> None:
    """A picture as PNG, whole or not at all; OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        sheet.save(partial, format="PNG")
        partial.replace(path)
    except OSError:
        # What there is of it takes room that the next checkpoint may need.
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def hardest(lr: Pixels, hr: Pixels, side: int, multiple: int = 1) -> tuple[slice, slice]:
    """The LR window where bicubic errs most, at most ``side`` wide, at whole ``multiple``."""
    scale = hr.shape[0] // lr.shape[0]
    error = np.asarray(imresize(lr.astype(np.float32), float(scale)), np.float32) - hr
    sides = [min(side, length) // multiple * multiple for length in lr.shape[:2]]
    best, found = -1.0, (0, 0)
    for top in _starts(lr.shape[0], sides[0], multiple):
        for left in _starts(lr.shape[1], sides[1], multiple):
            part = error[
                top * scale : (top + sides[0]) * scale, left * scale : (left + sides[1]) * scale
            ]
            value = float(np.square(part).mean())
            if value > best:
                best, found = value, (top, left)
    return slice(found[0], found[0] + sides[0]), slice(found[1], found[1] + sides[1])


def _starts(length: int, side: int, multiple: int) -> range:
    return range(0, length - side + 1, max(multiple, side // 2 // multiple * multiple))


def grid(rows: list[tuple[Pixels, ...]]) -> Image.Image:
    """Pictures of one size a row, under the names of :data:`COLUMNS`."""
    widths = [max(row[column].shape[1] for row in rows) for column in range(len(COLUMNS))]
    heights = [max(picture.shape[0] for picture in row) for row in rows]
    sheet = Image.new(
        "RGB",
        (sum(widths) + _GAP * (len(widths) + 1), _HEAD + sum(heights) + _GAP * (len(rows) + 1)),
        (255, 255, 255),
    )
    pen = ImageDraw.Draw(sheet)
    x = _GAP
    for column, name in enumerate(COLUMNS):
        pen.text((x, 2), name, fill=(0, 0, 0))
        y = _HEAD
        for row, height in zip(rows, heights, strict=True):
            sheet.paste(Image.fromarray(row[column]), (x, y))
            y += height + _GAP
        x += widths[column] + _GAP
    return sheet
