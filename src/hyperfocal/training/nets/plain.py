"""A plain stack of 3x3 convolutions on top of the bicubic enlargement.

``output = bicubic(input) + net(input)``. Every convolution is trained over-parameterised and
merged into one 3x3 kernel *at each step* (Bhardwaj et al., "Collapsible Linear Blocks for
Super-Efficient Super Resolution", MLSys 2022; identity branch as in Ding et al., "RepVGG", CVPR
2021), so training costs little more than the folded net, which is what ships.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hyperfocal.models.anchor import bicubic_anchor

# About the mean of photographs. Without it every channel carries the brightness of the picture,
# all weights of a channel are pushed the same way, and ReLUs die by the dozen.
GREY = 0.45


class MergedConv(nn.Module):
    """A convolution whose kernel is ``direct + point @ wide (+ identity)``.

    ``(N, in, H, W)`` to ``(N, out, H, W)``, zero padded by ``padding``. ``expand``: channels of
    the wide branch; 0 leaves the direct kernel alone. ``side`` of the kernel is odd.
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
    ) -> None:
        super().__init__()
        self.skip = inputs == outputs
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

    def forward(self, x: Tensor) -> Tensor:
        # The merge is tiny; keeping it in float32 keeps small updates of the factors alive.
        with torch.autocast(x.device.type, enabled=False):
            kernel = self.kernel()
        return F.conv2d(x, kernel, self.bias, padding=self.padding)


class PlainNet(nn.Module):
    """``(N, 3, H, W)`` in [0, 1] to ``(N, 3, scale*H, scale*W)``, not clipped.

    ``channels`` and ``depth``: width and number of the inner convolutions. ``unshuffle``: the
    net works at ``1/unshuffle`` of the input resolution (H and W must be multiples of it).
    """

    def __init__(
        self,
        scale: int,
        channels: int,
        depth: int,
        unshuffle: int = 1,
        expand: int = 4,
    ) -> None:
        super().__init__()
        self.scale, self.channels, self.depth = scale, channels, depth
        self.unshuffle = unshuffle
        inputs, outputs = 3 * unshuffle**2, 3 * (scale * unshuffle) ** 2
        anchor, self.anchor_pad = bicubic_anchor(scale, unshuffle)
        self.register_buffer("anchor", torch.from_numpy(anchor), persistent=False)
        # The head sees the window of the anchor, edge-padded like it.
        self.head = MergedConv(
            inputs, channels, expand * channels, side=2 * self.anchor_pad + 1, padding=0
        )
        # Inner layers start close to the identity, so depth costs nothing at the start.
        self.body = nn.ModuleList(
            MergedConv(channels, channels, expand * channels, gain=0.3) for _ in range(depth)
        )
        self.tail = MergedConv(channels, outputs, expand * channels, gain=0.01)

    @property
    def convolutions(self) -> list[MergedConv]:
        """Head, body, tail, in order."""
        return [self.head, *self.body, self.tail]  # type: ignore[list-item]

    def forward(self, x: Tensor) -> Tensor:
        pad = self.anchor_pad * self.unshuffle
        edged = F.pad(x, (pad, pad, pad, pad), mode="replicate")
        cells = F.pixel_unshuffle(edged, self.unshuffle)
        with torch.autocast(x.device.type, enabled=False):
            base = F.conv2d(cells.float(), self.anchor)
        y = F.relu(self.head(cells - GREY))
        for layer in self.body:
            y = F.relu(layer(y))
        y = self.tail(y)
        return F.pixel_shuffle(base + y.float(), self.scale * self.unshuffle)
