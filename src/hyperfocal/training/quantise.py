"""Kernels in whole numbers, rounded so that what they make changes least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperfocal.training.nets.steps import PAIR, WEIGHT, Pairs, neighbours, odd_count
from hyperfocal.training.weights import Array

Numbers = npt.NDArray[np.float64]

# Of the mean product of inputs, added to that of each with itself: inputs that hardly differ
# would otherwise be given huge opposite corrections.
_DAMPING = 1e-4


@dataclass(frozen=True)
class Whole:
    """A convolution in int8: ``kernel`` ``(out, in, k, k)`` times ``steps`` ``(out,)``.

    ``bias`` ``(out,)`` is in the unit of the sums.
    """

    kernel: npt.NDArray[np.int8]
    steps: Array
    bias: Array


def whole(
    kernel: Array,
    bias: Array,
    *,
    entering: float,
    leaving: float | None,
    products: npt.NDArray[np.float64] | None = None,
    cell: int | None = None,
) -> Whole:
    """A kernel in signed 8 bits, one step an output channel, and the bias that goes with it.

    ``entering``, ``leaving``: the steps of the activations around it; None where what leaves is
    not rounded. ``products``: of its inputs, as
    :class:`~hyperfocal.training.calibrate.Observed` has them; without, each weight is rounded to
    the nearest step by itself. ``cell``: it reads the picture, pixel-unshuffled by that.
    """
    rows = kernel.reshape(len(kernel), -1).astype(np.float64)
    sets = neighbours(kernel.shape[1], kernel.shape[2], cell)
    steps = np.maximum(least_steps(rows, sets), 1e-8 / WEIGHT)
    counts = np.ones(len(rows))
    if leaving is not None:
        counts = odd_count(leaving / (entering * steps))
        steps = leaving / (entering * counts)
    rows = rows / steps[:, None]
    shift = bias.astype(np.float64)
    if products is None:
        found = _nearest(rows, sets)
    else:
        found, moved = _compensated(rows, products, _Limits(rows.shape[1], sets))
        shift = shift + moved * steps
    if leaving is not None:
        shift = np.rint(shift / leaving * counts) / counts * leaving
    return Whole(
        found.reshape(kernel.shape).astype(np.int8),
        steps.astype(np.float32),
        shift.astype(np.float32),
    )


def least_steps(rows: Numbers, sets: Sequence[Pairs]) -> Numbers:
    """The smallest steps ``(out,)`` with which kernels ``(out, n)`` fit 8 bits.

    ``sets``: their :func:`~hyperfocal.training.nets.steps.neighbours`.
    """
    least: Numbers = np.abs(rows).max(axis=1) / WEIGHT
    up, down = np.maximum(rows, 0.0), np.maximum(-rows, 0.0)
    for first, second in (pairs.T for pairs in sets):
        for one_way in (up, down):
            sums = (one_way[:, first] + one_way[:, second]).max(axis=1, initial=0.0)
            least = np.maximum(least, sums / PAIR)
    return least


def _nearest(rows: Numbers, sets: Sequence[Pairs]) -> Numbers:
    """Each weight rounded by itself; of two that then are too much the second is less."""
    found: Numbers = np.clip(np.rint(rows), -WEIGHT, WEIGHT)
    for first, second in (pairs.T for pairs in sets):
        lowest, highest = _beside(found[:, first])
        found[:, second] = np.clip(found[:, second], lowest, highest)
    return found


def _beside(numbers: Numbers) -> tuple[Numbers, Numbers]:
    """The least and the most that a neighbour of each number may be."""
    return -PAIR - np.minimum(numbers, 0.0), PAIR - np.maximum(numbers, 0.0)


class _Limits:
    """What a weight may come to, beside neighbours that are rounded already."""

    def __init__(self, count: int, sets: Sequence[Pairs]) -> None:
        self._others: list[list[int]] = [[] for _ in range(count)]
        for first, second in (pair for pairs in sets for pair in pairs.tolist()):
            self._others[first].append(second)
            self._others[second].append(first)

    def nearest(self, values: Numbers, at: int, found: Numbers) -> Numbers:
        """``values`` ``(out,)`` of column ``at``, rounded.

        ``found``: ``(out, n)``, zero where nothing has been rounded so far.
        """
        lowest, highest = _beside(found[:, self._others[at]])
        least = lowest.max(axis=1, initial=-WEIGHT)
        return np.clip(np.rint(values), least, highest.min(axis=1, initial=WEIGHT))


def _compensated(
    rows: npt.NDArray[np.float64], products: npt.NDArray[np.float64], limits: _Limits
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Rounded ``rows`` ``(out, n)``, and ``(out,)``, in their unit, to add to the bias.

    ``products``: ``(n + 1, n + 1)``.

    One column after another is rounded, the largest inputs' first, and what that changes in the
    sums is taken back, as far as it can be, by those yet to come; last by the bias, which is free.
    Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
    Transformers", ICLR 2023.
    """
    order, spread = _in_order(products)
    count = rows.shape[1]
    left = np.concatenate([rows, np.zeros((len(rows), 1))], axis=1)[:, order]
    found = np.zeros_like(rows)
    for at, column in enumerate(order[:count]):
        before = left[:, at]
        found[:, column] = limits.nearest(before, int(column), found)
        changed = (before - found[:, column]) / spread[at, at]
        left[:, at + 1 :] -= np.outer(changed, spread[at, at + 1 :])
    return found, left[:, -1]


def unexplained(products: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """``(n,)``: of each input the mean square of what those rounded after it cannot tell of it.

    ``products``: ``(n + 1, n + 1)``. What rounding a weight changes in the sums and
    :func:`whole` cannot take back is the square of that change times this.
    """
    order, spread = _in_order(products)
    found = np.empty(len(products) - 1)
    found[order[:-1]] = 1.0 / np.square(np.diag(spread)[:-1])
    return found


def _in_order(
    products: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """In which order inputs are rounded, and in it how each spreads to those yet to come.

    The largest first, and the constant last; ``(n + 1,)``, and ``(n + 1, n + 1)``, upper
    triangular.
    """
    count = len(products) - 1
    order = np.append(np.argsort(-np.diag(products)[:count], kind="stable"), count)
    squares = products[np.ix_(order, order)]
    damping = _DAMPING * max(float(np.diag(products)[:count].mean()), 1e-6)
    squares = squares + np.eye(count + 1) * damping
    return order, np.linalg.cholesky(np.linalg.inv(squares)).T
