"""What a picture has been through: evidence for choosing between two kinds of model.

Models of the kind "photo" expect clean pictures and keep every detail, grain and blocks
included; those of the kind "restore" take damage away. The evidence is in the file (how coarsely
a JPEG was quantised) and in the pixels: a net tells from them what restoring gains, and figures
of blocks, noise and sharpness say in words what it may have seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hyperfocal.quality.arrays import Array, check_pixels
from hyperfocal.quality.blocks import BLOCK, block_means, grid_step
from hyperfocal.quality.gain import expected_gain
from hyperfocal.quality.luma import to_levels

Kind = Literal["photo", "restore"]
# Luma; NaN where nothing is to be seen.
Plane = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

# Squares of this side, as many by as many, are looked at: the cost is that of a small picture,
# whatever the size. Eights, so that the blocks of JPEG lie alike in all of them.
_SIDE, _SQUARES = 256, 3
# The share of blocks that is taken to hold noise and nothing else.
_QUIET = 0.1
_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
# Blocks without a hidden pixel, where some are hidden: of fewer no figure can be trusted.
_FEWEST_BLOCKS = 16
# From the mean magnitude of Immerkaer's filter to the deviation of Gaussian noise.
_IMMERKAER = math.sqrt(math.pi / 2.0) / 6.0

# A JPEG below this is better restored, whatever it shows; see docs/degradations.md.
COARSE_JPEG = 88
# In dB. Where both kinds come as near, the one that takes nothing away is the better.
WORTH_RESTORING = 0.1
# Above and below these something is seen. In pictures too small for the net it decides.
VISIBLE_BLOCKS = 0.45
VISIBLE_NOISE = 5.0
SOFT = 0.42
HARD = 2.1

_NOTHING = "no sign of compression, noise, blur or sharpening"


@dataclass(frozen=True, slots=True)
class Figures:
    """``jpeg_quality``: 1 to 100, None if the file was no JPEG. ``gain``: in dB, None where too
    little is seen for it, see :func:`~hyperfocal.quality.gain.expected_gain`. The others are of
    luma, in 8-bit levels.

    ``blockiness``: see :func:`blockiness`; ``noise``: see :func:`quiet_noise`; ``detail``: see
    :func:`immerkaer`; ``sharpness``: see :func:`sharpness`.
    """

    jpeg_quality: int | None
    gain: float | None
    blockiness: float
    noise: float
    detail: float
    sharpness: float

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values by name."""
        return asdict(self)


def judge(
    jpeg_quality: int | None, pixels: Array, visible: Flags | None = None
) -> tuple[Kind, tuple[str, ...], Figures]:
    """Which kind of model suits a picture, why, and the figures behind it.

    ``jpeg_quality``: what the file's tables say, None if it was no JPEG; ``pixels``: ``(H, W)`` or
    ``(H, W, 3)``, uint8, uint16 or float, of which what is beyond [0, 1] counts as that;
    ``visible``: ``(H, W)``, what of them counts, None for all. "restore" for a coarse JPEG and
    where restoring is expected to gain; in pictures too small to expect anything, where any damage
    is seen. "photo" if not, with a reason that says so. :class:`ArrayError` for other arrays.
    """
    figures = examine(jpeg_quality, pixels, visible)
    seen, gain = signs(figures), figures.gain
    if gain is None or _is_coarse(figures):
        return ("restore", seen, figures) if seen else ("photo", (_NOTHING,), figures)
    if gain > WORTH_RESTORING:
        expected = f"restoring is expected to come {gain:.1f} dB nearer to the original"
        return "restore", (*(seen or ("traces of damage",)), expected), figures
    if seen:
        return "photo", ("restoring is not expected to come nearer to the original", *seen), figures
    return "photo", (_NOTHING,), figures


def signs(figures: Figures) -> tuple[str, ...]:
    """What of damage there is to be seen, in words; empty where there is none."""
    seen = []
    if _is_coarse(figures):
        seen.append(f"a JPEG of quality {figures.jpeg_quality}, under {COARSE_JPEG}")
    if figures.blockiness > VISIBLE_BLOCKS:
        seen.append(f"8x8 blocks of {figures.blockiness:.2f} levels show, over {VISIBLE_BLOCKS:g}")
    if figures.noise > VISIBLE_NOISE:
        seen.append(f"noise of {figures.noise:.1f} levels, over {VISIBLE_NOISE:g}")
    if figures.sharpness < SOFT:
        seen.append(f"soft: a sharpness of {figures.sharpness:.2f}, under {SOFT:g}")
    if figures.sharpness > HARD:
        seen.append(
            f"sharpened, or reduced without a filter: a sharpness of {figures.sharpness:.2f}, "
            f"over {HARD:g}"
        )
    return tuple(seen)


def _is_coarse(figures: Figures) -> bool:
    return figures.jpeg_quality is not None and figures.jpeg_quality < COARSE_JPEG


