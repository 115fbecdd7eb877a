"""Two figures closer to the eye than PSNR, from formulas alone: GMSD and HaarPSI.

Both compare with a reference, on half the resolution, as a viewer at some distance would.
``visible``, ``(H, W)``, says which pixels count, None that all do: the others are taken to be
alike, and squares that hold no visible one are left out; where none counts, nothing differs.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import ArrayError
from hyperfocal.quality.arrays import Array, Flags, check_pixels
from hyperfocal.quality.luma import to_8_bit

Plane = npt.NDArray[np.float64]

LEAST = 16
"""The least side in pixels that can be compared."""

# NTSC's luma and its two axes of colour.
_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_GMSD_CONSTANT = 170.0
_HAAR_CONSTANT, _HAAR_ALPHA = 30.0, 4.2


def gmsd(image: Array, reference: Array, visible: Flags | None = None) -> float:
    """Gradient magnitude similarity deviation: 0 for equal pictures, larger is worse.

    ``(H, W)`` or ``(H, W, 3)`` of one shape, uint8, uint16 or float in [0, 1]; on luma (0 to
    255), so that colour does not count. Some 0.01 cannot be seen, 0.15 is bad. W. Xue,
    L. Zhang, X. Mou, A. C. Bovik, "Gradient magnitude similarity deviation", IEEE Trans. Image
    Processing 23(2), 2014. :class:`ArrayError` for other arrays, or under 16x16 pixels.
    """
    made, wanted = (_halved(part[0]) for part in planes(image, reference, visible))
    x, y = _gradient(made), _gradient(wanted)
    similarity = (2.0 * x * y + _GMSD_CONSTANT) / (x * x + y * y + _GMSD_CONSTANT)
    if visible is not None:
        similarity = similarity[any_visible(visible, 2)]
    return float(similarity.std()) if similarity.size else 0.0


def haarpsi(image: Array, reference: Array, visible: Flags | None = None) -> float:
    """Haar wavelet perceptual similarity: 1 for equal pictures, 0 for nothing in common.

    Arrays as for :func:`gmsd`; colour counts. R. Reisenhofer, S. Bosse, G. Kutyniok,
    T. Wiegand, "A Haar wavelet-based perceptual similarity index for image quality assessment",
    Signal Processing: Image Communication 61, 2018.
    """
    made, wanted = (
        [_halved(plane) for plane in part] for part in planes(image, reference, visible)
    )
    seen = None if visible is None else any_visible(visible, 2)
    total = weight_sum = 0.0
    weights = []
    for turned in (False, True):
        x, y = (_details(part[0].T if turned else part[0]) for part in (made, wanted))
        weight = np.maximum(x[2], y[2])
        if seen is not None:
            weight *= seen.T if turned else seen
        local = (_alike(x[0], y[0]) + _alike(x[1], y[1])) / 2.0
        weights.append(weight.T if turned else weight)
        total += float((_logistic(local) * weight).sum())
        weight_sum += float(weight.sum())
    if len(made) == 3:
        colour = [
            _alike(np.abs(_smoothed(x)), np.abs(_smoothed(y)))
            for x, y in zip(made[1:], wanted[1:], strict=True)
        ]
        weight = (weights[0] + weights[1]) / 2.0
        total += float((_logistic((colour[0] + colour[1]) / 2.0) * weight).sum())
        weight_sum += float(weight.sum())
    if weight_sum == 0.0:
        # Two pictures without any detail; the weights would be all zero.
        return 1.0
    share = total / weight_sum
    return (math.log(share / (1.0 - share)) / _HAAR_ALPHA) ** 2


def planes(
    image: Array, reference: Array, visible: Flags | None = None
) -> tuple[list[Plane], list[Plane]]:
    """Luma, and for colour I and Q, of both pictures, in levels of 8 bits.

    The picture has what the reference has where that is not ``visible``.
    """
    check_pixels(image, "the picture")
    check_pixels(reference, "the reference")
    if image.shape != reference.shape:
        raise ArrayError(f"the pictures differ in shape: {image.shape} and {reference.shape}")
    if min(image.shape[:2]) < LEAST:
        raise ArrayError(f"at least {LEAST}x{LEAST} pixels are needed, not {image.shape[:2]}")
    first, second = (_yiq(to_8_bit(part).astype(np.float64)) for part in (image, reference))
    if visible is not None:
        for x, y in zip(first, second, strict=True):
            np.copyto(x, y, where=~visible)
    return first, second


def any_visible(visible: Flags, side: int) -> Flags:
    """In which squares of ``side`` pixels any is visible; what fills no square is left out."""
    rows, columns = visible.shape[0] // side, visible.shape[1] // side
    cut = visible[: rows * side, : columns * side]
    return np.asarray(cut.reshape(rows, side, columns, side).any(axis=(1, 3)))


def _yiq(levels: Plane) -> list[Plane]:
    if levels.ndim == 2:
        return [levels]
    return [np.asarray(levels @ weights) for weights in _YIQ]


def _halved(plane: Plane) -> Plane:
    """Means of 2x2 pixels; an odd last row or column has no partner and is left out."""
    even = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4.0


def _gradient(plane: Plane) -> Plane:
    """Magnitude by Prewitt's filters; beyond the border all is zero, as the authors have it."""
    padded = np.pad(plane, 1)
    down = padded[:-2] + padded[1:-1] + padded[2:]
    along = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return np.hypot((down[:, 2:] - down[:, :-2]) / 3.0, (along[2:] - along[:-2]) / 3.0)


def _details(plane: Plane) -> list[Plane]:
    """Magnitudes of the vertical Haar differences of three scales, all of the plane's size."""
    found = []
    for scale in (1, 2, 3):
        side = 2**scale
        sums = _box(plane, side)
        half = side // 2
        # Rows of the window's upper half less those of its lower half.
        found.append(np.abs(sums[:-half] - sums[half:]) / side)
    return found


def _box(plane: Plane, side: int) -> Plane:
    """Sums of ``side/2`` rows by ``side`` columns, beyond the border zero: ``side/2`` rows more.

    The window of an even side has one pixel more after its centre than before it.
    """
    half = side // 2
    padded = np.pad(plane, ((half - 1, half), (half - 1, half)))
    total = np.pad(padded, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    rows = total[half:] - total[:-half]
    inner: Plane = rows[:, side:] - rows[:, :-side]
    return inner


def _smoothed(plane: Plane) -> Plane:
    padded = np.pad(plane, ((0, 1), (0, 1)))
    return (padded[:-1, :-1] + padded[1:, :-1] + padded[:-1, 1:] + padded[1:, 1:]) / 4.0


def _alike(x: Plane, y: Plane) -> Plane:
    constant = _HAAR_CONSTANT
    return (2.0 * x * y + constant) / (x * x + y * y + constant)


def _logistic(values: Plane) -> Plane:
    return 1.0 / (1.0 + np.exp(-_HAAR_ALPHA * values))
