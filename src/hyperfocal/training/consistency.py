"""Consistency with the input: what a result, reduced again, lacks of it is given back.

Back-projection (M. Irani, S. Peleg, "Improving resolution by image registration", CVGIP 53(3),
1991) as the last layer of a net, as in Y. Bahat, T. Michaeli, "Explorable Super Resolution", CVPR
2020; but what is given back is found by least squares on pictures, which knows that the input was
rounded and what the net gets wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.quality.kernel import contributions
from hyperfocal.quality.resize import imresize

Array = npt.NDArray[np.float32]

# Input pixels on either side of one that its bicubic reduction and the correction look at. What the
# two outermost lack is not known, as pixels beyond them would count.
REDUCED_FROM, CORRECTED_FROM = 2, 1
CORRECTED_SIDE = 2 * CORRECTED_FROM + 1
REACH = REDUCED_FROM + CORRECTED_FROM

# Of the mean square of a difference, added to each: there may be hardly any.
_DAMPING = 1e-6


def reduction(scale: int) -> tuple[Array, Array]:
    """Kernels that reduce bicubically, down the rows and then along them, what is yet to shuffle.

    ``(scale * 3, scale**2 * 3, 5, 1)`` and ``(3, scale * 3, 1, 5)``; channels are in the order
    (row, column, colour). Together equal to ``imresize`` except in the two pixels nearest a border,
    where MATLAB reflects.
    """
    middle, cells = REDUCED_FROM, 2 * REDUCED_FROM + 1
    indices, weights = contributions(cells * scale, cells, 1.0 / scale)
    taps = np.zeros(cells * scale)
    np.add.at(taps, indices[middle], weights[middle])
    phases = taps.reshape(cells, scale).T
    down = np.einsum("rt,oi->orit", phases, np.eye(3 * scale, dtype=np.float32))
    along = np.einsum("ct,oi->ocit", phases, np.eye(3, dtype=np.float32))
    return (
        down.reshape(3 * scale, 3 * scale**2, cells, 1).astype(np.float32),
        along.reshape(3, 3 * scale, 1, cells).astype(np.float32),
    )


def correction(answers: Iterable[tuple[Array, Array, Array]], scale: int) -> Array:
    """What to add to every pixel for the differences around it, ``(scale**2, 3, 3)``.

    ``answers``: of a net on pictures ``(lr, made, hr)``, all ``(H, W, 3)`` in [0, 1]. The
    difference of an input pixel is what ``made``, reduced, lacks of it. The kernel that brings
    ``made`` nearest to ``hr`` in the mean square; all colours have the same.
    """
    squares = np.zeros((CORRECTED_SIDE**2, CORRECTED_SIDE**2))
    products = np.zeros((CORRECTED_SIDE**2, scale**2))
    for lr, made, hr in answers:
        height, width = lr.shape[:2]
        if min(height, width) <= 2 * REACH:
            continue
        lacking = lr - imresize(made, 1.0 / scale).astype(np.float32, copy=False)
        windows = np.lib.stride_tricks.sliding_window_view(
            lacking, (CORRECTED_SIDE, CORRECTED_SIDE), axis=(0, 1)
        )
        around = _inner(windows, REDUCED_FROM).reshape(-1, CORRECTED_SIDE**2).astype(np.float64)
        wrong = (hr - made).reshape(height, scale, width, scale, 3).transpose(0, 2, 4, 1, 3)
        wanted = _inner(wrong, REACH).reshape(-1, scale**2)
        squares += around.T @ around
        products += around.T @ wanted
    damping = max(_DAMPING * float(np.diag(squares).mean()), 1e-12)
    found = np.linalg.solve(squares + damping * np.eye(CORRECTED_SIDE**2), products)
    return np.ascontiguousarray(
        found.T.reshape(scale**2, CORRECTED_SIDE, CORRECTED_SIDE), dtype=np.float32
    )


def _inner(values: npt.NDArray[Any], border: int) -> npt.NDArray[Any]:
    return values[border:-border, border:-border]


def over_colours(kernel: Array) -> Array:
    """A correction as the kernel of a convolution, ``(3 * scale**2, 3, 3, 3)``.

    Output channels in the order (colour, row, column).
    """
    phases, rows, columns = kernel.shape
    whole = np.zeros((3, phases, 3, rows, columns), np.float32)
    for colour in range(3):
        whole[colour, :, colour] = kernel
    return whole.reshape(3 * phases, 3, rows, columns)
