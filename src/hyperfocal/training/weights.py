"""Folded weights: out of a net, into a net, and out of a float ONNX file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from hyperfocal.training.consistency import REACH
from hyperfocal.training.nets.plain import GREY, MergedConv, PlainNet

Array = npt.NDArray[np.float32]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Folded:
    """A trained plain net as ``(kernel (out, in, k, k), bias (out,))`` per convolution.

    The first sees pixels in [0, 1], edge-padded by its own half side; the others are zero
    padded. ``clipped``: their sum is added to the bicubic enlargement clipped to [0, 1].
    ``ceilings``: where activations end, of all convolutions but the last. ``correction``: what the
    difference between the input and the reduced result adds to that
    (:func:`~hyperfocal.training.consistency.correction`).
    """

    scale: int
    unshuffle: int
    layers: tuple[tuple[Array, Array], ...]
    clipped: bool = False
    ceilings: tuple[float, ...] | None = None
    correction: Array | None = None

    @property
    def radius(self) -> int:
        """Receptive radius in input pixels."""
        cells = sum(kernel.shape[2] // 2 for kernel, _ in self.layers)
        further = 0 if self.correction is None else REACH
        return cells * self.unshuffle + self.unshuffle - 1 + further


def strided(kernel: npt.NDArray[Number], cell: int) -> npt.NDArray[Number]:
    """A kernel over pixel-unshuffled cells as one over pixels with stride ``cell``.

    ``(out, in * cell**2, k, k)`` to ``(out, in, k * cell, k * cell)``: the same sums without a
    space-to-depth operator.
    """
    outputs, inputs, taps, _ = kernel.shape
    split = kernel.reshape(outputs, inputs // cell**2, cell, cell, taps, taps)
    return np.ascontiguousarray(
        split.transpose(0, 1, 4, 2, 5, 3).reshape(outputs, -1, taps * cell, taps * cell)
    )


def unstrided(kernel: Array, cell: int) -> Array:
    """The inverse of :func:`strided`."""
    outputs, inputs, side, _ = kernel.shape
    split = kernel.reshape(outputs, inputs, side // cell, cell, side // cell, cell)
    return np.ascontiguousarray(
        split.transpose(0, 1, 3, 5, 2, 4).reshape(outputs, -1, side // cell, side // cell)
    )


def pixels_last(weights: Array, side: int) -> Array:
    """Output channels from (colour, row, column) of a pixel-shuffle to (row, column, colour).

    In that order the output of the last convolution, read channels-last, already holds whole
    runs of RGB pixels: putting them in their places moves long rows instead of single bytes.
    """
    split = weights.reshape(3, side * side, *weights.shape[1:])
    return np.ascontiguousarray(np.swapaxes(split, 0, 1).reshape(weights.shape))


def pixels_first(weights: Array, side: int) -> Array:
    """The inverse of :func:`pixels_last`."""
    split = weights.reshape(side * side, 3, *weights.shape[1:])
    return np.ascontiguousarray(np.swapaxes(split, 0, 1).reshape(weights.shape))


@torch.no_grad()
def fold(net: PlainNet) -> Folded:
    """Merge every branch of a net into plain kernels.

    Ranges that a quantisation-aware training has found are ceilings in float: what was above them
    has had no gradient, and without them the float net would be one that nobody trained.
    """
    layers = [
        (c.kernel().float().cpu().numpy().copy(), c.bias.float().cpu().numpy().copy())
        for c in net.convolutions
    ]
    layers[0] = (layers[0][0], layers[0][1] - np.float32(GREY) * _reach(layers[0][0]))
    given_back = net.correction
    return Folded(
        net.scale,
        net.unshuffle,
        tuple(layers),
        net.clipped,
        net.ceilings if net.ranges is None else net.ranges,
        None if given_back is None else given_back.float().cpu().numpy().copy(),
    )


def mean_of(one: Folded, other: Folded) -> Folded:
    """A net whose kernels and biases lie half-way between those of two, and the rest as in ``one``.

    Where a training went on from weights that it has not left far behind, what lies between both
    is often better than either: their errors differ, and the net is nearly linear in between.
    Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022. :class:`ValueError` for
    nets of different shapes.
    """
    if _shape(one) != _shape(other):
        raise ValueError("they are of different nets")
    layers = tuple(
        (_half_way(kernel, its_kernel), _half_way(bias, its_bias))
        for (kernel, bias), (its_kernel, its_bias) in zip(one.layers, other.layers, strict=True)
    )
    return replace(one, layers=layers)


def _shape(folded: Folded) -> tuple[object, ...]:
    kernels = tuple(kernel.shape for kernel, _ in folded.layers)
    return folded.scale, folded.unshuffle, folded.clipped, kernels


def _half_way(one: Array, other: Array) -> Array:
    return ((one.astype(np.float64) + other) / 2.0).astype(np.float32)


def _reach(kernel: Array) -> Array:
    """What a constant input of one adds to every output channel."""
    total: Array = kernel.sum(axis=(1, 2, 3))
    return total


def read_onnx(path: Path) -> Folded:
    """The folded weights of a float ONNX file written by ``training.export``."""
    model = onnx.load(path)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    weights = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    layers: list[tuple[Array, Array]] = []
    while f"conv{len(layers)}.weight" in weights:
        name = f"conv{len(layers)}"
        layers.append((weights[f"{name}.weight"], weights[f"{name}.bias"]))
    if not layers or "scale" not in facts:
        raise ValueError(f"{path} was not exported from a plain net")
    scale, unshuffle = int(facts["scale"]), int(facts["unshuffle"])
    layers[0] = (unstrided(layers[0][0], unshuffle), layers[0][1])
    kernel, bias = (pixels_first(part, scale * unshuffle) for part in layers[-1])
    layers[-1] = (kernel, bias)
    ends = [weights.get(f"conv{index}.ceiling") for index in range(len(layers) - 1)]
    ceilings = tuple(float(end) for end in ends if end is not None)
    if ceilings and len(ceilings) != len(ends):
        raise ValueError(f"{path} has ceilings for some activations only")
    given_back = weights.get("correction.weight")
    return Folded(
        scale,
        unshuffle,
        tuple(layers),
        facts.get("clipped") == "1",
        ceilings or None,
        None if given_back is None else _of_one_colour(pixels_first(given_back, scale)),
    )


def _of_one_colour(kernel: Array) -> Array:
    """A correction out of the convolution that it is stored as."""
    phases = len(kernel) // 3
    return np.ascontiguousarray(kernel[:phases, 0])


@torch.no_grad()
def start_from(net: torch.nn.Module, folded: Folded) -> int:
    """Load folded weights into ``net``; returns how many of its layers were used.

    A deeper or wider net starts from the same function: layers of its own begin as the identity
    (inputs are never negative after a ReLU), channels of its own as twins of others, whose readers
    share what they read between the two, unevenly, so that the two learn different things. Chen et
    al., "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016. Channels that begin at
    random and unread are no way: they are as loud in layers where all others are faint, and what
    the first steps make of them is noise. A head or a tail of another shape (the tail, when going
    from x2 to x4) keeps its random start. Ceilings are kept where the head is, whose activations
    all others are made of, and a correction where the net is to have one.
    """
    if not isinstance(net, PlainNet):
        raise TypeError("only plain nets start from other weights")
    (head, bias), *body, tail = folded.layers
    if len(body) > net.depth or head.shape[0] > net.channels:
        raise ValueError(
            f"the start has {len(body)} layers of {head.shape[0]} channels: more than the net's "
            f"{net.depth} of {net.channels}"
        )
    identity = np.zeros((net.channels, net.channels, 3, 3), np.float32)
    identity[np.arange(net.channels), np.arange(net.channels), 1, 1] = 1.0
    first, *inner, last = net.convolutions
    for layer in inner[len(body) :]:
        layer.load_folded(torch.tensor(identity), torch.zeros(net.channels))
    used = 0
    twins = _twins(head.shape[0], net.channels)
    if head.shape[1:] == first.direct.shape[1:]:
        pixels = torch.arange(head.shape[1])
        used += _grow(first, head, bias + np.float32(GREY) * _reach(head), twins, pixels)
        if folded.ceilings is not None:
            # What passes the last of them passes the layers that follow.
            more = net.depth + 1 - len(folded.ceilings)
            net.set_ceilings([*folded.ceilings, *folded.ceilings[-1:] * more])
    for layer, (kernel, shift) in zip(inner, body, strict=False):
        read, twins = twins, _twins(head.shape[0], net.channels)
        used += _grow(layer, kernel, shift, twins, read)
    if (outputs := tail[0].shape[0]) == last.direct.shape[0]:
        used += _grow(last, *tail, torch.arange(outputs), twins)
    if net.correction is not None and folded.correction is not None and net.scale == folded.scale:
        net.correction.copy_(torch.tensor(folded.correction))
    return used


def _twins(channels: int, wanted: int) -> Tensor:
    """All of ``channels`` in order, then some of them again, drawn, until there are enough."""
    more = [torch.randperm(channels) for _ in range(wanted // channels)]
    return torch.cat([torch.arange(channels), *more])[:wanted]


@torch.no_grad()
def _grow(layer: MergedConv, kernel: Array, bias: Array, twins: Tensor, read: Tensor) -> int:
    """Load a kernel into a layer that is as wide or wider; returns 1.

    ``twins``: which channel of the kernel each output repeats; ``read``: the same of the inputs.
    """
    own = torch.tensor(kernel)[twins][:, read]
    layer.load_folded(own * _shares(own.shape, read), torch.tensor(bias)[twins])
    return 1


def _shares(shape: torch.Size, read: Tensor) -> Tensor:
    """For a kernel of ``shape``, what each input has of what its twins have together; in [0, 1]."""
    # Far enough from zero for their sum.
    drawn = 0.05 + torch.rand(shape)
    together = torch.zeros_like(drawn[:, : int(read.max()) + 1]).index_add(1, read, drawn)
    return drawn / together[:, read]
