"""How strongly a JPEG was compressed, from its quantisation tables."""

from __future__ import annotations

import struct

import numpy as np

# ITU-T T.81, table K.1: luminance, in rows.
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float64,
)
_SOI, _DQT, _SOS, _EOI = b"\xff\xd8", 0xDB, 0xDA, 0xD9


def estimate_jpeg_quality(data: bytes) -> int | None:
    """The quality setting, 1 to 100, that would have made the luminance table of a JPEG file.

    On the scale of the Independent JPEG Group's library, which most programs share; exact for
    their files, the nearest for others. None for what is no JPEG or has no such table.
    """
    table = _luminance_table(data)
    if table is None:
        return None
    # The comparison is relative: a level more means little in a coarse entry.
    distance = np.abs(np.log(_candidates() / np.maximum(table, 1))).sum(axis=1)
    return 100 - int(np.argmin(distance[::-1]))


def _candidates() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The IJG library's tables of quality 1 to 100, ``(100, 64)``, sorted."""
    quality = np.arange(1, 101)[:, None]
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    levels = np.floor((_LUMINANCE.reshape(1, -1) * percent + 50) / 100)
    return np.asarray(np.sort(np.clip(levels, 1, 255), axis=1))


def _luminance_table(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    """Table 0, sorted: which entry is which does not matter for how coarse they are."""
    if data[:2] != _SOI:
        return None
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, (size,) = data[at + 1], struct.unpack_from(">H", data, at + 2)
        if marker == 0xFF:
            at += 1
            continue
        if marker in (_SOS, _EOI) or size < 2:
            return None
        if marker == _DQT:
            found = _table_zero(data[at + 4 : at + 2 + size])
            if found is not None:
                return found
        at += 2 + size
    return None


def _table_zero(body: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    at = 0
    while at < len(body):
        wide, number = body[at] >> 4, body[at] & 15
        length = 128 if wide else 64
        entries = body[at + 1 : at + 1 + length]
        if len(entries) < length:
            return None
        if number == 0:
            values = np.frombuffer(entries, ">u2" if wide else np.uint8)
            return np.asarray(np.sort(values.astype(np.float64)))
        at += 1 + length
    return None
