"""A convolution and its activation as one operation of the CPU, in training as well.

Autograd runs them one after the other: the activation then fetches from memory, and writes back,
all that the convolution has just written, which takes as long as the convolution.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def has_bfloat16() -> bool:
    """Whether convolutions in bfloat16 are quick on this processor.

    Where they are not, torch makes each of them element by element: a step of a training takes
    some fifteen times as long as in float32.
    """
    return _has_onednn() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _fusable(dtype: torch.dtype) -> bool:
    """Whether this processor has the fused operation, which itself falls back to nothing."""
    return has_bfloat16() if dtype == torch.bfloat16 else dtype == torch.float32 and _has_onednn()


def _has_onednn() -> bool:
    return torch.backends.mkldnn.enabled and torch.backends.mkldnn.is_available()


class _ConvHardtanh(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor, padding: int, ceiling: float
    ) -> Tensor:
        activation, limits = ("hardtanh", [0.0, ceiling]) if ceiling < math.inf else ("relu", [])
        made: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, kernel, bias, [padding] * 2, [1, 1], [1, 1], 1, activation, limits, ""
        )
        ctx.save_for_backward(x, kernel, made)
        ctx.padding, ctx.ceiling = padding, ceiling
        return made

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, kernel, made = ctx.saved_tensors
        # What is left of the input says as well as the input where the activation was linear.
        if ctx.ceiling < math.inf:
            gradient = torch.ops.aten.hardtanh_backward(gradients[0], made, 0.0, ctx.ceiling)
        else:
            gradient = torch.ops.aten.threshold_backward(gradients[0], made, 0.0)
        of_inputs = torch.ops.aten.convolution_backward(
            gradient,
            x,
            kernel,
            [kernel.shape[0]],
            [1, 1],
            [ctx.padding] * 2,
            [1, 1],
            False,
            [0, 0],
            1,
            list(ctx.needs_input_grad[:3]),
        )
        return *of_inputs, None, None


def conv_hardtanh(
    x: Tensor, kernel: Tensor, bias: Tensor, *, padding: int, ceiling: float = math.inf
) -> Tensor:
    """``x`` ``(N, in, H, W)`` convolved with ``(out, in, k, k)``, plus ``(out,)``, in [0, ceiling].

    ``padding``: zeros around. In the dtype of ``x``, or that of autocast, which may round
    ``ceiling``. The gradient is zero where the result is 0 or ``ceiling``. What is not a number may
    become 0.
    """
    kind = x.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    # As the dtype has it: the gradient has to know again what was moved there. Where it did not, a
    # net of 36.9 dB lost 4 of them in two thousand steps, pulled at where nothing could move.
    ceiling = float(torch.tensor(ceiling, dtype=dtype))
    if kind != "cpu" or not _fusable(dtype):
        y = F.conv2d(x, kernel, bias, padding=padding)
        # In its place: one tensor less to keep for the gradient.
        return F.hardtanh_(y, 0.0, ceiling) if ceiling < math.inf else F.relu_(y)
    made: Tensor = _ConvHardtanh.apply(  # type: ignore[no-untyped-call]
        x.to(dtype), kernel.to(dtype), bias.to(dtype).contiguous(), padding, ceiling
    )
    return made
