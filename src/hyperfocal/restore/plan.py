"""Tile policy: where to cut, given how many pixels fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise, product


@dataclass(frozen=True, slots=True)
class Span:
    """Along one axis, in input pixels: the net sees ``low:high`` and keeps ``first:last``."""

    low: int
    high: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle the net sees (the window) and the smaller one that is kept (the core)."""

    rows: Span
    columns: Span

    @property
    def pixels(self) -> int:
        """Pixels of the window."""
        return (self.rows.high - self.rows.low) * (self.columns.high - self.columns.low)


@dataclass(frozen=True, slots=True)
class TilePlan:
    """Tiles that together keep every pixel once.

    ``height``, ``width``: the picture, its sides rounded up to ``multiple``. Windows start and
    end at multiples of it, and reach ``halo`` pixels beyond their core except where the picture
    ends, so that the net computes in each core what it would in the whole picture.
    """

    height: int
    width: int
    multiple: int
    halo: int
    tiles: tuple[Tile, ...]

    def halves(self, tile: Tile) -> tuple[Tile, Tile] | None:
        """The tile's core as two tiles, or None where that would not make it much smaller."""
        tall = tile.rows.last - tile.rows.first >= tile.columns.last - tile.columns.first
        span, length = (tile.rows, self.height) if tall else (tile.columns, self.width)
        middle = _up((span.first + span.last) // 2, self.multiple)
        if not span.first < middle < span.last:
            return None
        parts = [
            Span(max(first - self.halo, 0), min(last + self.halo, length), first, last)
            for first, last in ((span.first, middle), (middle, span.last))
        ]
        if max(part.high - part.low for part in parts) > 0.9 * (span.high - span.low):
            return None
        one, two = (Tile(p, tile.columns) if tall else Tile(tile.rows, p) for p in parts)
        return one, two


def plan_tiles(height: int, width: int, *, multiple: int, radius: int, max_pixels: int) -> TilePlan:
    """Equal windows of at most ``max_pixels`` that cost the least altogether.

    The whole picture where it fits. ``radius``: the net's receptive radius in input pixels.
    Where even the smallest useful window is larger than ``max_pixels``, that one is used.
    """
    halo = _up(radius, multiple)
    height, width = _up(height, multiple), _up(width, multiple)
    rows, columns = _cuts(height, halo, multiple), _cuts(width, halo, multiple)
    fitting = [
        (pair[0][0] * pair[1][0] * pair[0][1] * pair[1][1], pair)
        for pair in _candidates(rows, columns, max_pixels)
    ]
    (down, tall), (across, wide) = min(fitting, key=lambda entry: entry[0])[1]
    tiles = product(
        _spans(height, down, tall, halo),
        _spans(width, across, wide, halo),
    )
    return TilePlan(height, width, multiple, halo, tuple(Tile(y, x) for y, x in tiles))


Cut = tuple[int, int]  # number of windows along an axis, and the length of each


def _cuts(length: int, halo: int, multiple: int) -> list[Cut]:
    """The ways to cut an axis into equal windows, fewest first."""
    cuts = [(1, length)]
    # A core shorter than the halo would spend most of the work on overlap.
    shortest = _up(max(halo, 1), multiple)
    for count in range(2, length // shortest + 1):
        window = _up(math.ceil((length - 2 * halo) / count) + 2 * halo, multiple)
        if window >= cuts[-1][1]:
            continue
        if window - 2 * halo < shortest:
            break
        # Rounding up to the multiple may have made the last window superfluous.
        needed = math.ceil((length - 2 * halo) / (window - 2 * halo))
        cuts.append((max(needed, 2), window))
    return cuts


def _candidates(rows: list[Cut], columns: list[Cut], max_pixels: int) -> list[tuple[Cut, Cut]]:
    """For each cut of the columns, the fewest rows that fit; at worst the smallest window."""
    pairs = []
    for column in columns:
        row = next((row for row in rows if row[1] * column[1] <= max_pixels), None)
        if row is not None:
            pairs.append((row, column))
    return pairs or [(rows[-1], columns[-1])]


def _spans(length: int, count: int, window: int, halo: int) -> list[Span]:
    step = window - 2 * halo
    lows = [min(index * step, length - window) for index in range(count)]
    edges = [0, *(low + window - halo for low in lows[:-1]), length]
    return [
        Span(low, low + window, first, last)
        for low, (first, last) in zip(lows, pairwise(edges), strict=True)
    ]


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