def examine(jpeg_quality: int | None, pixels: Array, visible: Flags | None = None) -> Figures:
    """The figures of a picture; of pixels that are too few for one, its value for a clean one.

    ``visible``: ``(H, W)``; the figures do not depend on pixels for which it is False.
    """
    check_pixels(pixels)
    if visible is not None:
        if visible.all():
            visible = None
        else:
            box = _box(visible)
            pixels, visible = pixels[box], visible[box]
    gain = expected_gain(pixels, visible)
    planes = []
    for rows in _spread(pixels.shape[0]):
        for columns in _spread(pixels.shape[1]):
            plane = _luma(pixels[rows, columns])
            if visible is not None:
                plane[~visible[rows, columns]] = np.nan
            planes.append(plane)
    if visible is not None and sum(map(_whole_blocks, planes)) < _FEWEST_BLOCKS:
        planes = []
    return Figures(
        jpeg_quality,
        gain,
        blockiness(planes),
        quiet_noise(planes),
        immerkaer(planes),
        sharpness(planes),
    )


def blockiness(planes: Sequence[Plane]) -> float:
    """How far neighbours over the lines of an 8-pixel grid differ more than other neighbours.

    In levels, 0 without a grid, wherever the grid lies; the lesser of the two directions, as
    blocks have both and textures seldom do. ``planes``: luma ``(H, W)``, cut from one picture
    at multiples of 8; here and below NaN where it is hidden.
    """
    return max(0.0, min(grid_step(planes), grid_step([plane.T for plane in planes])))


def quiet_noise(planes: Sequence[Plane]) -> float:
    """Deviation of the noise in levels, from the quietest tenth of the 8x8 blocks.

    By Immerkaer's filter. Detail hardly counts, as few pictures are textured everywhere; from
    noise alone it finds 0.85 to 1 times the true value.
    """
    means = [block_means(np.abs(_immerkaer_response(plane))) for plane in planes]
    flat = _seen(means)
    return float(np.quantile(flat, _QUIET)) * _IMMERKAER if flat.size else 0.0


def immerkaer(planes: Sequence[Plane]) -> float:
    """Deviation of the noise in levels, fine detail included.

    J. Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding
    64(2), 1996: the mean magnitude behind a filter that ramps and simple edges do not pass.
    """
    values = _seen([np.abs(_immerkaer_response(plane)) for plane in planes])
    return float(values.mean(dtype=np.float64)) * _IMMERKAER if values.size else 0.0


def sharpness(planes: Sequence[Plane]) -> float:
    """Variance of the Laplacian over that of the picture at half the size.

    About 0.75 for pictures reduced with a good filter, 0.3 where detail ends at half of what the
    pixels could hold, over 2 where they were sharpened a lot or reduced without any filter, 4 for
    white noise; 1 for a plain area.
    """
    fine = coarse = 0.0
    for plane in planes:
        height, width = (side // 2 * 2 for side in plane.shape)
        half = plane[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        if min(half.shape) < 3:
            continue
        of_half = _seen([_laplacian(half)])
        if of_half.size:
            fine += float(_seen([_laplacian(plane)]).var(dtype=np.float64))
            coarse += float(of_half.var(dtype=np.float64))
    return fine / coarse if coarse > 0.0 else 1.0


def _immerkaer_response(plane: Plane) -> Plane:
    if min(plane.shape) < 3:
        return np.zeros((0, 0), np.float32)
    rows = plane[:-2] - 2 * plane[1:-1] + plane[2:]
    found: Plane = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return found


def _whole_blocks(plane: Plane) -> int:
    """How many of its blocks are seen whole."""
    return int((~np.isnan(block_means(plane))).sum())


def _seen(values: Sequence[Plane]) -> Plane:
    """All that are numbers, flat."""
    flat = np.concatenate([np.zeros(0, np.float32), *(value.ravel() for value in values)])
    seen: Plane = flat[~np.isnan(flat)]
    return seen


def _box(visible: Flags) -> tuple[slice, slice]:
    """Rows and columns of the least rectangle with all that is visible; all, where nothing is."""
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    if not rows.size:
        return slice(None), slice(None)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _laplacian(plane: Plane) -> Plane:
    around = plane[:-2, 1:-1] + plane[2:, 1:-1] + plane[1:-1, :-2] + plane[1:-1, 2:]
    found: Plane = 4 * plane[1:-1, 1:-1] - around
    return found


def _spread(length: int) -> list[slice]:
    """Stretches evenly over a side; the whole of one that is short."""
    if length <= _SQUARES * _SIDE:
        return [slice(0, length)]
    starts = [(length - _SIDE) * at // (_SQUARES - 1) // BLOCK * BLOCK for at in range(_SQUARES)]
    return [slice(start, start + _SIDE) for start in starts]


def _luma(pixels: Array) -> Plane:
    levels = to_levels(pixels)
    if levels.ndim == 2:
        return levels
    plane: Plane = levels @ _WEIGHTS
    return plane
