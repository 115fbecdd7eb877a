"""Colour under transparent pixels, which nobody sees and every filter would smear into edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]

# How far colour is carried outwards. Bicubic reaches two pixels; what a net sees beyond eight
# no longer shows in the pixels that are visible.
_REACH = 8
# Rows and columns of the pieces that colour is grown in, which takes some 60 bytes a pixel.
_ROWS, _COLUMNS = 256, 1024
# Pixels of whole rows that are masked at once, which are 256 rows of usual pictures: numpy turns a
# mask into 16 bytes a pixel.
_PIECE = 1 << 20


def bleed(pixels: Array, alpha: Array) -> Array:
    """``pixels`` with every fully transparent pixel coloured like its visible neighbours.

    ``pixels``: ``(H, W)`` or ``(H, W, C)``; ``alpha``: ``(H, W)``, 0 being transparent. Visible
    pixels are untouched, and the result does not depend on what the hidden ones were: up to 8
    pixels from a visible one they get the mean of their neighbours, step by step outwards, and
    beyond that the mean of all that is visible. Returns ``pixels`` itself where nothing
    is hidden; a picture that is hidden altogether becomes black.
    """
    hidden = alpha == 0
    if not hidden.any():
        return pixels
    out = pixels.copy()
    mean = _mean_visible(pixels, hidden)
    # By pieces, so that the working memory does not grow with the picture.
    rows = _whole_rows(hidden)
    for top in range(0, hidden.shape[0], rows):
        out[top : top + rows][hidden[top : top + rows]] = mean
    for top in range(0, hidden.shape[0], _ROWS):
        for left in range(0, hidden.shape[1], _COLUMNS):
            _grow_piece(pixels, hidden, out, top, left)
    return out


def _whole_rows(hidden: Flags) -> int:
    return min(max(_PIECE // int(hidden.shape[1]), 1), _ROWS)


def _grow_piece(pixels: Array, hidden: Flags, out: Array, top: int, left: int) -> None:
    """Grow into the hidden pixels of one piece of ``out``, from as far around it as colour comes.

    What is grown in one piece is not seen from the next.
    """
    around = tuple(
        slice(max(start - _REACH, 0), start + size + _REACH)
        for start, size in ((top, _ROWS), (left, _COLUMNS))
    )
    part = hidden[around]
    if part.any() and not part.all():
        grown = _grow(pixels[around], part, out[around].copy())
        inner = grown[top - around[0].start :, left - around[1].start :][:_ROWS, :_COLUMNS]
        out[top : top + _ROWS, left : left + _COLUMNS] = inner


def _mean_visible(pixels: Array, hidden: Flags) -> Array:
    channels = pixels.shape[2:]
    total, count = np.zeros(channels, np.float64), 0
    rows = _whole_rows(hidden)
    for top in range(0, pixels.shape[0], rows):
        seen = pixels[top : top + rows][~hidden[top : top + rows]]
        total += seen.sum(axis=0, dtype=np.float64)
        count += seen.shape[0]
    mean = total / max(count, 1)
    if np.issubdtype(pixels.dtype, np.integer):
        mean = np.rint(mean)
    return np.asarray(mean).astype(pixels.dtype)


def _grow(pixels: Array, hidden: Flags, filled: Array) -> Array:
    """``filled`` with the hidden pixels near visible ones set, ring by ring."""
    known = np.pad(~hidden, 1)
    around = [(1, 1), (1, 1), (0, 0)][: pixels.ndim]
    work = np.pad(np.where(_like(hidden, pixels), 0, pixels).astype(np.float32), around)
    for _ in range(_REACH):
        near = _neighbours_any(known) & ~known[1:-1, 1:-1]
        rows, columns = np.nonzero(near)
        if rows.size == 0:
            break
        total = np.zeros((rows.size, *pixels.shape[2:]), np.float32)
        count = np.zeros(rows.size, np.float32)
        for y in range(3):
            for x in range(3):
                # Unknown pixels hold zeros, so they need no mask.
                total += work[rows + y, columns + x]
                count += known[rows + y, columns + x]
        mean = total / count.reshape(-1, *(1,) * (pixels.ndim - 2))
        work[rows + 1, columns + 1] = mean
        known[rows + 1, columns + 1] = True
        if np.issubdtype(filled.dtype, np.integer):
            mean = np.rint(mean)
        filled[rows, columns] = mean.astype(filled.dtype)
    return filled


def _neighbours_any(known: Flags) -> Flags:
    wide = known[:, :-2] | known[:, 1:-1] | known[:, 2:]
    return wide[:-2] | wide[1:-1] | wide[2:]


def _like(flags: Flags, pixels: Array) -> Flags:
    return flags if pixels.ndim == 2 else flags[:, :, None]
