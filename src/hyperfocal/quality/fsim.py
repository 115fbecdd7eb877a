"""FSIM: how alike two pictures are where the eye finds something to look at.

Edges and lines are where the waves that a picture is made of are in phase, however faint they
are. This phase congruency (P. Kovesi, "Image features from phase congruency", Videre 1(3), 1999)
weighs and compares, beside gradients and colours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperfocal.quality.arrays import Array, Flags
from hyperfocal.quality.perceptual import Plane, any_visible, planes

# Log-Gabor filters: wavelengths of 6, 12, 24 and 48 pixels in four directions; their bandwidth,
# and the standard deviation of their spread, a share of the angle between two of them.
_SCALES, _DIRECTIONS = 4, 4
_SHORTEST, _BAND, _SPREAD = 6.0, 0.55, 1.2
# Frequencies in the corners of the spectrum, which no round filter holds, are left out.
_CUTOFF, _STEEPNESS = 0.45, 15
# How many standard deviations over its mean noise counts as none, and by how much that is too
# much for this kind of congruency (Kovesi's own correction).
_NOISE_DEVIATIONS, _NOISE_EXCESS = 2.0, 1.7
# So that what is numerically nothing has no phase.
_NOTHING = 1e-4
_SCHARR = (3.0 / 16.0, 10.0 / 16.0)
# The constants of the authors for 8-bit levels, and how much colour counts.
_CONGRUENCY, _GRADIENT, _COLOUR, _COLOUR_POWER = 0.85, 160.0, 200.0, 0.03
# The short side that pictures are reduced to.
_VIEWED = 256

Filters = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Bank:
    """Filters over frequencies, ``(directions, scales, H, W)``, and what they make of noise.

    ``noise``: the threshold of a direction over the root of the power of the noise.
    """

    filters: Filters
    noise: npt.NDArray[np.float64]


def fsim(image: Array, reference: Array, visible: Flags | None = None) -> float:
    """Feature similarity, of colour pictures FSIMc: 1 for equal pictures, less is worse.

    Arrays and ``visible`` as for :func:`~hyperfocal.quality.perceptual.gmsd`. Pictures whose short
    side has 384 pixels or more are looked at from afar, reduced by a whole number to about 256.
    L. Zhang, L. Zhang, X. Mou, D. Zhang, "FSIM: a feature similarity index for image quality
    assessment", IEEE Trans. Image Processing 20(8), 2011.
    """
    made, wanted = (
        [_viewed(plane) for plane in part] for part in planes(image, reference, visible)
    )
    bank = _bank(*made[0].shape)
    here, there = _congruency(made[0], bank), _congruency(wanted[0], bank)
    weight = np.maximum(here, there)
    if visible is not None:
        weight *= any_visible(visible, _viewed_by(visible.shape))
    total = float(weight.sum())
    if total == 0.0:
        # Nothing to look at in either of them, or nothing visible.
        return 1.0
    alike = _alike(here, there, _CONGRUENCY)
    alike *= _alike(_gradient(made[0]), _gradient(wanted[0]), _GRADIENT)
    if len(made) == 3:
        colour = _alike(made[1], wanted[1], _COLOUR) * _alike(made[2], wanted[2], _COLOUR)
        # Opposite colours make it negative; the authors take the real part of the root.
        alike *= np.real(colour.astype(np.complex128) ** _COLOUR_POWER)
    return float((alike * weight).sum()) / total


def _viewed(plane: Plane) -> Plane:
    """Means of squares so large that the short side has about 256."""
    side = _viewed_by(plane.shape)
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    cut = plane[: rows * side, : columns * side]
    return np.asarray(cut.reshape(rows, side, columns, side).mean(axis=(1, 3)))


def _viewed_by(shape: tuple[int, ...]) -> int:
    # Halves upwards, as the authors' MATLAB rounds; Python rounds them to even.
    return max(1, math.floor(min(shape) / _VIEWED + 0.5))


def _frequencies(length: int) -> Plane:
    """Cycles a pixel from -1/2 to 1/2, the order that of a Fourier transform."""
    half = length // 2
    steps = np.arange(-half, length - half) / (length - length % 2)
    return np.fft.ifftshift(steps)


def _bank(height: int, width: int) -> _Bank:
    y, x = np.meshgrid(_frequencies(height), _frequencies(width), indexing="ij")
    radius, angle = np.hypot(x, y), np.arctan2(-y, x)
    low = 1.0 / (1.0 + (radius / _CUTOFF) ** (2 * _STEEPNESS))
    radius[0, 0] = 1.0  # The mean, which no filter passes.
    bands = []
    for scale in range(_SCALES):
        octaves = np.log(radius * _SHORTEST * 2.0**scale)
        band = low * np.exp(-(octaves**2) / (2.0 * math.log(_BAND) ** 2))
        band[0, 0] = 0.0
        bands.append(band)
    spread = math.pi / (_DIRECTIONS * _SPREAD)
    directions = []
    for direction in np.arange(_DIRECTIONS) * (math.pi / _DIRECTIONS):
        # The shorter way round.
        away = np.abs(np.angle(np.exp(1j * (angle - direction))))
        directions.append(np.exp(-(away**2) / (2.0 * spread**2)))
    filters = np.stack(directions)[:, None] * np.stack(bands)
    return _Bank(filters, _noise(filters))


def _noise(filters: Filters) -> npt.NDArray[np.float64]:
    """The energy that noise has, at most, over the root of its power; one value a direction.

    The energy of Gaussian noise has a Rayleigh distribution; its parameter follows from how the
    filters of all scales respond to the same noise, in pairs.
    """
    size = filters.shape[2] * filters.shape[3]
    kernels = np.fft.ifft2(filters).real * math.sqrt(size)
    # Sums of squares, and of the products of different scales, each counted twice.
    squares = (kernels**2).sum(axis=(1, 2, 3))
    products = (kernels.sum(axis=1) ** 2).sum(axis=(1, 2)) - squares
    rayleigh = np.sqrt(squares + products)
    mean, deviation = math.sqrt(math.pi / 2.0), math.sqrt(2.0 - math.pi / 2.0)
    return np.asarray(rayleigh * (mean + _NOISE_DEVIATIONS * deviation) / _NOISE_EXCESS)


def _congruency(plane: Plane, bank: _Bank) -> Plane:
    """Phase congruency, 0 to 1."""
    spectrum = np.fft.fft2(plane)
    energy, amplitude = np.zeros(plane.shape), np.zeros(plane.shape)
    for filters, noise in zip(bank.filters, bank.noise, strict=True):
        responses = np.fft.ifft2(spectrum * filters)
        lengths = np.abs(responses)
        # Half of the squared lengths of noise lie below its mean times the logarithm of two.
        power = np.median(lengths[0] ** 2) / math.log(2.0) / (filters[0] ** 2).sum()
        together = responses.sum(axis=0)
        mean = together / (np.abs(together) + _NOTHING)
        # Along the mean phase, less what is across it.
        turned = responses * np.conj(mean)
        found = (turned.real - np.abs(turned.imag)).sum(axis=0)
        energy += np.maximum(found - noise * math.sqrt(power), 0.0)
        amplitude += lengths.sum(axis=0)
    return energy / (amplitude + _NOTHING)


def _gradient(plane: Plane) -> Plane:
    """Magnitude by Scharr's filters; beyond the border all is zero, as the authors have it."""
    outer, inner = _SCHARR
    padded = np.pad(plane, 1)
    down = outer * (padded[:-2] + padded[2:]) + inner * padded[1:-1]
    along = outer * (padded[:, :-2] + padded[:, 2:]) + inner * padded[:, 1:-1]
    return np.hypot(down[:, 2:] - down[:, :-2], along[2:] - along[:-2])


def _alike(x: Plane, y: Plane, constant: float) -> Plane:
    return (2.0 * x * y + constant) / (x * x + y * y + constant)
