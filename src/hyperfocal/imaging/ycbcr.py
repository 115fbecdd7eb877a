"""YCbCr samples as RGB. TIFF 6.0 (Adobe, 1992), sections 20 and 21."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.imaging.depth import full_scale
from hyperfocal.imaging.picture import Pixels

# ITU-R BT.601, which TIFF takes where a file says nothing.
_LUMA = (0.299, 0.587, 0.114)
_ROWS = 256


def to_rgb(
    pixels: Pixels, luma: tuple[float, ...] | None, reference: tuple[float, ...] | None
) -> Pixels:
    """RGB ``(H, W, 3)`` of Y, Cb, Cr ``(H, W, 3)``, uint8 or uint16 as they came.

    ``luma``: shares of red, green and blue in Y. ``reference``: the codes of black and white of
    each component in turn. None, or what cannot be meant, gives TIFF's defaults.
    """
    full = round(full_scale(pixels))
    half = (full + 1) // 2
    red, green, blue = luma if luma is not None and all(luma) else _LUMA
    codes = reference or ()
    if any(black == white for black, white in zip(codes[::2], codes[1::2], strict=True)):
        codes = ()
    blacks, whites = (
        np.array((codes or (0, full, half, full, half, full))[start::2], np.float32)
        for start in (0, 1)
    )
    scale = np.array((full, half - 1, half - 1), np.float32) / (whites - blacks)
    out = np.empty_like(pixels)
    for top in range(0, pixels.shape[0], _ROWS):
        part: npt.NDArray[Any] = (pixels[top : top + _ROWS].astype(np.float32) - blacks) * scale
        y, cb, cr = (part[..., number] for number in range(3))
        r = y + cr * np.float32(2 - 2 * red)
        b = y + cb * np.float32(2 - 2 * blue)
        g = (y - np.float32(red) * r - np.float32(blue) * b) / np.float32(green)
        rgb = np.stack((r, g, b), axis=-1)
        out[top : top + _ROWS] = np.clip(np.rint(rgb), 0, full)
    return out
