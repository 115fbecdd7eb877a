"""Steps of int8 arithmetic that no engine can round differently.

An engine sums whole products and multiplies the sum, for each output channel, by the step of what
enters times that of the kernel over that of what leaves, adds the bias and rounds. In which order
it multiplies, and with what precision, is its own business: a sum that comes near the middle
between two whole numbers is rounded up by one engine and down by another, and a deep net makes much
of little. If one over that product is an odd number N, and the bias a multiple of 1/N, then every
value is a multiple of 1/N and none is nearer to a middle than half of that: all engines then agree
to the bit. It costs next to nothing, as N is in the hundreds.
"""

from __future__ import annotations

from typing import Any

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
