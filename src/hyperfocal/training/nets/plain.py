"""A plain stack of 3x3 convolutions on top of the bicubic enlargement.

``output = bicubic(input) + net(input)``. Every convolution is trained over-parameterised and
merged into one 3x3 kernel *at each step* (Bhardwaj et al., "Collapsible Linear Blocks for
Super-Efficient Super Resolution", MLSys 2022; identity branch as in Ding et al., "RepVGG", CVPR
2021), so training costs little more than the folded net, which is what ships.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hyperfocal.models.anchor import bicubic_anchor
from hyperfocal.training.consistency import (
    CORRECTED_FROM,
    CORRECTED_SIDE,
    REDUCED_FROM,
    reduction,
)
from hyperfocal.training.nets import native
from hyperfocal.training.nets.fused import conv_hardtanh
from hyperfocal.training.nets.rounding import STEPS, rounded, whole_bias, whole_kernel

# About the mean of photographs. Without it every channel carries the brightness of the picture,
# all weights of a channel are pushed the same way, and ReLUs die by the dozen.
GREY = 0.45


class MergedConv(nn.Module):
    """A convolution whose kernel is ``direct + point @ wide (+ identity)``.

    ``(N, in, H, W)`` to ``(N, out, H, W)``, zero padded by ``padding``. ``expand``: channels of
    the wide branch; 0 leaves the direct kernel alone. ``side`` of the kernel is odd. ``skip``:
    with the identity, which takes as many outputs as inputs.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        expand: int,
        *,
        side: int = 3,
        padding: int = 1,
        gain: float = 1.0,
        skip: bool = False,
    ) -> None:
        super().__init__()
        self.skip = skip
        self.padding = padding
        area = side * side
        self.direct = nn.Parameter(torch.empty(outputs, inputs, side, side))
        self.bias = nn.Parameter(torch.zeros(outputs))
        deviation = gain * math.sqrt(2.0 / (area * inputs))
        nn.init.normal_(self.direct, std=deviation * math.sqrt(0.5))
        self.wide: nn.Parameter | None = None
        self.point: nn.Parameter | None = None
        if expand:
            self.wide = nn.Parameter(torch.empty(expand, inputs, side, side))
            self.point = nn.Parameter(torch.empty(outputs, expand))
            nn.init.normal_(self.wide, std=math.sqrt(1.0 / (area * inputs)))
            nn.init.normal_(self.point, std=deviation * math.sqrt(0.5 * area * inputs / expand))

    def kernel(self) -> Tensor:
        """The merged kernel, ``(out, in, side, side)``."""
        kernel = self.direct
        if self.wide is not None and self.point is not None:
            kernel = kernel + torch.einsum("op,pikl->oikl", self.point, self.wide)
        if self.skip:
            identity = torch.zeros_like(kernel)
            index = torch.arange(kernel.shape[0], device=kernel.device)
            centre = kernel.shape[2] // 2
            identity[index, index, centre, centre] = 1.0
            kernel = kernel + identity
        return kernel

    @torch.no_grad()
    def load_folded(self, kernel: Tensor, bias: Tensor) -> None:
        """Start from a folded kernel: this module then computes exactly what it did."""
        if self.point is not None:
            # The wide branch then adds nothing, yet still has a gradient through ``wide``.
            nn.init.zeros_(self.point)
        self.direct.zero_()
        self.direct.copy_(kernel - self.kernel())
        self.bias.copy_(bias)

    def merged(self) -> Tensor:
        """:meth:`kernel` in float32 whatever autocast says: small updates of the factors count."""
        with torch.autocast(self.direct.device.type, enabled=False):
            return self.kernel()

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.merged(), self.bias, padding=self.padding)

    def activated(self, x: Tensor, ceiling: float) -> Tensor:
        """:meth:`forward`, and what is below 0 or above ``ceiling`` moved there."""
        return conv_hardtanh(x, self.merged(), self.bias, padding=self.padding, ceiling=ceiling)


