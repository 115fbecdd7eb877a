"""Bits a sample: from one depth to another with correct rounding."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hyperfocal.imaging.picture import Pixels


def full_scale(pixels: Pixels) -> float:
    """The sample value that means white: 255, 65535 or 1.0."""
    return 1.0 if pixels.dtype == np.float32 else 255.0 if pixels.dtype == np.uint8 else 65535.0


def clipped(low: float, high: float, bits: int) -> str | None:
    """What integers of so many bits lose of floats that go from ``low`` to ``high``, or None."""
    low, high, half = min(0.0, low), max(1.0, high), 0.5 / ((1 << bits) - 1)
    if low < -half or high > 1.0 + half:
        return f"samples from {low:.6g} to {high:.6g} were clipped to 0 to 1"
    return None


def white_of_integers(pixels: Pixels) -> int | None:
    """255 or 65535 where floats look as if that were white, and not 1; None where they do not.

    They do where most are more than 1, or all are whole numbers: highlights of HDR are few, and
    whole they are by chance never.
    """
    if pixels.dtype != np.float32:
        return None
    low, high = float(pixels.min()), float(pixels.max())
    # Resampling overshoots; a picture that is nowhere brighter than a twentieth is unlikely.
    white = 255 if high <= 255 * 1.25 else 65535
    if low < -0.25 * white or not 0.05 * white <= high <= 1.25 * white:
        return None
    if np.count_nonzero(pixels > 1) * 2 > pixels.size or bool((pixels == np.rint(pixels)).all()):
        return white
    return None


def widen(values: npt.NDArray[np.integer], bits: int) -> Pixels:
    """Samples of 1 to 16 bits over the full range of uint8 (up to 8 bits) or uint16."""
    if bits == 8:
        return values.astype(np.uint8, copy=False)
    if bits == 16:
        return values.astype(np.uint16, copy=False)
    full, top = (255, (1 << bits) - 1) if bits < 8 else (65535, (1 << bits) - 1)
    table = (np.arange(top + 1, dtype=np.int64) * full * 2 + top) // (2 * top)
    return cast(Pixels, table.astype(np.uint8 if bits < 8 else np.uint16)[np.minimum(values, top)])


def convert(pixels: Pixels, bits: int) -> Pixels:
    """``pixels`` at 8, 10, 12, 16 or 32 (float) bits; integers are clipped to [0, 1].

    10 and 12 bits are uint16 up to 1023 and 4095: :func:`widen` turns them back.
    """
    have = pixels.dtype.itemsize * 8
    if have == bits:
        return pixels
    top = (1 << bits) - 1
    if pixels.dtype == np.float32:
        # NaN has no colour; black is what every viewer makes of it.
        scaled: Any = np.nan_to_num(pixels, nan=0.0)
        scaled = np.clip(scaled, 0, 1) * np.float32(top) + np.float32(0.5)
        return cast(Pixels, scaled.astype(np.uint8 if bits == 8 else np.uint16))
    if bits == 32:
        return cast(Pixels, pixels.astype(np.float32) / np.float32(255 if have == 8 else 65535))
    if bits == 16:
        return cast(Pixels, pixels.astype(np.uint16) * np.uint16(257))
    if bits in (10, 12):
        full = 255 if have == 8 else 65535
        scaled = pixels.astype(np.uint32) * np.uint32(top) + np.uint32(full // 2)
        return cast(Pixels, (scaled // np.uint32(full)).astype(np.uint16))
    return cast(Pixels, ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))
