"""How large activations get: the ranges that int8 needs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from hyperfocal.training.data import pictures_in
from hyperfocal.training.degraded import judged_pairs
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.weights import Array, Folded

# What share of an activation's values may be clipped. Losing the rare largest ones buys finer
# steps for all others; which share is best differs from net to net.
SHARES = (0.0, 1e-5, 1e-4, 1e-3)


def measured_ranges(
    experiment: Experiment, folded: Folded, count: int
) -> dict[float, tuple[float, ...]]:
    """:func:`activation_ranges` of a net on the first ``count`` of its training pictures."""
    files = pictures_in(Path(experiment.data.train))[:count]
    return activation_ranges(
        folded,
        (
            lr.astype(np.float32) / np.float32(255.0)
            for path in files
            for lr, _ in judged_pairs(experiment, [path])
        ),
    )


@torch.no_grad()
def activation_ranges(folded: Folded, pictures: Iterable[Array]) -> dict[float, tuple[float, ...]]:
    """For each share of :data:`SHARES`, the range to keep after every ReLU.

    ``pictures``: LR pictures ``(H, W, 3)`` in [0, 1], sides multiples of ``unshuffle``. A range
    is the largest one that any picture asks for.
    """
    layers = [(torch.tensor(k), torch.tensor(b)) for k, b in folded.layers[:-1]]
    found = {share: np.zeros(len(layers)) for share in SHARES}
    for picture in pictures:
        x = torch.tensor(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
        edge = folded.layers[0][0].shape[2] // 2 * folded.unshuffle
        x = F.pixel_unshuffle(F.pad(x, (edge,) * 4, mode="replicate"), folded.unshuffle)
        for index, (kernel, bias) in enumerate(layers):
            x = F.relu(F.conv2d(x, kernel, bias, padding=min(index, 1)))
            values = x.flatten()
            rarest = values.topk(max(1, round(values.numel() * max(SHARES)))).values
            for share, ranges in found.items():
                at = min(round(values.numel() * share), len(rarest) - 1)
                ranges[index] = max(ranges[index], float(rarest[at]))
    return {
        share: tuple(float(max(value, 1e-6)) for value in ranges) for share, ranges in found.items()
    }
