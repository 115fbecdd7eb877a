"""Scores of a result of any size in bounded memory: a band of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import PairMismatch
from hyperfocal.quality.arrays import Flags, full_scale
from hyperfocal.quality.decibels import decibels
from hyperfocal.quality.luma import luma
from hyperfocal.quality.resize import strips
from hyperfocal.quality.similarity import WINDOW, blind_windows, structural_similarity

Array = npt.NDArray[Any]

_PEAK = 255.0**2
# Rows of windows of SSIM that are scored at once.
_BAND = 64
# Stretches of rows of the input that are looked at, their height and greatest width. A full
# comparison would take a third of the time that the restoration itself takes.
_STRETCHES, _ROWS, _COLUMNS = 3, 32, 512


def against_reference(
    output: Array,
    reference: Array,
    check: Callable[[], None] = lambda: None,
    alphas: Sequence[Array] = (),
) -> tuple[float, float]:
    """PSNR in dB and SSIM of luma, over the whole picture, no border left out.

    Both ``(H, W)`` or ``(H, W, 3)``, uint8, uint16 or float. ``check`` is called now and then
    and may raise. ``alphas``: of either, ``(H, W)``; what one of them hides, being 0, is left out,
    and where that is everything nothing differs. :class:`PairMismatch` when the sizes differ.
    """
    if output.shape[:2] != reference.shape[:2]:
        made, wanted = output.shape, reference.shape
        raise PairMismatch(
            f"the result has {made[1]}x{made[0]} pixels and the reference {wanted[1]}x{wanted[0]};"
            " a reference must have the size of the result"
        )
    if output.ndim != reference.ndim:
        output, reference = _as_rgb(output), _as_rgb(reference)
    height = output.shape[0]
    error = similarity = 0.0
    pixels = seen = 0
    windows = max(height - WINDOW + 1, 1)
    for top in range(0, windows, _BAND):
        check()
        count = min(_BAND, windows - top)
        rows = slice(top, min(top + count + WINDOW - 1, height))
        first, second = _luma(output[rows]), _luma(reference[rows])
        hidden = np.zeros(first.shape, np.bool_)
        for alpha in alphas:
            hidden |= alpha[rows] == 0
        second[hidden] = first[hidden]
        found, windows_seen = _similarity(first, second, ~hidden)
        similarity += windows_seen * found
        seen += windows_seen
        # The rows that the next band does not see again.
        own = first.shape[0] if top + count == windows else count
        flat = np.ravel(first[:own] - second[:own])
        error += float(np.dot(flat, flat))
        pixels += flat.size - int(np.count_nonzero(hidden[:own]))
    return decibels(_PEAK, error / max(pixels, 1)), similarity / seen if seen else 1.0


def against_input(output: Array, input: Array, alpha: Array | None = None) -> float:
    """SSIM of luma between the input and the result reduced to its size again.

    Arrays as above, alike in kind; ``alpha``: ``(H, W)`` of the input, what it hides is left out.
    From three stretches of the rows of a picture that is large; 1 where nothing in them is visible.
    """
    height, width = input.shape[:2]
    unit = 1.0 / full_scale(output)
    left = max((width - _COLUMNS) // 2, 0)
    columns = slice(left, left + _COLUMNS)
    similarity, seen = 0.0, 0
    for top, bottom in _stretches(height):
        reduced = np.empty((bottom - top, *input[:1, columns].shape[1:]), np.float32)
        for first, strip in strips(output, (height, width), between=(top, bottom)):
            low, high = max(first, top), min(first + strip.shape[0], bottom)
            reduced[low - top : high - top] = strip[low - first : high - first, columns]
        reduced *= unit
        shape = reduced.shape[:2]
        visible = np.ones(shape, np.bool_) if alpha is None else alpha[top:bottom, columns] != 0
        found, windows = _similarity(_luma(reduced), _luma(input[top:bottom, columns]), visible)
        similarity += windows * found
        seen += windows
    return similarity / seen if seen else 1.0


def _stretches(height: int) -> list[tuple[int, int]]:
    if height <= _STRETCHES * _ROWS:
        return [(0, height)]
    starts = [(height - _ROWS) * at // (_STRETCHES - 1) for at in range(_STRETCHES)]
    return [(start, start + _ROWS) for start in starts]


def _similarity(made: Array, wanted: Array, visible: Flags) -> tuple[float, int]:
    """SSIM, and of how many windows; what is smaller than one is continued by reflection first."""
    missing = [max(WINDOW - side, 0) for side in made.shape]
    if any(missing):
        around = [(0, more) for more in missing]
        made, wanted = (np.pad(plane, around, mode="symmetric") for plane in (made, wanted))
        visible = np.pad(visible, around, mode="symmetric")
    height, width = made.shape
    count = (height - WINDOW + 1) * (width - WINDOW + 1)
    if visible.all():
        return structural_similarity(made, wanted), count
    found = structural_similarity(made, wanted, visible=visible)
    return found, count - blind_windows(visible)


def _luma(pixels: Array) -> npt.NDArray[np.float64]:
    if np.issubdtype(pixels.dtype, np.floating):
        # Floating files may hold values that have no colour.
        pixels = np.nan_to_num(pixels, nan=0.0, posinf=1.0, neginf=0.0)
    return luma(pixels)


def _as_rgb(pixels: Array) -> Array:
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
