"""Channels made fainter between two convolutions, so that int8 changes the result least.

All weights of an output channel share one step, which the largest sets, and all activations of a
layer another. Where weights are large because what they read is faint, they make the steps of all
others coarse; making what they read fainter makes *them* larger, and making everything else fainter
makes them count for less. After Nagel et al., "Data-Free Quantization Through Weight Equalization
and Bias Correction", ICCV 2019, who make ranges equal; here, what is made least is the noise that
the result feels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from hyperfocal.training.calibrate import convolved
from hyperfocal.training.losses import LUMA
from hyperfocal.training.nets.steps import WEIGHT
from hyperfocal.training.quantise import unexplained
from hyperfocal.training.weights import Array, Folded

Numbers = npt.NDArray[np.float64]

# What a channel may be multiplied by. Made louder, its largest values would be cut off.
_FACTORS = 2.0 ** (np.arange(0, -9, -1) / 4.0)

# Pixels along either side of what is looked at of a picture, and how many of each channel are kept.
_SIDE = 72
_KEPT = 84

# Each round goes through all channels; most layers are settled after three.
_ROUNDS = 8


@dataclass(frozen=True)
class Felt:
    """What a net's result feels of noise within, over pictures.

    ``sums``: for each convolution ``(out,)``, by what the variance of noise in a channel's sums,
    independent from pixel to pixel, is multiplied on its way to the luma of the result;
    ``activations``: for each convolution but the first ``(in,)``, the same of noise in what it
    reads; ``seen``: values that this has, ``(in, n)``.
    """

    sums: tuple[Numbers, ...]
    activations: tuple[Numbers, ...]
    seen: tuple[Array, ...]

    def with_fainter(self, factors: Sequence[Numbers]) -> tuple[Numbers, ...]:
        """``sums`` of the net of :func:`balanced`: what is fainter is felt more."""
        made = (each / factor**2 for each, factor in zip(self.sums[:-1], factors, strict=True))
        return (*made, self.sums[-1])


def feel(folded: Folded, pictures: Iterable[Array]) -> Felt:
    """Run a net over a square of each of LR ``pictures``, ``(H, W, 3)`` in [0, 1], and back.

    Their sides are multiples of ``unshuffle``. The gradient of a sum of pixels with random signs,
    squared, is in the mean the sum of the squares of their gradients (Hutchinson, "A stochastic
    estimator of the trace of the influence matrix for Laplacian smoothing splines", 1990). The
    correction of a consistent net is left out.
    """
    drawn = np.random.default_rng(0)
    sums = [np.zeros(len(kernel)) for kernel, _ in folded.layers]
    activations = [np.zeros(kernel.shape[1]) for kernel, _ in folded.layers[1:]]
    seen: list[list[Array]] = [[] for _ in activations]
    pixels = 0
    for picture in pictures:
        with torch.enable_grad():
            square = _square(picture, folded.unshuffle, drawn)
            inputs, made = zip(*convolved(folded, square), strict=True)
            gradients = torch.autograd.grad(made[-1], [*made, *inputs[1:]], _signs(made[-1], drawn))
        squares = [each.double().square().sum(dim=(0, 2, 3)).numpy() for each in gradients]
        for total, more in zip([*sums, *activations], squares, strict=True):
            total += more
        for values, x in zip(seen, inputs[1:], strict=True):
            flat = x.detach()[0].flatten(1).numpy()
            values.append(flat[:, drawn.integers(flat.shape[1], size=_KEPT)])
        pixels += made[-1].numel() // len(LUMA)
    return Felt(
        tuple(total / pixels for total in sums),
        tuple(total / pixels for total in activations),
        tuple(np.concatenate(values, axis=1) for values in seen),
    )


def _square(picture: Array, cell: int, drawn: np.random.Generator) -> Array:
    """A square of a picture, or as much of one as it has; its place is a whole number of cells."""
    side = _SIDE // cell * cell
    top, left = (
        int(drawn.integers(max(1, (length - side) // cell + 1))) * cell
        for length in picture.shape[:2]
    )
    return picture[top : top + side, left : left + side]


def _signs(sums: torch.Tensor, drawn: np.random.Generator) -> torch.Tensor:
    """What the last sums ``(1, 3 * n, h, w)`` have of luma, colour by colour, up or down."""
    _, channels, height, width = sums.shape
    signs = drawn.choice([-1.0, 1.0], size=(channels // len(LUMA), height, width))
    return torch.cat([torch.tensor(signs, dtype=sums.dtype) * each for each in LUMA])[None]


def balance(
    folded: Folded,
    ranges: Sequence[float],
    products: Sequence[Numbers | None],
    felt: Felt,
) -> tuple[Numbers, ...]:
    """What to multiply each channel between two convolutions by; in (0, 1], ``(channels,)`` each.

    ``ranges``, ``products``: as :class:`~hyperfocal.training.calibrate.Observed` has them. Ones
    where there are no products.
    """
    found = []
    for index, (reach, of_inputs) in enumerate(zip(ranges, products[1:], strict=True)):
        kernel, _ = folded.layers[index + 1]
        if of_inputs is None:
            found.append(np.ones(kernel.shape[1]))
            continue
        step = reach / 255.0
        errors = felt.activations[index][:, None] * _errors(felt.seen[index], step)
        found.append(_least(kernel, unexplained(of_inputs), felt.sums[index + 1], errors))
    return tuple(found)


def _errors(seen: Array, step: float) -> Numbers:
    """The mean squared error of activations in 8 bits, ``(channels, factors)``."""
    errors = []
    for factor in _FACTORS:
        kept = np.clip(np.rint(seen * (factor / step)), 0, 255) * (step / factor)
        errors.append(np.square(kept - seen, dtype=np.float64).mean(axis=1))
    return np.stack(errors, axis=1)


def _least(kernel: Array, left: Numbers, sums: Numbers, errors: Numbers) -> Numbers:
    """Factors ``(in,)`` with which rounding, of what a kernel reads and of itself, is felt least.

    ``left``: :func:`unexplained` of its inputs, ``(in * k * k,)``; ``sums``: how noise in them is
    felt, ``(out,)``; ``errors``: what rounding what is read makes the result feel,
    ``(in, factors)``. One channel after another is given what is best with the others' factors,
    until none changes.
    """
    largest = np.abs(kernel).max(axis=(2, 3)).astype(np.float64)
    loud = left.reshape(kernel.shape[1], -1).sum(axis=1)
    at = np.zeros(len(loud), dtype=np.intp)
    for _ in range(_ROUNDS):
        before = at.copy()
        for channel in range(len(loud)):
            others = np.arange(len(loud)) != channel
            factors = _FACTORS[at[others]]
            rest = (largest[:, others] / factors).max(axis=1, initial=0.0)
            own = largest[:, channel, None] / _FACTORS
            steps = np.maximum(rest[:, None], own) / WEIGHT
            inputs = np.square(factors) @ loud[others] + np.square(_FACTORS) * loud[channel]
            felt = (sums @ np.square(steps)) / 12.0 * inputs + errors[channel]
            at[channel] = int(felt.argmin())
        if np.array_equal(at, before):
            break
    return _FACTORS[at]


def balanced(
    folded: Folded, factors: Sequence[Numbers], products: Sequence[Numbers | None]
) -> tuple[Folded, tuple[Numbers | None, ...]]:
    """The same net with its channels so much fainter between convolutions, and its products.

    It has no ceilings: channels no longer share them. int8 has the range for that.
    """
    layers = list(folded.layers)
    scaled = list(products)
    for index, factor in enumerate(factors):
        kernel, bias = layers[index]
        layers[index] = _as_float(kernel * factor[:, None, None, None], bias * factor)
        kernel, bias = layers[index + 1]
        layers[index + 1] = _as_float(kernel / factor[:, None, None], bias)
        if (of_inputs := scaled[index + 1]) is not None:
            each = np.append(np.repeat(factor, kernel[0, 0].size), 1.0)
            scaled[index + 1] = of_inputs * np.outer(each, each)
    return replace(folded, layers=tuple(layers), ceilings=None), tuple(scaled)


def _as_float(
    kernel: npt.NDArray[np.floating], bias: npt.NDArray[np.floating]
) -> tuple[Array, Array]:
    return kernel.astype(np.float32), bias.astype(np.float32)
