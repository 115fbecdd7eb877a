"""Writing BMP with the version 5 header, which knows transparency and colour profiles."""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np

from hyperfocal.errors import OutputRefused
from hyperfocal.imaging.plan import Plan
from hyperfocal.imaging.resolution import to_metre

_HEADER = 14 + 124
_RGB, _BITFIELDS = 0, 3
_SRGB, _EMBEDDED = 0x73524742, 0x4D424544  # "sRGB", "MBED"
_ROWS = 256


def write(plan: Plan, sink: BinaryIO) -> None:
    """Write the whole file to ``sink``, which need not be seekable."""
    height, width = plan.picture.height, plan.picture.width
    samples = plan.channels
    # Grey with alpha has no form of its own.
    stored = 4 if plan.alpha else samples
    row = (width * stored + 3) // 4 * 4
    palette = b"".join(bytes((level, level, level, 0)) for level in range(256))
    palette = palette if stored == 1 else b""
    pixels_at = _HEADER + len(palette)
    total = pixels_at + row * height + len(plan.icc or b"")
    if total >= 2**32:
        raise OutputRefused("BMP holds at most 4 GB; choose PNG or TIFF")
    sink.write(struct.pack("<2sIHHI", b"BM", total, 0, 0, pixels_at))
    sink.write(_info(plan, stored, row * height, pixels_at + row * height - 14))
    sink.write(palette)
    for bottom in range(height, 0, -_ROWS):
        top = max(0, bottom - _ROWS)
        sink.write(_rows(plan.rows(top, bottom)[::-1], stored, row))
        plan.done(top, bottom)
    sink.write(plan.icc or b"")


def _info(plan: Plan, stored: int, size: int, profile_at: int) -> bytes:
    dpi = plan.metadata.dpi
    across, down = (to_metre(dpi[0]), to_metre(dpi[1])) if dpi else (0, 0)
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000) if plan.alpha else (0, 0, 0, 0)
    icc = plan.icc or b""
    return struct.pack(
        "<IiiHHIIiiII4II36x3IIIII",
        124,
        plan.picture.width,
        plan.picture.height,
        1,
        stored * 8,
        _BITFIELDS if plan.alpha else _RGB,
        size,
        across,
        down,
        256 if stored == 1 else 0,
        0,
        *masks,
        _EMBEDDED if icc else _SRGB,
        0,
        0,
        0,
        4,  # intent: images
        profile_at if icc else 0,
        len(icc),
        0,
    )


def _rows(rows: np.ndarray, stored: int, width: int) -> bytes:  # type: ignore[type-arg]
    """Rows in file order: blue first, each padded to four bytes."""
    out = np.zeros((rows.shape[0], width), np.uint8)
    pixels = out[:, : rows.shape[1] * stored].reshape(rows.shape[0], rows.shape[1], stored)
    if stored == 1:
        pixels[..., 0] = rows
    else:
        pixels[..., :3] = rows[..., 2::-1] if rows.shape[2] > 2 else rows[..., :1]
        if stored == 4:
            pixels[..., 3] = rows[..., -1]
    return out.tobytes()
