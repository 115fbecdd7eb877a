"""Kernels in whole numbers, rounded so that what they make changes least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperfocal.training.nets.steps import odd_count
from hyperfocal.training.weights import Array

LARGEST = 127
"""What a weight in signed 8 bits comes to at most."""

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
) -> Whole:
    """A kernel in signed 8 bits, one step an output channel, and the bias that goes with it.

    ``entering``, ``leaving``: the steps of the activations around it; None where what leaves is
    not rounded. ``products``: of its inputs, as
    :class:`~hyperfocal.training.calibrate.Observed` has them; without, each weight is rounded to
    the nearest step by itself.
    """
    rows = kernel.reshape(len(kernel), -1).astype(np.float64)
    steps = np.maximum(np.abs(rows).max(axis=1), 1e-8) / LARGEST
    counts = np.ones(len(rows))
    if leaving is not None:
        counts = odd_count(leaving / (entering * steps))
        steps = leaving / (entering * counts)
    rows = rows / steps[:, None]
    shift = bias.astype(np.float64)
    if products is None:
        found = _nearest(rows)
    else:
        found, moved = _compensated(rows, products)
        shift = shift + moved * steps
    if leaving is not None:
        shift = np.rint(shift / leaving * counts) / counts * leaving
    return Whole(
        found.reshape(kernel.shape).astype(np.int8),
        steps.astype(np.float32),
        shift.astype(np.float32),
    )


def _nearest(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.clip(np.rint(values), -LARGEST, LARGEST)


def _compensated(
    rows: npt.NDArray[np.float64], products: npt.NDArray[np.float64]
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
    for at in range(count):
        before = left[:, at].copy()
        left[:, at] = _nearest(before)
        left[:, at + 1 :] -= np.outer((before - left[:, at]) / spread[at, at], spread[at, at + 1 :])
    found = np.empty_like(rows)
    found[:, order[:-1]] = left[:, :-1]
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
