"""The loss: its value by numpy, its gradient by differences, and what autocast leaves of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hyperfocal.training.losses import LUMA, reconstruction


def pictures(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    output, target = (
        torch.rand(2, 3, 5, 4, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    return output.to(dtype).requires_grad_(), target.to(dtype)


@pytest.mark.parametrize("luma_weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("squared", [False, True])
def test_value_is_the_blend_of_rgb_and_luma(squared: bool, luma_weight: float) -> None:
    output, target = pictures()
    loss, mse = reconstruction(output, target, squared=squared, luma_weight=luma_weight)

    error = (output - target).detach().numpy()
    luma = np.tensordot(error, LUMA, axes=([1], [0]))
    of_rgb, of_luma = (
        np.mean(part**2) if squared else np.mean(np.hypot(part, 1e-3)) for part in (error, luma)
    )
    assert loss.item() == pytest.approx((1 - luma_weight) * of_rgb + luma_weight * of_luma)
    assert mse.item() == pytest.approx(np.mean(error**2))
    assert loss.requires_grad
    assert not mse.requires_grad


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("luma_weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("squared", [False, True])
def test_gradient_is_that_of_the_value(
    squared: bool, luma_weight: float, channels_last: bool
) -> None:
    output, target = pictures()
    if channels_last:
        output = output.detach().to(memory_format=torch.channels_last).requires_grad_()
        target = target.to(memory_format=torch.channels_last)

    def loss(x: Tensor) -> Tensor:
        return 5.0 * reconstruction(x, target, squared=squared, luma_weight=luma_weight)[0]

    assert torch.autograd.gradcheck(loss, output)
    assert torch.equal(target, pictures()[1])


def test_autocast_takes_no_digits_away() -> None:
    output, target = pictures(torch.float32)
    loss, _ = reconstruction(output, target, squared=False, luma_weight=0.5)
    (gradient,) = torch.autograd.grad(loss, output)
    with torch.autocast("cpu", torch.bfloat16):
        again, _ = reconstruction(output, target, squared=False, luma_weight=0.5)
    (gradient_again,) = torch.autograd.grad(again, output)
    assert again.item() == loss.item()
    assert torch.equal(gradient_again, gradient)
