"""How far out of focus a picture is at each depth, as its own edges tell.

How blurred an edge is shows in how much of its slope one more blur takes away (S. Zhuo and T. Sim,
"Defocus map estimation from a single image", Pattern Recognition 44(9), 2011). One edge says
little: shadows are soft in focus, too, and noise and JPEG's blocks are hard out of it. A depth map
says which edges must be equally blurred, wherever they lie in the picture, and so thousands are
judged together. Nothing is assumed of how blur depends on depth, so it does not matter what a map's
numbers mean, nor whether near or far is large.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal import pages
from hyperfocal.depth.filters import BINOMIAL_3, BINOMIAL_5, Plane, extreme, nearest, padded, smooth
from hyperfocal.quality.arrays import full_scale
from hyperfocal.quality.luma import luma

# Variances in pixels of the two blurs that an edge is seen through.
_FINE, _COARSE = 1.0, 4.0
# Rows and columns around that both of these, the slope and the look at the neighbours take.
_AROUND = 8
# Levels a pixel, of 255: fainter slopes are texture, noise and shading. So many times that of noise
# in the coarse blur, where it makes a slope of 0.1 a level of its own deviation.
_FAINT, _TIMES_NOISE, _NOISE_SLOPE = 0.8, 1.2, 0.1
# An edge counts by its slope, up to this.
_STRONG = 20.0
# Depths that are told apart, with equally many pixels each, and how many neighbours share edges.
_DEPTHS = 32
_SHARED = ((1, 0.8), (2, 0.41), (3, 0.14))
_CENTRES = (np.arange(_DEPTHS, dtype=np.float64) + 0.5) / _DEPTHS
# Of all edges: what is sharper than the rest is what the picture is focused on. A depth with less
# than _LEAST of them says nothing by itself.
_FOCUSED, _LEAST = 0.25, 0.002
# A step in depth, in parts of all pixels between, and how many input pixels around it are left out:
# an edge there belongs to the nearer thing, and so would what is done.
_STEP, _BESIDE = 0.06, 4
# Edges on which a judgement can rest, each counted by its slope.
_ENOUGH = 2000.0
# Pixels: more cannot be told from nothing at all, and less would change nothing to speak of.
_MOST, _FELT = 4.0, 0.2
# Pixels of the picture looked at together, but no fewer rows; and those of the map made use of.
_BAND, _ROWS, _MAP_PIXELS = 250_000, 32, 1_000_000
# Values of a map that are told apart.
_LEVELS = 4096

Figures = npt.NDArray[np.float64]
Check = Callable[[], object]


def _nothing() -> None:
    pass


SEEN = 1 / 3
"""Pixels of blur: what differs less from what is in focus is in focus, too."""


@dataclass(frozen=True, slots=True, eq=False)
class Soft:
    """Blur over the whole field of view.

    ``blur``: ``(h, w)`` float32, in pixels of the picture, as the standard deviation of a Gaussian,
    0 to 4.
    """

    blur: Plane

    @property
    def share(self) -> float:
        """Of the picture, how much is visibly blurred: 0 to 1."""
        return float((self.blur > SEEN).mean())

    @property
    def most(self) -> float:
        """The largest blur, in pixels of the picture."""
        return float(self.blur.max())

    def rows(self, top: int, bottom: int, height: int, width: int) -> Plane:
        """``blur`` at rows ``top`` up to ``bottom`` of the picture's ``height`` x ``width``."""
        down = _positions(np.arange(top, bottom), height, self.blur.shape[0])
        across = _positions(np.arange(width), width, self.blur.shape[1])
        part = down[2][:, None]
        between = self.blur[down[0]] * (1 - part) + self.blur[down[1]] * part
        found = between[:, across[0]] * (1 - across[2]) + between[:, across[1]] * across[2]
        return found.astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True, eq=False)
class Defocus:
    """What of a picture is out of focus: ``soft``, beyond the blur of what is in focus."""

    soft: Soft
    _depths: _Depths
    _beyond: Figures

    def taken(
        self, pixels: npt.NDArray[Any], white: float = 1.0, check: Check = _nothing
    ) -> Soft | None:
        """What somebody took away of it who made ``pixels`` of the picture, of the same size.

        The blur that, given back to each depth, makes it as far out of focus as it was, compared
        with what is in focus; None where that is none. ``white``: the sample of ``pixels`` that
        means it.
        """
        beyond = self._depths.beyond_focus(pixels, white, check)
        if beyond is None:
            return None
        taken = np.sqrt(np.maximum(self._beyond**2 - beyond**2, 0.0))
        return Soft(self._depths.plane(taken)) if taken.max() > _FELT else None


