"""Steps of int8 arithmetic that no engine can round differently, and sums that none can lose.

An engine sums whole products and multiplies the sum, for each output channel, by the step of what
enters times that of the kernel over that of what leaves, adds the bias and rounds. In which order
it multiplies, and with what precision, is its own business: a sum that comes near the middle
between two whole numbers is rounded up by one engine and down by another, and a deep net makes much
of little. If one over that product is an odd number N, and the bias a multiple of 1/N, then every
value is a multiple of 1/N and none is nearer to a middle than half of that: all engines then agree
to the bit. It costs next to nothing, as N is in the hundreds.

Processors without VNNI or its like have one instruction that multiplies unsigned by signed bytes,
and it adds the products of two neighbours in 16 bits, and saturates (``VPMADDUBSW``). So no two
neighbours of one sign come to more than :data:`PAIR`: then these, too, compute every sum exactly.
Neighbours are two input channels, the first and the second, the third and the fourth and so on.
What reads the three colours of a picture is laid out by each engine in a way of its own
(:func:`neighbours`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Pairs = npt.NDArray[np.intp]

WEIGHT = 127
"""What a weight in signed 8 bits comes to at most."""

PAIR = 128
"""What two neighbours of one sign come to: 255 times as much is 32,640, and 16 bits hold 32,767."""

LARGEST = 1023
"""Of N. Half of one over it is far more than the error of a sum of float32 products of steps."""


def odd_count(ratio: Any) -> Any:
    """The largest odd whole number that is no more than ``ratio``, :data:`LARGEST` at most.

    ``ratio``: one over the product of steps where those of the kernel are as small as its weights
    allow; an array or a tensor, positive. Below 1 (a kernel that multiplies many times over; none
    that was trained) it stays what it is: the engines may then differ, but no weight is clipped.
    """
    odd = ((ratio + 1) // 2 * 2 - 1).clip(1, LARGEST)
    return odd * (ratio >= 1) + ratio * (ratio < 1)


def neighbours(inputs: int, side: int, cell: int | None = None) -> tuple[Pairs, ...]:
    """Which weights of an output's ``(inputs, side, side)``, flattened, are added in 16 bits.

    Sets of ``(n, 2)``; in each a weight has one neighbour at most. ``cell``: of what reads the
    picture, pixel-unshuffled by that. Engines have its weights channel by channel at every pixel,
    each pixel's filled up to four or not, or colour by colour: the pairs of all three.
    """
    places = np.arange(inputs * side * side).reshape(inputs, side, side)
    if cell is None:
        return (_paired(places.reshape(inputs, -1)),)
    # As one over pixels, see :func:`hyperfocal.training.weights.strided`.
    split = places.reshape(inputs // cell**2, cell, cell, side, side)
    pixels = split.transpose(0, 3, 1, 4, 2).reshape(inputs // cell**2, -1)
    return _paired(pixels), _paired(pixels.T.reshape(-1, 1)), _paired(pixels.reshape(-1, 1))


def _paired(rows: Pairs) -> Pairs:
    """The first row with the second, the third with the fourth, ``(n, 2)``."""
    count = len(rows) // 2 * 2
    return np.stack([rows[0:count:2].ravel(), rows[1:count:2].ravel()], axis=1)
