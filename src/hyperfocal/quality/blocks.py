"""Blocks of 8x8 pixels, as JPEG makes them, and how far they show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# Of levels, ``(H, W)`` or several of a size, ``(N, H, W)``; NaN where nothing is to be seen.
Planes = npt.NDArray[np.float32]

BLOCK = 8
# A step over a block border is one between nearly flat areas; edges of objects are larger.
_LARGEST_STEP = 12.0


def block_means(planes: Planes) -> Planes:
    """The mean of each whole block."""
    rows, columns = (side // BLOCK for side in planes.shape[-2:])
    whole = planes[..., : rows * BLOCK, : columns * BLOCK]
    blocks = whole.reshape(*planes.shape[:-2], rows, BLOCK, columns, BLOCK)
    means: Planes = blocks.mean(axis=(-3, -1))
    return means


def grid_step(planes: Sequence[Planes]) -> float:
    """The step over the most marked of the eight possible column grids, over the usual one."""
    total, count = np.zeros(BLOCK), np.zeros(BLOCK)
    for plane in planes:
        steps = np.abs(np.diff(plane, axis=1))
        # Less the steps beside it: a gradient or a texture has those too.
        excess = steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2
        width = excess.shape[1] // BLOCK * BLOCK
        if width == 0 or excess.shape[0] == 0:
            continue
        np.clip(excess, -_LARGEST_STEP, _LARGEST_STEP, out=excess)
        excess = excess[:, :width]
        seen = ~np.isnan(excess)
        columns = np.where(seen, excess, 0.0).sum(axis=0, dtype=np.float64)
        total += columns.reshape(-1, BLOCK).sum(axis=0)
        count += seen.sum(axis=0).reshape(-1, BLOCK).sum(axis=0)
    if not count.all():
        return 0.0
    lines = total / count
    at = int(lines.argmax())
    return float(lines[at] - np.median(np.delete(lines, at)))
