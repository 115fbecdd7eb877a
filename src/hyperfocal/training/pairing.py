"""Channels put beside those with which int8 loses least.

What two neighbours come to sets the step of an output channel as its largest weight does
(:mod:`hyperfocal.training.nets.steps`), and which channels are neighbours is free: the net is the
same in any order of the channels between two convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from hyperfocal.training.nets.steps import PAIR, WEIGHT
from hyperfocal.training.weights import Array, Folded

Numbers = npt.NDArray[np.float64]
Order = npt.NDArray[np.intp]

# Beginnings of the search, the first with channels in the order they have.
_BEGINNINGS = 4


def arranged(
    folded: Folded, products: Sequence[Numbers | None], felt: Sequence[Numbers]
) -> tuple[Folded, tuple[Numbers | None, ...]]:
    """The same net with its channels in another order between convolutions, and its products.

    ``products``: as :class:`~hyperfocal.training.calibrate.Observed` has them. ``felt``: for each
    convolution ``(out,)``, how noise in its sums is felt, see :class:`~.balance.Felt`.
    """
    layers, moved = list(folded.layers), list(products)
    for index in range(len(layers) - 1):
        (kernel, bias), (reader, further) = layers[index], layers[index + 1]
        order = best_order(reader, felt[index + 1])
        layers[index] = kernel[order], bias[order]
        layers[index + 1] = np.ascontiguousarray(reader[:, order]), further
        if (of_inputs := moved[index + 1]) is not None:
            taps = reader[0, 0].size
            each = (order[:, None] * taps + np.arange(taps)).ravel()
            each = np.append(each, len(of_inputs) - 1)
            moved[index + 1] = of_inputs[np.ix_(each, each)]
    return replace(folded, layers=tuple(layers)), tuple(moved)


def best_order(kernel: Array, felt: Numbers) -> Order:
    """An order ``(in,)`` of what a kernel ``(out, in, k, k)`` reads in which rounding is least.

    What is least is the sum over output channels of their squared steps times ``felt`` ``(out,)``.
    Pairs exchange a partner as long as that helps, from several beginnings.
    """
    count = kernel.shape[1]
    together = _together(kernel)
    largest = np.abs(kernel).max(axis=(1, 2, 3)) / WEIGHT
    drawn = np.random.default_rng(0)
    best, least = np.arange(len(together)), np.inf
    for beginning in range(_BEGINNINGS):
        order = drawn.permutation(len(together)) if beginning else np.arange(len(together))
        order, cost = _settled(order, together, largest, felt)
        if cost < least:
            best, least = order, cost
    pairs = best.reshape(-1, 2)
    # Nobody's partner comes last, where an odd one out has none.
    alone = (pairs == count).any(axis=1)
    pairs = np.concatenate([pairs[~alone], np.sort(pairs[alone], axis=1)])
    return pairs.ravel()[:count]


def _together(kernel: Array) -> Numbers:
    """What any two channels come to at most in each output's sum, ``(in, in, out)``.

    One of zeros is added to an odd number of them.
    """
    taps = kernel.reshape(*kernel.shape[:2], -1).astype(np.float64).transpose(1, 0, 2)
    if len(taps) % 2:
        taps = np.concatenate([taps, np.zeros_like(taps[:1])])
    up, down = np.maximum(taps, 0.0), np.maximum(-taps, 0.0)
    found = [
        np.maximum((each_up + up).max(axis=2), (each_down + down).max(axis=2))
        for each_up, each_down in zip(up, down, strict=True)
    ]
    return np.stack(found) / PAIR


def _settled(
    order: Order, together: Numbers, largest: Numbers, felt: Numbers
) -> tuple[Order, float]:
    """An order that no exchange between two of its pairs betters, and what it costs."""
    pairs = order.reshape(-1, 2).copy()
    steps = together[pairs[:, 0], pairs[:, 1]]

    def cost(of_pairs: Numbers) -> float:
        return float(felt @ np.square(np.maximum(of_pairs.max(axis=0), largest)))

    least, is_settled = cost(steps), False
    while not is_settled:
        is_settled = True
        for one, two in combinations(range(len(pairs)), 2):
            (a, b), (c, d) = pairs[one], pairs[two]
            for first, second in (((a, c), (b, d)), ((a, d), (b, c))):
                tried = steps.copy()
                tried[one], tried[two] = together[first], together[second]
                if (found := cost(tried)) < least * (1 - 1e-9):
                    pairs[one], pairs[two] = first, second
                    steps, least, is_settled = tried, found, False
                    break
    return pairs.ravel(), least