def by_depth(pixels: npt.NDArray[Any], depth_map: Plane, check: Check = _nothing) -> Defocus | None:
    """What of a picture is out of focus, judged depth by depth; None where nothing visibly is.

    ``pixels``: ``(H, W)`` or ``(H, W, 3)``, uint8, uint16 or float in [0, 1]; ``depth_map``: finite
    ``(h, w)`` float32 over the same field of view. A picture that is blurred all over is in
    focus by this judgement: nothing tells that it was meant to be soft. None as well where there
    are too few edges to judge by. Needs memory for some hundred rows of the picture. ``check`` is
    called again and again, and may raise to end it.
    """
    height, width = pixels.shape[:2]
    if min(height, width) <= 2 * _AROUND:
        return None
    depths = _Depths.of(depth_map, height, width)
    beyond = depths.beyond_focus(pixels, full_scale(pixels), check)
    if beyond is None:
        return None
    soft = Soft(depths.plane(beyond))
    return Defocus(soft, depths, beyond) if soft.most > SEEN else None


@dataclass(frozen=True, slots=True, eq=False)
class _Depths:
    """A map, cut into depths with equally many pixels each.

    ``ranks``: ``(h, w)``, 0 to 1; ``depths``: the number of each pixel's; ``flat``: where none is
    far from another nearby, that is ``reach`` pixels of the map.
    """

    ranks: Plane
    depths: npt.NDArray[np.intp]
    flat: npt.NDArray[np.bool_]
    reach: int

    @classmethod
    def of(cls, depth_map: Plane, height: int, width: int) -> _Depths:
        """For a picture of that size."""
        ranks = _ranks(_no_finer(depth_map, height, width))
        reach = math.ceil(_BESIDE * ranks.shape[1] / width)
        depths = np.minimum((ranks * _DEPTHS).astype(np.intp), _DEPTHS - 1)
        return cls(ranks, depths, _flat(ranks, reach), reach)

    def plane(self, of_depths: Figures) -> Plane:
        """Figures of depths at the pixels of the map, and little beside a step.

        What is done there to the one side would show on the other.
        """
        reach = self.reach
        found = np.interp(self.ranks, _CENTRES, of_depths).astype(np.float32)
        found = extreme(padded(found, 2 * reach, 2 * reach, 2 * reach), reach, np.minimum)
        taps = 2 * reach + 1
        return smooth(found, (1.0 / taps,) * taps)

    def beyond_focus(self, pixels: npt.NDArray[Any], white: float, check: Check) -> Figures | None:
        """Blur of each depth beyond that of what is in focus; None without enough edges."""
        slopes, ratios = self._edges(pixels, white, check)
        if slopes.sum() < _ENOUGH:
            return None
        slopes, ratios = _shared(slopes), _shared(ratios)
        known = slopes > _LEAST * slopes.sum()
        blur = np.sqrt(_variance(ratios[known] / slopes[known]))
        order = np.argsort(blur)
        weight = np.cumsum(slopes[known][order])
        focused = blur[order][np.searchsorted(weight, _FOCUSED * weight[-1])]
        everywhere = np.interp(_CENTRES, _CENTRES[known], blur)
        beyond: Figures = np.sqrt(np.maximum(everywhere**2 - focused**2, 0.0))
        return beyond

    def _edges(
        self, pixels: npt.NDArray[Any], white: float, check: Check
    ) -> tuple[Figures, Figures]:
        """For each depth the slopes of all edges, and these times their ratios."""
        height, width = pixels.shape[:2]
        down = nearest(height, self.depths.shape[0])
        across = nearest(width, self.depths.shape[1])
        slopes, ratios = np.zeros(_DEPTHS), np.zeros(_DEPTHS)
        rows = max(_BAND // width, _ROWS)
        for top in range(0, height, rows):
            check()
            bottom = min(top + rows, height)
            edge, ratio = _edges(_band(pixels, top, bottom, white))
            edge *= self.flat[down[top:bottom]][:, across]
            at = np.flatnonzero(edge)
            depth = self.depths[down[top:bottom]][:, across].ravel()[at]
            slope = edge.ravel()[at].astype(np.float64)
            slopes += np.bincount(depth, slope, _DEPTHS)
            ratios += np.bincount(depth, slope * ratio.ravel()[at], _DEPTHS)
            pages.release(pixels[top:bottom])
        return slopes, ratios


def _variance(ratio: Figures) -> Figures:
    """Of a step edge's blur, from the slope behind the fine blur over that behind the coarse one.

    The slope of a step that was blurred with the variance v, and once more with w, is as 1 to
    sqrt(v + w).
    """
    squared = np.maximum(ratio * ratio, 1.0 + 1e-9)
    found = (_COARSE - squared * _FINE) / (squared - 1.0)
    return np.clip(found, 0.0, _MOST * _MOST)


def _edges(plane: Plane) -> tuple[Plane, Plane]:
    """Of luma with a border of 8: how far each pixel counts as an edge, and its ratio of slopes."""
    fine = smooth(plane, BINOMIAL_5)
    coarse = smooth(smooth(fine, BINOMIAL_5), BINOMIAL_3, 2)
    of_fine, of_coarse = _slope(fine), _slope(coarse)
    inner = (of_fine.shape[0] - of_coarse.shape[0]) // 2
    of_fine = of_fine[inner:-inner, inner:-inner]
    # Where it is steepest: beside the ridge the two blurs do not compare.
    ridge = of_coarse[1:-1, 1:-1] >= 0.95 * extreme(of_coarse, 1, np.maximum)
    of_fine, of_coarse = of_fine[1:-1, 1:-1], of_coarse[1:-1, 1:-1]
    least = _FAINT + _TIMES_NOISE * _NOISE_SLOPE * _noise(plane)
    slope: Plane = np.minimum(of_coarse, np.float32(_STRONG)) * (ridge & (of_coarse > least))
    ratio = (of_fine / np.maximum(of_coarse, 1e-6)).astype(np.float32, copy=False)
    # Two is what a step in perfect focus has; noise and thin lines have more.
    np.clip(ratio, 1.0, np.sqrt(_COARSE / _FINE), out=ratio)
    return slope, ratio


def _slope(plane: Plane) -> Plane:
    down = plane[2:, 1:-1] - plane[:-2, 1:-1]
    across = plane[1:-1, 2:] - plane[1:-1, :-2]
    found: Plane = np.hypot(down, across) * np.float32(0.5)
    return found


def _noise(plane: Plane) -> float:
    """Standard deviation of noise in levels, by the median of a filter that edges do not answer.

    The filter is that of J. Immerkaer, "Fast noise variance estimation", CVIU 64(2), 1996.
    """
    rows = plane[:-2] - 2 * plane[1:-1] + plane[2:]
    answer = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.median(np.abs(answer))) / 0.6745 / 6.0


