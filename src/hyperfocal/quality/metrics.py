"""Scores of a picture against a reference, by the literature's protocol.

Both are rounded to 8 bits; RGB is scored on its luma (BT.601, studio range), grey on its own
values; ``shave`` pixels are left out along every border, which the literature sets to the scale.
``visible``, ``(H, W)``, says which pixels count, None that all do; where none does, nothing
differs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import ArrayError
from hyperfocal.quality.arrays import Array, Flags
from hyperfocal.quality.decibels import decibels
from hyperfocal.quality.luma import luma
from hyperfocal.quality.similarity import structural_similarity

_PEAK = 255.0**2


@dataclass(frozen=True, slots=True)
class Scores:
    """``psnr`` and ``snr`` in dB, ``ssim`` in [-1, 1], ``mse`` in squared 8-bit levels."""

    psnr: float
    ssim: float
    mse: float
    snr: float

    def to_dict(self) -> dict[str, float]:
        """Plain numbers by name."""
        return asdict(self)


def scores(
    image: Array, reference: Array, *, shave: int = 0, visible: Flags | None = None
) -> Scores:
    """All four at once, with the luma computed once.

    ``image`` and ``reference``: ``(H, W)`` or ``(H, W, 3)`` of one shape, uint8, uint16 or
    float in [0, 1]. :class:`ArrayError` when they do not match, or when fewer than 11x11 pixels
    are left for SSIM.
    """
    made, wanted, seen = _pair(image, reference, shave, visible)
    error, power = _mean_square(made - wanted, seen), _mean_square(wanted, seen)
    return Scores(
        psnr=decibels(_PEAK, error),
        ssim=structural_similarity(made, wanted, visible=seen),
        mse=error,
        snr=decibels(power, error),
    )


def mse(image: Array, reference: Array, *, shave: int = 0, visible: Flags | None = None) -> float:
    """Mean square error of luma, in squared levels of 8 bits."""
    made, wanted, seen = _pair(image, reference, shave, visible)
    return _mean_square(made - wanted, seen)


def psnr(image: Array, reference: Array, *, shave: int = 0, visible: Flags | None = None) -> float:
    """Peak signal-to-noise ratio of luma in dB, peak 255; 100 for equal pictures."""
    return decibels(_PEAK, mse(image, reference, shave=shave, visible=visible))


def snr(image: Array, reference: Array, *, shave: int = 0, visible: Flags | None = None) -> float:
    """Signal-to-noise ratio of luma in dB: mean square of the reference over that of the error."""
    made, wanted, seen = _pair(image, reference, shave, visible)
    return decibels(_mean_square(wanted, seen), _mean_square(made - wanted, seen))


def ssim(image: Array, reference: Array, *, shave: int = 0, visible: Flags | None = None) -> float:
    """Structural similarity of luma: see :func:`structural_similarity`."""
    made, wanted, seen = _pair(image, reference, shave, visible)
    return structural_similarity(made, wanted, visible=seen)


def _pair(
    image: Array, reference: Array, shave: int, visible: Flags | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], Flags | None]:
    if image.shape != reference.shape:
        raise ArrayError(f"the pictures differ in shape: {image.shape} and {reference.shape}")
    if shave < 0 or 2 * shave >= min(image.shape[:2]):
        height, width = image.shape[:2]
        raise ArrayError(f"{shave} pixels cannot be shaved off every border of {width}x{height}")
    inner = slice(shave, image.shape[0] - shave), slice(shave, image.shape[1] - shave)
    seen = None if visible is None else visible[inner]
    return luma(image[inner]), luma(reference[inner]), seen


def _mean_square(values: npt.NDArray[np.float64], visible: Flags | None) -> float:
    flat = np.ravel(values) if visible is None else values[visible]
    return float(np.dot(flat, flat)) / max(flat.size, 1)
