"""What is measured of a picture to tell what it has been through.

Noise, blocks, rims beside edges, blur and earlier enlargement leave traces in how neighbouring
pixels differ: how large second differences are in quiet places and in busy ones, how they go
together with those beside them, and how often a pixel is the extreme of its neighbours. As in
steganalysis (Fridrich & Kodovsky, "Rich models for steganalysis of digital images", IEEE
Transactions on Information Forensics and Security 7(3), 2012), differences show what the content
of a picture would drown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hyperfocal.quality.blocks import Planes, block_means, grid_step

# To luma and two differences of colour (ITU-R BT.601).
_COLOURS = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_QUANTILES = (0.25, 0.5, 0.75, 0.95, 0.99)
_OF_BLOCKS = (0.05, 0.1, 0.25, 0.5, 0.9)
_OF_COLOUR = (0.1, 0.5, 0.9, 0.99)
# Between neighbours: where classes of contrast end, in levels.
_CONTRASTS = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
# Of fewer pixels a mean says nothing.
_ENOUGH = 8


def traces(squares: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The measures of a picture, ``(n,)``, of no unit.

    ``squares``: RGB in 8-bit levels, ``(N, H, W, 3)``, sides of 20 or more.
    """
    planes = np.ascontiguousarray(np.moveaxis(squares @ _COLOURS.T, -1, 0))
    luma, colours = planes[0], planes[1:]
    found = [*_of_plane(luma), *_of_plane(_halved(luma))]
    for plane in colours:
        found += _of_colour(plane)
    found += [_log(np.abs(luma[:, :, far:] - luma[:, :, :-far]).mean()) for far in (1, 2, 3, 5)]
    found += sorted(grid_step([*each]) for each in (luma, luma.transpose(0, 2, 1)))
    found += [_log(luma.std()), (float(luma.mean()) - 128.0) / 64.0]
    return np.array(found, np.float32)


def _of_plane(plane: Planes) -> list[float]:
    """Of second differences along rows, along columns, and of both one after the other."""
    around = [plane[:, row : plane.shape[1] - 2 + row] for row in range(3)]
    near = [[row[:, :, at : row.shape[2] - 2 + at] for at in range(3)] for row in around]
    centre = near[1][1]
    rows: Planes = near[1][0] + near[1][2] - 2.0 * centre
    columns: Planes = near[0][1] + near[2][1] - 2.0 * centre
    above, below = (row[0] + row[2] - 2.0 * row[1] for row in (near[0], near[2]))
    both: Planes = above + below - 2.0 * rows
    sizes = [np.abs(rows), np.abs(columns), np.abs(both)]
    found = []
    for size in sizes:
        found += [_log(size.mean()), _log(np.sqrt(np.square(size).mean()))]
        found += _quantiles(size, _QUANTILES)
    found += [_log(np.abs(np.diff(plane, axis=axis)).mean()) for axis in (1, 2)]
    for bends, along in ((rows, 2), (columns, 1)):
        found += [_alike(bends, along, far) for far in (1, 2, 3, 4)]
        found += [_alike(bends, 3 - along, far) for far in (1, 2)]
    found += [_alike(both, axis, far) for far in (1, 2, 3) for axis in (1, 2)]
    found += _quantiles(block_means(sizes[2]), _OF_BLOCKS)
    every = [each for row in near for each in row]
    highest, lowest = np.maximum.reduce(every), np.minimum.reduce(every)
    extreme = ((centre == highest) | (centre == lowest)) * np.float32(4.0)
    bend = np.maximum(sizes[0], sizes[1])
    return found + _by_contrast(highest - lowest, (sizes[2], bend, extreme))


def _of_colour(plane: Planes) -> list[float]:
    inner = plane[:, 1:-1, 1:-1]
    around = plane[:, 1:-1, :-2] + plane[:, 1:-1, 2:] + plane[:, :-2, 1:-1] + plane[:, 2:, 1:-1]
    sizes = np.abs(around - 4.0 * inner)
    step = np.abs(np.diff(plane, axis=2)).mean()
    return [_log(sizes.mean()), *_quantiles(sizes, _OF_COLOUR), _log(step)]


def _by_contrast(contrast: Planes, sizes: Sequence[Planes]) -> list[float]:
    """Of pixels of each class of contrast: the means of ``sizes``, and how many there are."""
    classes = np.searchsorted(np.array(_CONTRASTS, np.float32), contrast.ravel(), side="right")
    count = np.bincount(classes, minlength=len(_CONTRASTS) + 1)
    found = []
    for size in sizes:
        total = np.bincount(classes, size.ravel(), minlength=len(count))
        means = np.where(count > _ENOUGH, total / np.maximum(count, 1), 0.0)
        found += [_log(mean) for mean in means]
    return found + [_log(share) for share in count / contrast.size * 10.0]


def _alike(values: Planes, axis: int, far: int) -> float:
    """How values go together with those ``far`` pixels on, in [-1, 1]."""
    length = values.shape[axis]
    one = np.take(values, range(far, length), axis)
    other = np.take(values, range(length - far), axis)
    return float(np.vdot(one, other) / one.size / (np.vdot(values, values) / values.size + 1e-3))


def _quantiles(values: Planes, shares: Sequence[float]) -> list[float]:
    return [_log(each) for each in np.quantile(values, shares)]


def _halved(plane: Planes) -> Planes:
    count, height, width = (plane.shape[0], *(side // 2 for side in plane.shape[1:]))
    pairs = plane[:, : height * 2, : width * 2].reshape(count, height, 2, width, 2)
    means: Planes = pairs.mean(axis=(2, 4))
    return means


def _log(value: float | np.floating[npt.NBitBase]) -> float:
    """Of a size in levels; finite at zero."""
    return float(np.log(float(value) + 0.02))
