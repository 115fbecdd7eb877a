"""What a net's convolutions see on pictures: from it follows how int8 rounds them best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from hyperfocal.errors import SettingsError
from hyperfocal.training.degraded import learnt_from, observed_pairs
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.weights import Array, Folded

# What share of an activation's values may be clipped. Losing the rare largest ones buys finer
# steps for all others; which share is best differs from net to net.
SHARES = (0.0, 1e-5, 1e-4, 1e-3)

# Every so many pixels, along either axis, enter the products: neighbours tell the same. Odd, so
# that blocks of a JPEG are met at all of their pixels.
STRIDE = 3

# Fewer pixels for each input of a weight say more about themselves than about pictures.
_ENOUGH = 4

# Pixels of a picture that ceilings are found from, about: all layers' are in memory at once.
_LOOKED_AT = 10_000


@dataclass(frozen=True)
class Observed:
    """Activations and inputs of the convolutions of a net, over pictures.

    ``ranges``: for each share of :data:`SHARES`, how far to keep activations after every ReLU.
    ``products``: for each convolution the mean products of its weights' inputs with each other,
    ``(in * k * k + 1,) * 2``: in the order of the flattened kernel, and last a one, which the bias
    is multiplied by. None where too few pixels were seen to tell.
    """

    ranges: dict[float, tuple[float, ...]]
    products: tuple[npt.NDArray[np.float64] | None, ...]


def calibrating(experiment: Experiment, count: int) -> list[Path]:
    """The first ``count`` files of those that the experiment trains on."""
    return learnt_from(experiment)[:count]


def training_pictures(experiment: Experiment, count: int) -> Iterator[Array]:
    """The first ``count`` training pictures as the net gets them, ``(H, W, 3)`` in [0, 1].

    Degraded as in the training. Those too small are left out; :class:`SettingsError` where all are.
    """
    files = calibrating(experiment, count)
    any_seen = False
    for path in files:
        for lr, _ in observed_pairs(experiment, path):
            any_seen = True
            yield lr.astype(np.float32) / np.float32(255.0)
    if not any_seen:
        raise SettingsError(
            f"the first {len(files)} pictures of {experiment.data.train} are all too small to see "
            "from them what a net makes of pictures"
        )


@torch.no_grad()
def observe(folded: Folded, pictures: Iterable[Array]) -> Observed:
    """Run a net over LR ``pictures`` ``(H, W, 3)`` in [0, 1], sides multiples of ``unshuffle``.

    A range is the largest one that any picture asks for.
    """
    seen = [_Seen(kernel) for kernel, _ in folded.layers]
    reached: list[dict[float, float]] = [dict.fromkeys(SHARES, 1e-6) for _ in seen[1:]]
    for picture in pictures:
        for index, (x, _) in enumerate(convolved(folded, picture)):
            seen[index].add(x)
            if index:
                _widen(reached[index - 1], x)
    return Observed(
        {share: tuple(each[share] for each in reached) for share in SHARES},
        tuple(each.mean() for each in seen),
    )


@torch.no_grad()
def ceilings(folded: Folded, pictures: Iterable[Array], share: float) -> tuple[float, ...]:
    """What ``share`` of the activations of each layer lies above, over all pictures together.

    ``pictures`` as :func:`observe` takes them. Infinite where so few are above zero that this would
    end a layer altogether.
    """
    seen: list[list[Tensor]] = [[] for _ in folded.layers[1:]]
    for picture in pictures:
        inner = islice(convolved(folded, picture), 1, None)
        for values, (x, _) in zip(seen, inner, strict=True):
            # Odd as well.
            step = max(STRIDE, math.isqrt(x[0, 0].numel() // _LOOKED_AT)) | 1
            values.append(x[..., ::step, ::step].flatten())
    return tuple(_above(torch.cat(values), share) for values in seen)


def _above(values: Tensor, share: float) -> float:
    """The value that is exceeded by ``share`` of them."""
    found = float(values.topk(round(len(values) * share) + 1).values[-1])
    return found if found > 0.0 else math.inf


def convolved(folded: Folded, picture: Array) -> Iterator[tuple[Tensor, Tensor]]:
    """What each convolution sees, ``(1, in, h, w)``, and the sums that it makes of that.

    First it is pixels with their padding, then activations. ``picture``: ``(H, W, 3)`` in [0, 1],
    sides multiples of ``unshuffle``. Where gradients are wanted, all have them.
    """
    x = torch.tensor(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
    edge = folded.layers[0][0].shape[2] // 2 * folded.unshuffle
    x = F.pixel_unshuffle(F.pad(x, (edge,) * 4, mode="replicate"), folded.unshuffle)
    x.requires_grad_(torch.is_grad_enabled())
    for index, (kernel, bias) in enumerate(folded.layers):
        sums = F.conv2d(x, torch.tensor(kernel), torch.tensor(bias), padding=min(index, 1))
        yield x, sums
        if index < len(folded.layers) - 1:
            x = sums.clamp(0.0, folded.ceilings[index] if folded.ceilings else torch.inf)


def _widen(reached: dict[float, float], activation: Tensor) -> None:
    """Let ``reached``, a range for each share, leave out no more of ``activation``."""
    values = activation.flatten()
    rarest = values.topk(max(1, round(values.numel() * max(SHARES)))).values
    for share, reach in reached.items():
        at = min(round(values.numel() * share), len(rarest) - 1)
        reached[share] = max(reach, float(rarest[at]))


class _Seen:
    """Sums of products of the inputs of one convolution's weights."""

    def __init__(self, kernel: Array) -> None:
        self._side, inputs = kernel.shape[2], kernel[0].size + 1
        self._sums = torch.zeros(inputs, inputs, dtype=torch.float64)
        self._count = 0

    def add(self, x: Tensor) -> None:
        """``x``: ``(1, in, h, w)``."""
        columns = F.unfold(x, self._side, stride=STRIDE)[0]
        columns = torch.cat([columns, torch.ones(1, columns.shape[1])])
        self._sums += columns @ columns.T
        self._count += columns.shape[1]

    def mean(self) -> npt.NDArray[np.float64] | None:
        """As :class:`Observed` has them."""
        if self._count < _ENOUGH * len(self._sums):
            return None
        return (self._sums / self._count).numpy()
