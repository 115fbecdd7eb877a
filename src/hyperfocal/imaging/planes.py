"""Taking interleaved samples apart, and colour from the alpha it was multiplied with."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hyperfocal.imaging.depth import full_scale
from hyperfocal.imaging.picture import Pixels

_SMALL = 1 << 24
_ROWS = 64


def split_alpha(
    values: npt.NDArray[Any],
) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """``(H, W)``, or ``(H, W, C)`` with 1 to 4 samples, as contiguous colour and alpha.

    Large pictures are taken apart within the memory they are in: ``values`` is used up.
    """
    channels = 1 if values.ndim == 2 else values.shape[2]
    if channels == 1:
        return values.reshape(values.shape[:2]), None
    if channels == 3:
        return np.ascontiguousarray(values), None
    alpha = np.ascontiguousarray(values[..., -1])
    colours = channels - 1
    shape = values.shape[:2] if colours == 1 else (*values.shape[:2], colours)
    if values.nbytes < _SMALL or not (values.flags.c_contiguous and values.flags.writeable):
        return np.ascontiguousarray(values[..., :-1]).reshape(shape), alpha
    # Colour moves forward only, so a row never lands on one that has not been read.
    height = values.shape[0]
    out = values.reshape(-1)[: alpha.size * colours].reshape(height, -1)
    for top in range(0, height, _ROWS):
        rows = values[top : top + _ROWS, :, :-1].copy()
        out[top : top + _ROWS] = rows.reshape(rows.shape[0], -1)
    return out.reshape(shape), alpha


def only_channel(pixels: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """``(H, W)`` of ``(H, W, 3)`` whose channels are alike; None where there is colour.

    Two levels of 255 are what lossy codecs make of grey.
    """
    difference = pixels.max(axis=2) - pixels.min(axis=2)
    return pixels[..., 1] if difference.max() <= 2 / 255 * full_scale(pixels) else None


def unmultiplied(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Colour divided by alpha, which this project keeps apart; black where alpha is 0.

    ``pixels``: ``(H, W)`` or ``(H, W, C)``, and ``alpha`` ``(H, W)`` of the same dtype.
    """
    full = full_scale(pixels)
    share = np.maximum(alpha.astype(np.float32) / full, np.float32(1e-6))
    straight = pixels.astype(np.float32) / (share if pixels.ndim == 2 else share[..., None])
    straight[alpha == 0] = 0.0
    if pixels.dtype == np.float32:
        return cast(Pixels, straight)
    return cast(Pixels, np.clip(np.rint(straight), 0, full).astype(pixels.dtype))
