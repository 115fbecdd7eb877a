"""Training losses over RGB in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

# BT.601 luma of the literature's protocol, for R'G'B' in [0, 1] and without its offset.
LUMA = (65.481 / 255.0, 128.553 / 255.0, 24.966 / 255.0)


def luma(rgb: Tensor) -> Tensor:
    """``(N, 3, H, W)`` to ``(N, 1, H, W)``."""
    weights = torch.tensor(LUMA, dtype=rgb.dtype, device=rgb.device).view(1, 3, 1, 1)
    return (rgb * weights).sum(dim=1, keepdim=True)


def charbonnier(error: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Smooth L1 of Lai et al., "Deep Laplacian Pyramid Networks", CVPR 2017."""
    return torch.sqrt(error * error + epsilon * epsilon).mean()


def reconstruction(output: Tensor, target: Tensor, *, squared: bool, luma_weight: float) -> Tensor:
    """Charbonnier or squared error of RGB, blended with that of luma by ``luma_weight``.

    The eye and the protocol both judge luma first; what is left of the weight keeps the
    colours honest.
    """
    error = output - target
    parts = [(error, 1.0 - luma_weight), (luma(error), luma_weight)]
    total = output.new_zeros(())
    for part, weight in parts:
        if weight > 0.0:
            total = total + weight * ((part * part).mean() if squared else charbonnier(part))
    return total
