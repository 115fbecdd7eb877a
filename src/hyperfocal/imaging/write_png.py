"""Writing PNG, stripe by stripe on several threads.

Pillow's writer takes 80 to 500 ms for a megapixel because zlib does. ISA-L's deflate at level 1
behind the Sub filter needs about 10 ms for a file within 6 % of zlib's best. Each stripe is an
independent piece of one deflate stream, so stripes are compressed in parallel and only a few
are ever in memory.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from hyperfocal.imaging import photoshop, png_text
from hyperfocal.imaging.plan import Plan
from hyperfocal.imaging.png import IPTC_KEYWORD, SIGNATURE, XMP_KEYWORD
from hyperfocal.imaging.resolution import to_metre
from hyperfocal.imaging.threads import in_order

_STRIPE = 512 << 10
_LEVEL = 1
# Level 1 against 2 and 3: the same size within 0.3 %, and up to a third faster.
_SAMPLED_ROWS = 8
_NONE, _SUB, _UP = 0, 1, 2
_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}
# Window of 32 KiB, fastest algorithm; the two bytes are a multiple of 31.
_ZLIB_HEADER = b"\x78\x01"

_Bytes = npt.NDArray[np.uint8]


class _Stripe(NamedTuple):
    data: bytes
    check: int
    length: int


def write(plan: Plan, sink: BinaryIO) -> None:
    """Write the whole file to ``sink``, which need not be seekable."""
    picture = plan.picture
    height, width = picture.height, picture.width
    size = struct.pack(">IIBBBBB", width, height, plan.bit_depth, _COLOURS[plan.channels], 0, 0, 0)
    sink.write(SIGNATURE + _chunk(b"IHDR", size))
    _write_metadata(plan, sink)
    rows = max(1, _STRIPE // (width * plan.channels * plan.bit_depth // 8))
    check = 1
    tops = range(0, height, rows)

    def compress(top: int) -> _Stripe:
        return _compress(plan, top, min(top + rows, height))

    for top, stripe in zip(tops, in_order(compress, tops), strict=True):
        check = adler_of_both(check, stripe.check, stripe.length)
        data = stripe.data
        if top == 0:
            data = _ZLIB_HEADER + data
        if top + rows >= height:
            data += struct.pack(">I", check)
        sink.write(_chunk(b"IDAT", data))
    sink.write(_chunk(b"IEND", b""))


def _compress(plan: Plan, top: int, bottom: int) -> _Stripe:
    """Filter and deflate rows; all but the last stripe end on a byte boundary."""
    from isal import isal_zlib

    above = _samples(plan, top - 1, top) if top else None
    filtered = _filtered(_samples(plan, top, bottom), above, plan.channels * plan.bit_depth // 8)
    plan.done(top, bottom)
    worker = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -15)
    data = worker.compress(filtered)
    last = bottom == plan.picture.height
    data += worker.flush(isal_zlib.Z_FINISH if last else isal_zlib.Z_SYNC_FLUSH)
    return _Stripe(data, isal_zlib.adler32(filtered), filtered.size)


def _samples(plan: Plan, top: int, bottom: int) -> _Bytes:
    """Rows as the bytes of the file: ``(h, bytes a row)``, 16 bit in big-endian order."""
    rows = plan.rows(top, bottom)
    if rows.dtype == np.uint16:
        rows = rows.astype(">u2")  # type: ignore[assignment]
    return np.ascontiguousarray(rows).reshape(bottom - top, -1).view(np.uint8)


def _filtered(rows: _Bytes, above: _Bytes | None, pixel: int) -> _Bytes:
    """The rows behind the one filter that suits the stripe best, each led by its number."""
    out = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    kind = _best_filter(rows, pixel)
    out[:, 0] = kind
    body = out[:, 1:]
    if kind == _NONE:
        body[:] = rows
    elif kind == _SUB:
        body[:, :pixel] = rows[:, :pixel]
        np.subtract(rows[:, pixel:], rows[:, :-pixel], out=body[:, pixel:])
    else:
        np.subtract(rows[1:], rows[:-1], out=body[1:])
        body[0] = rows[0] if above is None else rows[0] - above[0]
    return out


def _best_filter(rows: _Bytes, pixel: int) -> int:
    """The filter whose residue has the least entropy, judged on a few pairs of rows.

    Average and Paeth would save another 2 to 4 % and cost five times the deflate in numpy.
    """
    if rows.shape[0] < 2 or rows.shape[1] <= pixel:
        return _SUB if rows.shape[1] > pixel else _NONE
    step = max(1, (rows.shape[0] - 1) // _SAMPLED_ROWS)
    some, over = rows[1::step], rows[:-1:step]
    costs = {
        _NONE: _entropy(some),
        _SUB: _entropy(some[:, pixel:] - some[:, :-pixel]),
        _UP: _entropy(some - over),
    }
    return min(costs, key=lambda kind: costs[kind])


def _entropy(values: _Bytes) -> float:
    counts = np.bincount(values.ravel(), minlength=256)
    share = counts[counts > 0] / values.size
    return float(-(share * np.log2(share)).sum())


def adler_of_both(first: int, second: int, length: int) -> int:
    """Adler-32 of two runs of bytes from the sum of each; ``length`` is the second's.

    RFC 1950: both halves start at (1, 0), so the second run's 1 must come off again.
    """
    base = 65521
    low, high = first & 0xFFFF, first >> 16
    low2, high2 = second & 0xFFFF, second >> 16
    both_low = (low + low2 - 1) % base
    both_high = (high + high2 + length % base * (low - 1)) % base
    return both_high << 16 | both_low


def _write_metadata(plan: Plan, sink: BinaryIO) -> None:
    found = plan.metadata
    if plan.code_points is not None:
        # RGB, full range.
        sink.write(_chunk(b"cICP", bytes((*plan.code_points, 0, 1))))
    if plan.icc is not None:
        sink.write(_chunk(b"iCCP", b"icc\0\0" + zlib.compress(plan.icc)))
    if found.dpi is not None:
        across, down = (to_metre(value) for value in found.dpi)
        sink.write(_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if found.exif is not None:
        sink.write(_chunk(b"eXIf", found.exif))
    if found.xmp is not None:
        sink.write(_chunk(b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + found.xmp))
    if raw := photoshop.resources_of(found.iptc, copyrighted=found.copyrighted):
        text = b"\niptc\n%8d\n%s\n" % (len(raw), raw.hex().encode())
        sink.write(_chunk(b"zTXt", IPTC_KEYWORD + b"\0\0" + zlib.compress(text)))
    for each in found.texts:
        sink.write(_chunk(*png_text.written(each)))


def _chunk(kind: bytes, body: bytes) -> bytes:
    from isal import isal_zlib

    check = isal_zlib.crc32(body, isal_zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", check)))
