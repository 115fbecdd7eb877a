"""Writing JPEG, stripe by stripe on several threads.

Each stripe is encoded by libjpeg-turbo as a picture of its own; with the same tables and a
restart interval of one stripe (ITU-T T.81, B.2.4.4 and E.1.4) the pieces are one baseline JPEG
with exactly the coefficients that encoding it whole would give. That halves the time on two cores
and never needs the picture in memory in the encoder's own format.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np

from hyperfocal.imaging import exif, photoshop, xmp_extension
from hyperfocal.imaging.embedded_depth import XMP_MORE_PREFIX, XMP_PREFIX
from hyperfocal.imaging.jpeg import ICC_PREFIX
from hyperfocal.imaging.plan import Plan
from hyperfocal.imaging.threads import in_order

DEFAULT_QUALITY = 95
# Below this the colour is halved too, as cameras and browsers do: whoever asks for less than
# 90 asks for a small file.
_FULL_COLOUR = 90
_LONGEST_SEGMENT = 65533
_LONGEST_INTERVAL = 65535
_STRIPE = 1 << 20


def write(plan: Plan, sink: BinaryIO) -> None:
    """Write the whole file to ``sink``, which need not be seekable."""
    height, width = plan.picture.height, plan.picture.width
    quality = DEFAULT_QUALITY if plan.quality is None else max(1, plan.quality)
    full = plan.grey or quality >= _FULL_COLOUR
    unit = 8 if full else 16
    across = -(-width // unit)
    # Whole rows of blocks; as many as fit a restart interval.
    blocks = max(1, min(_LONGEST_INTERVAL // across, _STRIPE // (width * plan.channels * unit)))
    rows = blocks * unit
    tops = range(0, height, rows)

    def compress(top: int) -> bytes:
        import imagecodecs

        pixels = np.ascontiguousarray(plan.rows(top, min(top + rows, height)))
        data = imagecodecs.jpeg8_encode(
            pixels, quality, subsampling=None if plan.grey else "444" if full else "420"
        )
        plan.done(top, min(top + rows, height))
        return bytes(data)

    for number, data in enumerate(in_order(compress, tops)):
        header, scan = _parts(data)
        if number == 0:
            sink.write(b"\xff\xd8" + _application_segments(plan))
            sink.write(_whole(header, height, blocks * across if len(tops) > 1 else 0))
        else:
            sink.write(bytes((0xFF, 0xD0 + (number - 1) % 8)))
        sink.write(scan)
    sink.write(b"\xff\xd9")


def _parts(data: bytes) -> tuple[bytes, bytes]:
    """An encoded stripe as its tables and headers (after JFIF, with SOS), and its scan."""
    at, start = 2, 2
    while True:
        marker, size = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xE0:
            start = at + 2 + size
        at += 2 + size
        if marker == 0xDA:
            return data[start:at], data[at:-2]


def _whole(header: bytes, height: int, interval: int) -> bytes:
    """A stripe's headers made those of the whole picture."""
    out, at = bytearray(), 0
    while at < len(header):
        marker, size = header[at + 1], struct.unpack_from(">H", header, at + 2)[0]
        segment = bytearray(header[at : at + 2 + size])
        if marker in (0xC0, 0xC1):
            struct.pack_into(">H", segment, 5, height)
        if marker == 0xDA and interval:
            out += struct.pack(">HHH", 0xFFDD, 4, interval)
        out += segment
        at += 2 + size
    return bytes(out)


def _application_segments(plan: Plan) -> bytes:
    found = plan.metadata
    across, down = (min(round(value), 65535) for value in found.dpi or (0, 0))
    out = [_segment(0xE0, b"JFIF\0\1\1" + struct.pack(">BHHBB", bool(across and down),
                                                      across or 1, down or 1, 0, 0))]  # fmt: skip
    if found.exif is not None:
        out.append(_segment(0xE1, exif.PREFIX + found.exif))
    if found.xmp is not None:
        out.append(_segment(0xE1, XMP_PREFIX + found.xmp))
    for chunk in xmp_extension.chunks(plan.xmp_more):
        out.append(_segment(0xE1, XMP_MORE_PREFIX + chunk))
    if resources := photoshop.resources_of(found.iptc, copyrighted=found.copyrighted):
        out.append(_segment(0xED, photoshop.SIGNATURE + resources))
    if plan.icc is not None:
        room = _LONGEST_SEGMENT - len(ICC_PREFIX) - 2
        parts = [plan.icc[at : at + room] for at in range(0, len(plan.icc), room)]
        for number, part in enumerate(parts, 1):
            out.append(_segment(0xE2, ICC_PREFIX + bytes((number, len(parts))) + part))
    return b"".join(out)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
