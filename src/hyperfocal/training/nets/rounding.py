"""Quantisation-aware training: what the int8 graph will round, rounded while training.

Forward passes see integers; gradients pass the rounding unchanged and stop where a value is
clipped (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018). How far each activation reaches is trained too,
with the gradient that this gives (Esser et al., "Learned Step Size Quantization", ICLR 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from hyperfocal.training.nets.steps import PAIR, WEIGHT, Pairs, neighbours, odd_count

STEPS = 255.0
"""Unsigned activations."""


class _Rounded(torch.autograd.Function):
    """ReLU, clip and round in one pass; its gradient is one inside the range."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward((x > 0.0) & (x < STEPS))
        return x.clamp(0.0, STEPS).round_()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (inside,) = ctx.saved_tensors
        return gradients[0] * inside


def rounded(x: Tensor) -> Tensor:
    """Float activations in units of their step to whole steps, 0 to 255."""
    made: Tensor = _Rounded.apply(x)  # type: ignore[no-untyped-call]
    return made


def whole_kernel(
    kernel: Tensor, ratio: Tensor | None = None, *, cell: int | None = None
) -> tuple[Tensor, Tensor]:
    """A kernel ``(out, in, k, k)`` in whole steps, -127 to 127, and the step ``(out,)`` of each.

    No neighbours of one sign come to more than all processors can add; ``cell``: it reads the
    picture, pixel-unshuffled by that. Whole numbers this small are exact in bfloat16, which is why
    the steps are kept apart.
    ``ratio``: the step of what leaves over that of what enters; given, steps are those of
    :mod:`hyperfocal.training.nets.steps`.
    """
    sets = neighbours(kernel.shape[1], kernel.shape[2], cell)
    step = _least_steps(kernel.detach().flatten(1), sets).clamp_min(1e-8 / WEIGHT)
    if ratio is not None:
        step = ratio.detach() / odd_count(ratio.detach() / step)
    scaled = kernel / step[:, None, None, None]
    whole = scaled.detach().round().contiguous()
    rows = whole.view(len(whole), -1)
    for left, right in (pairs.T for pairs in sets):
        # Both may have been rounded up.
        most, least = PAIR - rows[:, left].clamp_min(0.0), -PAIR - rows[:, left].clamp_max(0.0)
        rows[:, right] = rows[:, right].clamp(least, most)
    return scaled + (whole - scaled).detach(), step


def _least_steps(rows: Tensor, sets: Sequence[Pairs]) -> Tensor:
    """As :func:`hyperfocal.training.quantise.least_steps`."""
    least = rows.abs().amax(1) / WEIGHT
    for left, right in (pairs.T for pairs in sets if len(pairs)):
        for one_way in (rows.clamp_min(0.0), (-rows).clamp_min(0.0)):
            sums = (one_way[:, left] + one_way[:, right]).amax(1)
            least = torch.maximum(least, sums / PAIR)
    return least


def whole_bias(bias: Tensor, gain: Tensor) -> Tensor:
    """A bias in steps of what leaves, moved to a multiple of ``gain``; gradients pass unchanged."""
    return bias + ((bias / gain).round() * gain - bias).detach()
