"""Quantisation-aware training: what the int8 graph will round, rounded while training.

Forward passes see integers; gradients pass the rounding unchanged and stop where a value is
clipped (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018). How far each activation reaches is trained too,
with the gradient that this gives (Esser et al., "Learned Step Size Quantization", ICLR 2020).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hyperfocal.training.nets.steps import odd_count

STEPS = 255.0
"""Unsigned activations."""

_WEIGHT_STEPS = 127.0


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


def whole_kernel(kernel: Tensor, ratio: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """A kernel ``(out, in, k, k)`` in whole steps, -127 to 127, and the step ``(out,)`` of each.

    Whole numbers this small are exact in bfloat16, which is why the steps are kept apart.
    ``ratio``: the step of what leaves over that of what enters; given, steps are those of
    :mod:`hyperfocal.training.nets.steps`.
    """
    step = kernel.detach().abs().flatten(1).amax(1).clamp_min(1e-8) / _WEIGHT_STEPS
    if ratio is not None:
        step = ratio.detach() / odd_count(ratio.detach() / step)
    scaled = kernel / step[:, None, None, None]
    return scaled + (scaled.round() - scaled).detach(), step


def whole_bias(bias: Tensor, gain: Tensor) -> Tensor:
    """A bias in steps of what leaves, moved to a multiple of ``gain``; gradients pass unchanged."""
    return bias + ((bias / gain).round() * gain - bias).detach()
