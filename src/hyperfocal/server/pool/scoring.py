"""Scores of a result of any size in bounded memory: a band of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from hyperfocal.errors import PairMismatch
from hyperfocal.quality.arrays import full_scale
from hyperfocal.quality.decibels import decibels
from hyperfocal.quality.luma import luma
from hyperfocal.quality.resize import strips
from hyperfocal.quality.similarity import structural_similarity

Array = npt.NDArray[Any]

_PEAK = 255.0**2
# Side of the window of SSIM, and rows of windows scored at once.
_WINDOW = 11
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
    height, width = output.shape[:2]
    error = similarity = 0.0
    pixels = seen = 0
    windows = max(height - _WINDOW + 1, 1)
    for top in range(0, windows, _BAND):
        check()
        count = min(_BAND, windows - top)
        rows = slice(top, min(top + count + _WINDOW - 1, height))
        first, second = _luma(output[rows]), _luma(reference[rows])
        hidden = np.zeros(first.shape, np.bool_)
        for alpha in alphas:
            hidden |= alpha[rows] == 0
        # Alike there, so that they differ in nothing that can be seen; a window that sees nothing
        # else has a similarity of one, and is not counted.
        second[hidden] = first[hidden]
        all_here, blind = count * max(width - _WINDOW + 1, 1), _blind(hidden)
        similarity += all_here * _similarity(first, second) - blind
        seen += all_here - blind
        # The rows that the next band does not see again.
        own = first.shape[0] if top + count == windows else count
        flat = np.ravel(first[:own] - second[:own])
        error += float(np.dot(flat, flat))
        pixels += flat.size - int(np.count_nonzero(hidden[:own]))
    return decibels(_PEAK, error / max(pixels, 1)), similarity / seen if seen else 1.0


def against_input(output: Array, input: Array) -> float:
    """SSIM of luma between the input and the result reduced to its size again.

    Arrays as above, alike in kind. From three stretches of the rows of a picture that is large.
    """
    height, width = input.shape[:2]
    unit = 1.0 / full_scale(output)
    left = max((width - _COLUMNS) // 2, 0)
    columns = slice(left, left + _COLUMNS)
    found = []
    for top, bottom in _stretches(height):
        reduced = np.empty((bottom - top, *input[:1, columns].shape[1:]), np.float32)
        for first, strip in strips(output, (height, width), between=(top, bottom)):
            low, high = max(first, top), min(first + strip.shape[0], bottom)
            reduced[low - top : high - top] = strip[low - first : high - first, columns]
        reduced *= unit
        found.append(_similarity(_luma(reduced), _luma(input[top:bottom, columns])))
    return float(np.mean(found))


def _stretches(height: int) -> list[tuple[int, int]]:
    if height <= _STRETCHES * _ROWS:
        return [(0, height)]
    starts = [(height - _ROWS) * at // (_STRETCHES - 1) for at in range(_STRETCHES)]
    return [(start, start + _ROWS) for start in starts]


def _similarity(made: Array, wanted: Array) -> float:
    """SSIM; what is smaller than its window is continued by reflection first."""
    missing = [max(_WINDOW - side, 0) for side in made.shape]
    if any(missing):
        around = [(0, more) for more in missing]
        made, wanted = (np.pad(plane, around, mode="symmetric") for plane in (made, wanted))
    return structural_similarity(made, wanted)


def _blind(hidden: npt.NDArray[np.bool_]) -> int:
    """How many windows of SSIM see nothing but what is hidden."""
    if not hidden.any():
        return 0
    for axis in (0, 1):
        side = min(_WINDOW, hidden.shape[axis])
        hidden = np.all(sliding_window_view(hidden, side, axis), axis=-1)
    return int(np.count_nonzero(hidden))


def _luma(pixels: Array) -> npt.NDArray[np.float64]:
    if np.issubdtype(pixels.dtype, np.floating):
        # Floating files may hold values that have no colour.
        pixels = np.nan_to_num(pixels, nan=0.0, posinf=1.0, neginf=0.0)
    return luma(pixels)


def _as_rgb(pixels: Array) -> Array:
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
