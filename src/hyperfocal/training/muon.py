"""Muon: steps of equal size in every direction of a kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

# A quintic whose repeated application drives all singular values towards one, steep at zero.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5

# Makes the mean square of a step about that of a step of Adam, so that one rate serves both.
_STEP_RMS = 0.2


def orthogonalised(matrices: Tensor) -> Tensor:
    """``(N, rows, columns)`` with all singular values moved to about one, by Newton-Schulz.

    "About": between 0.7 and 1.2, which is good enough for a direction and needs no SVD.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_ROUNDS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Orthogonalised momentum for kernels, Adam for everything else.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the size of a
    step is that of Liu et al., "Muon is Scalable for LLM Training", 2025. A kernel
    ``(out, in, k, k)`` is taken as the matrix ``(out, in * k * k)``. In a stack of convolutions a
    few directions of each kernel get nearly all of the gradient; Adam, which looks at one number
    at a time, leaves the others almost where they were.

    ``groups``: parameter groups; those with ``"kernels": True`` hold kernels, the others (and
    groups that do not say) are Adam's. ``momentum``: of kernels; ``betas``: Adam's.
    ``weight_decay``: a share of ``lr`` taken off every parameter at each step.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        *,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {
            "lr": lr,
            "kernels": False,
            "momentum": momentum,
            "betas": betas,
            "weight_decay": weight_decay,
        }
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; returns what ``closure``, which computes the gradients anew, returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            known = [p for p in group["params"] if p.grad is not None]
            if group["weight_decay"]:
                torch._foreach_mul_(known, 1.0 - group["lr"] * group["weight_decay"])
            if not group["kernels"]:
                self._adam(known, group)
                continue
            # Kernels of one shape are orthogonalised together: many small products, one call.
            shapes: dict[torch.Size, list[Tensor]] = {}
            for parameter in known:
                shapes.setdefault(parameter.shape, []).append(parameter)
            for alike in shapes.values():
                self._muon(alike, group)
        return loss

    def _muon(self, kernels: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [kernel.grad for kernel in kernels]
        averages = [self._state(kernel, "momentum") for kernel in kernels]
        torch._foreach_lerp_(averages, gradients, 1.0 - group["momentum"])
        # Nesterov's look ahead.
        ahead = torch._foreach_lerp(gradients, averages, group["momentum"])
        matrices = torch.stack([one.flatten(1) for one in ahead])
        steps = orthogonalised(matrices) * (_STEP_RMS * math.sqrt(max(matrices.shape[1:])))
        shaped = [step.view_as(kernel) for step, kernel in zip(steps, kernels, strict=True)]
        torch._foreach_add_(kernels, shaped, alpha=-group["lr"])

    def _adam(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        if not parameters:
            return
        first, second = group["betas"]
        gradients = [parameter.grad for parameter in parameters]
        means = [self._state(parameter, "mean") for parameter in parameters]
        squares = [self._state(parameter, "square") for parameter in parameters]
        group["steps"] = count = group.get("steps", 0) + 1
        torch._foreach_lerp_(means, gradients, 1.0 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1.0 - second)
        spread = torch._foreach_sqrt(squares)
        torch._foreach_div_(spread, math.sqrt(1.0 - second**count))
        torch._foreach_add_(spread, 1e-8)
        torch._foreach_addcdiv_(parameters, means, spread, -group["lr"] / (1.0 - first**count))

    def _state(self, parameter: Tensor, name: str) -> Tensor:
        state = self.state[parameter]
        if name not in state:
            state[name] = torch.zeros_like(parameter)
        found: Tensor = state[name]
        return found
