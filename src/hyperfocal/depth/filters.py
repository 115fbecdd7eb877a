"""Small separable filters that shrink what they are given: the caller pads once, for all of them.

Binomials with gaps between their taps ("a trous": M. Holschneider et al., "A real-time algorithm
for signal analysis with the help of the wavelet transform", 1989) come close to Gaussians, and
cost the same however wide they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]

BINOMIAL_3 = (0.25, 0.5, 0.25)
"""Of variance 0.5; with a step of n between the taps, n * n times as much."""
BINOMIAL_5 = (0.0625, 0.25, 0.375, 0.25, 0.0625)
"""Of variance 1."""


def smooth(plane: Plane, taps: Sequence[float], step: int = 1) -> Plane:
    """``plane``, ``(H, W)`` or ``(H, W, C)``, filtered down and across by symmetric ``taps``.

    ``step``: samples from tap to tap. Each side becomes shorter by ``step * (len(taps) - 1)``.
    """
    half = len(taps) // 2
    for axis in (0, 1):
        length = plane.shape[axis] - step * (len(taps) - 1)
        found = _along(plane, axis, half * step, length) * np.float32(taps[half])
        for at in range(half):
            pair = _along(plane, axis, at * step, length)
            pair = pair + _along(plane, axis, (len(taps) - 1 - at) * step, length)
            pair *= np.float32(taps[at])
            found += pair
        plane = found
    return plane


def extreme(plane: Plane, reach: int, of: Callable[..., Any]) -> Plane:
    """The least or the largest (``of``: np.minimum or np.maximum) so many samples around each.

    Each side becomes shorter by ``2 * reach``.
    """
    for axis in (0, 1):
        length = plane.shape[axis] - 2 * reach
        found = _along(plane, axis, 0, length).copy()
        for at in range(1, 2 * reach + 1):
            of(found, _along(plane, axis, at, length), out=found)
        plane = found
    return plane


def padded(plane: npt.NDArray[Any], before: int, after: int, sides: int) -> npt.NDArray[Any]:
    """With ``before`` rows above, ``after`` below and ``sides`` columns left and right.

    They repeat what lies at the border.
    """
    room = [(before, after), (sides, sides), *[(0, 0)] * (plane.ndim - 2)]
    return np.pad(plane, room, mode="edge")


def nearest(length: int, of: int) -> npt.NDArray[np.intp]:
    """For each of ``length`` samples the one of ``of`` that lies where it does."""
    return ((np.arange(length) + 0.5) * (of / length)).astype(np.intp).clip(0, of - 1)


def _along(plane: Plane, axis: int, first: int, length: int) -> Plane:
    where = slice(first, first + length)
    return plane[where] if axis == 0 else plane[:, where]