class PlainNet(nn.Module):
    """``(N, 3, H, W)`` in [0, 1] to ``(N, 3, scale*H, scale*W)``, not clipped.

    ``channels`` and ``depth``: width and number of the inner convolutions. ``unshuffle``: the
    net works at ``1/unshuffle`` of the input resolution (H and W must be multiples of it).
    ``clipped``: the net adds to the bicubic enlargement in [0, 1], without what that overshoots;
    in int8 it can then have 8 bits, and an engine moves a quarter of the bytes.
    ``consistent``: what the result, reduced, lacks of the input is given back by a trained
    :attr:`correction` (:mod:`~hyperfocal.training.consistency`). ``qat``: compute what the int8
    graph will, with trained :attr:`ranges`.
    """

    def __init__(
        self,
        scale: int,
        channels: int,
        depth: int,
        unshuffle: int = 1,
        expand: int = 4,
        *,
        clipped: bool = False,
        consistent: bool = False,
        qat: bool = False,
    ) -> None:
        super().__init__()
        self.scale, self.channels, self.depth = scale, channels, depth
        self.unshuffle, self.clipped = unshuffle, clipped
        inputs, outputs = 3 * unshuffle**2, 3 * (scale * unshuffle) ** 2
        anchor, self.anchor_pad = bicubic_anchor(scale, unshuffle)
        self.register_buffer("anchor", torch.from_numpy(anchor), persistent=False)
        # The head sees the window of the anchor, edge-padded like it.
        self.head = MergedConv(
            inputs, channels, expand * channels, side=2 * self.anchor_pad + 1, padding=0
        )
        # Inner layers start close to the identity, so depth costs nothing at the start.
        self.body = nn.ModuleList(
            MergedConv(channels, channels, expand * channels, gain=0.3, skip=True)
            for _ in range(depth)
        )
        # Never close to the identity, be there as many channels as outputs: the net starts as the
        # bicubic enlargement.
        self.tail = MergedConv(channels, outputs, expand * channels, gain=0.01)
        # As logarithms: a step of the optimiser is then a share of the range.
        self.log_ranges = nn.Parameter(torch.zeros(depth + 1)) if qat else None
        self.register_buffer("_ceilings", torch.full((depth + 1,), torch.inf))
        self.correction: nn.Parameter | None = None
        if consistent:
            # Zero: the net starts as it would without.
            self.correction = nn.Parameter(torch.zeros(scale**2, CORRECTED_SIDE, CORRECTED_SIDE))
            down, along = (torch.from_numpy(kernel) for kernel in reduction(scale))
            # Here channels are still in the order (colour, row, column).
            down = down.unflatten(1, (-1, 3)).transpose(1, 2).flatten(1, 2).contiguous()
            self.register_buffer("_down", down, persistent=False)
            self.register_buffer("_along", along, persistent=False)

    @property
    def convolutions(self) -> list[MergedConv]:
        """Head, body, tail, in order."""
        return [self.head, *self.body, self.tail]  # type: ignore[list-item]

    @property
    def on_tiles(self) -> bool:
        """Whether a training on the CPU in bfloat16 runs on :mod:`native` tiles here."""
        return self.log_ranges is None and self.depth > 0 and native.fits(self.channels)

    @property
    def ranges(self) -> tuple[float, ...] | None:
        """The largest activation worth keeping after each ReLU; None without ``qat``."""
        if self.log_ranges is None:
            return None
        return tuple(self._ends(self.log_ranges.detach()).tolist())

    @torch.no_grad()
    def set_ranges(self, ranges: Sequence[float]) -> None:
        """Start the training of the ranges from these."""
        assert self.log_ranges is not None
        self.log_ranges.copy_(torch.tensor(ranges).log())

    @property
    def ceilings(self) -> tuple[float, ...] | None:
        """Where activations end after each ReLU, in float too; None where none has to."""
        ends = tuple(self._ceilings.tolist())
        return ends if min(ends) < math.inf else None

    @torch.no_grad()
    def set_ceilings(self, ceilings: Sequence[float]) -> None:
        """Let activations end at these from now on: one each for the head and the body's layers."""
        self._ceilings.copy_(torch.tensor(ceilings))

    def _load_from_state_dict(self, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        # Older checkpoints have none.
        state.setdefault(f"{prefix}_ceilings", torch.full_like(self._ceilings, math.inf))
        if self.correction is not None:
            state.setdefault(f"{prefix}correction", torch.zeros_like(self.correction))
        super()._load_from_state_dict(state, prefix, *rest)

    def forward(self, x: Tensor) -> Tensor:
        pad = self.anchor_pad * self.unshuffle
        edged = F.pad(x, (pad, pad, pad, pad), mode="replicate")
        cells = F.pixel_unshuffle(edged, self.unshuffle)
        with torch.autocast(x.device.type, enabled=False):
            base = F.conv2d(cells.float(), self.anchor)
            base = base.clamp(0.0, 1.0) if self.clipped else base
        y = self._float(cells) if self.log_ranges is None else self._int8(cells, self.log_ranges)
        sums = base + y.float()
        if self.correction is not None:
            with torch.autocast(x.device.type, enabled=False):
                sums = self._consistent(x.float(), sums, self.correction)
        return F.pixel_shuffle(sums, self.scale * self.unshuffle)

    def _consistent(self, x: Tensor, sums: Tensor, kernel: Tensor) -> Tensor:
        """``sums``, which have yet to be shuffled, with what they lack of ``x`` given back."""
        # Clipped as pixels are; a gradient that pulls one back passes all the same.
        made = sums + (sums.clamp(0.0, 1.0) - sums).detach()
        if min(x.shape[2:]) <= 2 * REDUCED_FROM:
            return made
        lacking = x - F.conv2d(
            F.conv2d(made, self._down, padding=(REDUCED_FROM, 0)),
            self._along,
            padding=(0, REDUCED_FROM),
        )
        border = (REDUCED_FROM,) * 4
        known = F.pad(F.pad(lacking, [-side for side in border]), border)
        # All colours have the same kernel. With the zeros between them as one dense kernel: a
        # convolution of single channels takes ten times as long.
        whole = torch.einsum("pkl,oi->opikl", kernel, torch.eye(3, device=kernel.device))
        return made + F.conv2d(known, whole.flatten(0, 1), padding=CORRECTED_FROM)

    def _float(self, cells: Tensor) -> Tensor:
        first, *ceilings = self._ceilings.tolist()
        y = self.head.activated(cells - GREY, first)
        inner = self.convolutions[1:-1]
        if inner and native.usable(y):
            kernels = torch.stack([layer.merged() for layer in inner])
            biases = torch.stack([layer.bias for layer in inner])
            y = native.body(y, kernels, biases, (first, *ceilings))
        else:
            for layer, ceiling in zip(inner, ceilings, strict=True):
                y = layer.activated(y, ceiling)
        made: Tensor = self.tail(y)
        return made

    def _int8(self, cells: Tensor, log_ranges: Tensor) -> Tensor:
        """The same in whole numbers: pixels, activations and kernels as the int8 graph has them.

        Only sums and what is multiplied onto them are fractions. Sums are float32, or what
        autocast makes of them.
        """
        with torch.autocast(cells.device.type, enabled=False):
            ends = self._ends(log_ranges)
            steps = [torch.tensor(1.0 / STEPS, device=cells.device), *(ends / STEPS)]
            parts = [self._whole(index, steps) for index in range(len(steps))]
        y = (cells * STEPS).round()
        for index, (kernel, gain, bias) in enumerate(parts):
            padding = self.convolutions[index].padding
            sums = F.conv2d(y, kernel, padding=padding).float()
            y = torch.addcmul(bias[:, None, None], sums, gain[:, None, None])
            if index < len(parts) - 1:
                y = rounded(y)
        return y

    def _ends(self, log_ranges: Tensor) -> Tensor:
        """Ranges, none above its ceiling; a gradient that pulls one down passes all the same."""
        ranges = log_ranges.exp()
        return ranges - (ranges - self._ceilings).clamp_min(0.0).detach()

    def _whole(self, index: int, steps: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Kernel, gain and bias of a convolution; ``steps``: of what enters each of them."""
        conv = self.convolutions[index]
        kernel, bias, entering = conv.kernel(), conv.bias, steps[index]
        if index == 0:
            # Folding takes the grey out of the bias by the kernel before it is rounded.
            bias = bias - GREY * kernel.sum(dim=(1, 2, 3))
        cell = self.unshuffle if index == 0 else None
        if index == len(steps) - 1:
            whole, step = whole_kernel(kernel, cell=cell)
            return whole, step * entering, bias
        leaving = steps[index + 1]
        whole, step = whole_kernel(kernel, leaving / entering, cell=cell)
        gain = step * entering / leaving
        return whole, gain, whole_bias(bias / leaving, gain.detach())
