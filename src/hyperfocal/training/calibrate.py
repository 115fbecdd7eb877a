"""What a net's convolutions see on pictures: from it follows how int8 rounds them best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from hyperfocal.training.data import pictures_in
from hyperfocal.training.degraded import judged_pairs
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.weights import Array, Folded

# What share of an activation's values may be clipped. Losing the rare largest ones buys finer
# steps for all others; which share is best differs from net to net.
SHARES = (0.0, 1e-5, 1e-4, 1e-3)

# Every so many pixels, along either axis, enter the products: neighbours tell the same.
_STRIDE = 4


@dataclass(frozen=True)
class Observed:
    """Activations and inputs of the convolutions of a net, over pictures.

    ``ranges``: for each share of :data:`SHARES`, how far to keep activations after every ReLU.
    ``products``: for each convolution the mean products of its weights' inputs with each other,
    ``(in * k * k + 1,) * 2``, a one (which the bias is multiplied by) as the last of them.
    """

    ranges: dict[float, tuple[float, ...]]
    products: tuple[npt.NDArray[np.float64], ...]


def training_pictures(experiment: Experiment, count: int) -> list[Array]:
    """The first ``count`` training pictures as the net gets them, ``(H, W, 3)`` in [0, 1]."""
    files = pictures_in(Path(experiment.data.train))[:count]
    pairs = (pair for path in files for pair in judged_pairs(experiment, [path]))
    return [lr.astype(np.float32) / np.float32(255.0) for lr, _ in pairs]


@torch.no_grad()
def observe(folded: Folded, pictures: Iterable[Array]) -> Observed:
    """Run a net over LR ``pictures`` ``(H, W, 3)`` in [0, 1], sides multiples of ``unshuffle``.

    A range is the largest one that any picture asks for.
    """
    seen = [_Seen(kernel.shape[2]) for kernel, _ in folded.layers]
    for picture in pictures:
        for each, (before, after) in zip(seen, pairwise(_inputs(folded, picture)), strict=True):
            each.add(before, after)
    return Observed(
        {share: tuple(max(each.ranges[share], 1e-6) for each in seen[:-1]) for share in SHARES},
        tuple((each.products / each.count).numpy() for each in seen),
    )


class _Seen:
    """What one convolution has seen and made so far."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.ranges = dict.fromkeys(SHARES, 0.0)
        self.products = torch.zeros(1, dtype=torch.float64)
        self.count = 0

    def add(self, before: Tensor, after: Tensor) -> None:
        columns = F.unfold(before, self.side, stride=_STRIDE)[0]
        columns = torch.cat([columns, torch.ones(1, columns.shape[1])])
        self.products = self.products + (columns @ columns.T).double()
        self.count += columns.shape[1]
        values = after.flatten()
        rarest = values.topk(max(1, round(values.numel() * max(SHARES)))).values
        for share in SHARES:
            at = min(round(values.numel() * share), len(rarest) - 1)
            self.ranges[share] = max(self.ranges[share], float(rarest[at]))


def _inputs(folded: Folded, picture: Array) -> Iterator[Tensor]:
    """What each convolution sees, ``(1, C, h, w)`` with its padding, and last what comes out."""
    x = torch.tensor(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
    edge = folded.layers[0][0].shape[2] // 2 * folded.unshuffle
    x = F.pixel_unshuffle(F.pad(x, (edge,) * 4, mode="replicate"), folded.unshuffle)
    yield x
    for kernel, bias in folded.layers:
        x = F.pad(F.relu(F.conv2d(x, torch.tensor(kernel), torch.tensor(bias))), (1,) * 4)
        yield x
