"""Writing TIFF, strip by strip on several threads; beyond 4 GB as BigTIFF.

Strips are deflated (ISA-L) behind the horizontal predictor, or the floating-point one of Adobe's
Technical Note 3. The directory comes last, so nothing but a few strips is ever in memory.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from hyperfocal.imaging import exif, ifd, maker_notes, photoshop, tiff
from hyperfocal.imaging.plan import Plan
from hyperfocal.imaging.threads import in_order

_STRIP = 512 << 10
_LEVEL = 1
_DEFLATE, _HORIZONTAL, _FLOATING = 8, 2, 3
_BIG = 2**32 - 2**26
_LONG8 = 16


def write(plan: Plan, sink: BinaryIO) -> None:
    """Write the whole file to ``sink``, which must be seekable and empty."""
    height, width = plan.picture.height, plan.picture.width
    row_bytes = width * plan.channels * plan.bit_depth // 8
    big = height * row_bytes > _BIG
    rows = max(1, min(height, _STRIP // row_bytes))
    tops = range(0, height, rows)
    directory, order = _directory(plan, rows)
    head = _head(directory, order, big)
    sink.write(head)
    at = len(head)
    offsets, sizes = [], []
    for data in in_order(lambda top: _strip(plan, top, min(top + rows, height), order), tops):
        offsets.append(at)
        sizes.append(len(data))
        data += b"\0" * (len(data) % 2)
        sink.write(data)
        at += len(data)
    kind = _LONG8 if big else ifd.LONG
    for tag, values in ((273, offsets), (279, sizes)):
        directory.fields[tag] = ifd.Field(
            kind, struct.pack(f"<{len(values)}{'Q' if big else 'I'}", *values)
        )
    sink.write(ifd.serialise(directory, at, order, big=big))
    sink.seek(0)
    sink.write(ifd.header(order, at, big=big))
    sink.seek(0, 2)


def _head(directory: ifd.Directory, order: str, big: bool) -> bytes:
    """The header, and what has to lie in a place near it; an even number of bytes."""
    head, fixed = ifd.header(order, 0, big=big), directory.fixed()
    if fixed is not None and fixed.place is not None:
        head = head.ljust(fixed.place, b"\0") + fixed.data
    return head + b"\0" * (len(head) % 2)


def _strip(plan: Plan, top: int, bottom: int, order: str) -> bytes:
    from isal import isal_zlib

    rows = np.ascontiguousarray(plan.rows(top, bottom))
    rows = rows.reshape(bottom - top, plan.picture.width, plan.channels)
    if plan.bit_depth == 32:
        data = _float_predicted(rows)
        plan.done(top, bottom)
        return bytes(isal_zlib.compress(data, _LEVEL))
    predicted = rows.copy()
    np.subtract(rows[:, 1:], rows[:, :-1], out=predicted[:, 1:])
    plan.done(top, bottom)
    stored = predicted.astype(
        predicted.dtype.newbyteorder(">" if order == ">" else "<"), copy=False
    )
    return bytes(isal_zlib.compress(stored.tobytes(), _LEVEL))


def _float_predicted(rows: npt.NDArray[Any]) -> bytes:
    """Predictor 3: each row's bytes from the most significant on, then their differences."""
    height, width, channels = rows.shape
    planes = rows.astype(">f4").view(np.uint8).reshape(height, width * channels, 4)
    ordered = np.ascontiguousarray(planes.transpose(0, 2, 1)).reshape(height, -1)
    out = ordered.copy()
    np.subtract(ordered[:, channels:], ordered[:, :-channels], out=out[:, channels:])
    return out.tobytes()


def _directory(plan: Plan, rows: int) -> tuple[ifd.Directory, str]:
    """Everything but where the strips lie, and the byte order that all has to have."""
    found, channels = plan.metadata, plan.channels
    out, order = _described(found.exif)
    put = out.put
    put(tiff.WIDTH, ifd.LONG, plan.picture.width)
    put(tiff.HEIGHT, ifd.LONG, plan.picture.height)
    put(tiff.BITS, ifd.SHORT, *[plan.bit_depth] * channels)
    put(259, ifd.SHORT, _DEFLATE)
    put(tiff.PHOTOMETRIC, ifd.SHORT, 1 if plan.grey else 2)
    put(274, ifd.SHORT, 1)
    put(tiff.SAMPLES, ifd.SHORT, channels)
    put(278, ifd.LONG, rows)
    put(284, ifd.SHORT, 1)
    put(317, ifd.SHORT, _FLOATING if plan.bit_depth == 32 else _HORIZONTAL)
    put(tiff.FORMAT, ifd.SHORT, *[3 if plan.bit_depth == 32 else 1] * channels)
    if plan.alpha:
        put(tiff.EXTRA, ifd.SHORT, 2)
    for tag, kind, data in (
        (tiff.XMP, ifd.BYTE, found.xmp),
        (tiff.IPTC, ifd.UNDEFINED, found.iptc),
        (tiff.PHOTOSHOP, ifd.BYTE, photoshop.resources_of(None, copyrighted=found.copyrighted)),
        (tiff.ICC, ifd.UNDEFINED, plan.icc),
    ):
        if data:
            out.fields[tag] = ifd.Field(kind, data)
    if found.geo is not None:
        for tag, field_type, value in found.geo.fields:
            out.fields[tag] = ifd.Field(field_type, value)
    if found.dpi is not None:
        exif.put_dpi(out, found.dpi)
    return out, order


def _described(block: bytes | None) -> tuple[ifd.Directory, str]:
    """The fields of an EXIF block that belong into a TIFF file's own directory.

    And the byte order: the block's where it holds maker's notes that are only read in this.
    """
    out = ifd.Directory()
    if block is None:
        return out, "<"
    main, order = ifd.opened(block)
    is_bound = maker_notes.settle(main, [])
    for tag in (*tiff.DESCRIPTIVE, *tiff.RESOLUTION, *ifd.SUB_IFDS):
        if tag in main.fields:
            out.fields[tag] = main.fields[tag]
    return out, order if is_bound else "<"