def _band(pixels: npt.NDArray[Any], top: int, bottom: int, white: float) -> Plane:
    """Luma of some rows, with a border of 8 in which what lies at the picture's end is repeated."""
    first, last = max(top - _AROUND, 0), min(bottom + _AROUND, pixels.shape[0])
    rows = pixels[first:last]
    if rows.dtype.kind == "f":
        rows = np.clip(rows / np.float32(white), 0.0, 1.0)
    levels = luma(rows).astype(np.float32)
    band: Plane = padded(levels, _AROUND - (top - first), _AROUND - (last - bottom), _AROUND)
    return band


def _no_finer(depth_map: Plane, height: int, width: int) -> Plane:
    """No larger than the picture, and than a million pixels; by leaving pixels out.

    A mean of the two sides of a step would be a depth where nothing is.
    """
    rows, columns = min(depth_map.shape[0], height), min(depth_map.shape[1], width)
    shrink = max(1.0, (rows * columns / _MAP_PIXELS) ** 0.5)
    rows, columns = max(int(rows / shrink), 1), max(int(columns / shrink), 1)
    taken = depth_map[nearest(rows, depth_map.shape[0])]
    return taken[:, nearest(columns, depth_map.shape[1])]


def _ranks(depth_map: Plane) -> Plane:
    """The share of pixels that are less, half of those that are alike counted: 0 to 1.

    Alike are those between two of some thousand values with as many pixels each, wherever these
    lie: a nose is told from an ear, be the sky a million metres away on the one side or the other.
    """
    ordered = np.sort(depth_map, axis=None)
    values = np.unique(ordered[:: max(ordered.size // _LEVELS, 1)])
    levels = np.searchsorted(values, depth_map, side="right")
    counts = np.bincount(levels.ravel())
    shares = (np.cumsum(counts) - counts / 2) / depth_map.size
    found: Plane = shares.astype(np.float32)[levels]
    return found


def _flat(ranks: Plane, reach: int) -> npt.NDArray[np.bool_]:
    """Where there is no step in depth nearby."""
    wide = padded(ranks, reach, reach, reach)
    span = extreme(wide, reach, np.maximum) - extreme(wide, reach, np.minimum)
    flat: npt.NDArray[np.bool_] = span < _STEP
    return flat


def _shared(of_depths: Figures) -> Figures:
    total = of_depths.copy()
    for away, weight in _SHARED:
        total[away:] += weight * of_depths[:-away]
        total[:-away] += weight * of_depths[away:]
    return total


def _positions(
    at: npt.NDArray[np.intp], length: int, of: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Between which two of ``of`` samples each of ``length`` lies, and how far from the first."""
    where = ((at + 0.5) * (of / length) - 0.5).clip(0, of - 1)
    low = where.astype(np.intp)
    return low, np.minimum(low + 1, of - 1), (where - low).astype(np.float32)
