"""Training losses over RGB in [0, 1]."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# BT.601 luma of the literature's protocol, for R'G'B' in [0, 1] and without its offset.
LUMA = (65.481 / 255.0, 128.553 / 255.0, 24.966 / 255.0)

_EPSILON = 1e-3


class _Reconstruction(torch.autograd.Function):
    """Value and gradient in one go.

    At x4 these are sixteen numbers for each one that a layer of the net makes; told step by step
    to autograd, they took a fifth of a training step.
    """

    @staticmethod
    def forward(
        ctx: Any, output: Tensor, target: Tensor, squared: bool, luma_weight: float
    ) -> tuple[Tensor, Tensor]:
        with torch.autocast(output.device.type, enabled=False):
            error = output - target
            # Without a copy where channels come last, as they do in training.
            rgb = error.permute(0, 2, 3, 1).reshape(-1, 3)
            weights = rgb.new_tensor(LUMA)
            luma = torch.mv(rgb, weights)
            mean_square = rgb.square().mean()
            of_luma, gradient_of_luma = _mean(luma, squared)
            of_rgb, gradient = _mean(rgb, squared)
            gradient.addmm_(
                gradient_of_luma[:, None],
                weights[None, :],
                beta=(1.0 - luma_weight) / gradient.numel(),
                alpha=luma_weight / luma.numel(),
            )
        n, _, h, w = error.shape
        ctx.save_for_backward(gradient.view(n, h, w, 3).permute(0, 3, 1, 2))
        ctx.mark_non_differentiable(mean_square)
        return (1.0 - luma_weight) * of_rgb + luma_weight * of_luma, mean_square

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0], None, None, None


def _mean(errors: Tensor, squared: bool) -> tuple[Tensor, Tensor]:
    """The mean squared error or Charbonnier, and the gradient of each summand.

    Overwrites ``errors`` with the gradient.
    """
    if squared:
        return errors.square().mean(), errors.mul_(2.0)
    roots = torch.addcmul(errors.new_tensor(_EPSILON**2), errors, errors).sqrt_()
    return roots.mean(), errors.div_(roots)


def reconstruction(
    output: Tensor, target: Tensor, *, squared: bool, luma_weight: float
) -> tuple[Tensor, Tensor]:
    """How far ``output`` is from ``target``, both ``(N, 3, H, W)`` float: loss and squared error.

    The loss: Charbonnier (the smooth L1 of Lai et al., "Deep Laplacian Pyramid Networks", CVPR
    2017) or squared error of RGB, blended with that of luma by ``luma_weight``. The eye and the
    protocol both judge luma first; what is left of the weight keeps the colours honest. It has a
    gradient for ``output``. Beside it the mean squared error of RGB, which has none.
    """
    found: tuple[Tensor, Tensor] = _Reconstruction.apply(  # type: ignore[no-untyped-call]
        output, target, squared, luma_weight
    )
    return found
