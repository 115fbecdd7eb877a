"""TIFF files whose fields lie: sizes, offsets, loops, kinds that do not exist."""

from __future__ import annotations

import struct

from cases import PERHAPS, Case, family
from pictures import DOUBLED
from tiffs import LONG, RATIONAL, SHORT, UNDEFINED, Fields, tiff

_HUGE = 2**32 - 1


def families():
    """What the pixels need, what they do not need, and directories that lead nowhere."""
    yield family("lying TIFF", (Case(name, tiff(change)) for name, change in _fields()))
    yield family("lost TIFF directory", (Case(name, data) for name, data in _directories()))
    yield family(
        "lying TIFF that has its picture",
        (Case(name, data, PERHAPS, DOUBLED) for name, data in _with_picture()),
    )


def _fields() -> list[tuple[str, Fields]]:
    found: list[tuple[str, Fields]] = [
        ("no width", {256: (LONG, ())}),
        ("no height", {257: (LONG, ())}),
        ("width 0", {256: (LONG, (0,))}),
        ("height 0", {257: (LONG, (0,))}),
        ("width of text", {256: (UNDEFINED, b"64pixels")}),
        ("no strips", {273: (LONG, ()), 279: (LONG, ())}),
        ("a strip at 4 GiB", {273: (LONG, (_HUGE,))}),
        ("a strip of 4 GiB", {279: (LONG, (_HUGE,))}),
        ("strips beyond the end", {273: (LONG, (10**6,)), 279: (LONG, (10**6,))}),
        ("a deflated strip that is not", {259: (SHORT, (8,))}),
        ("an LZW strip that is not", {259: (SHORT, (5,)), 317: (SHORT, (2,))}),
        ("a JPEG strip that is not", {259: (SHORT, (7,))}),
        ("a WebP strip that is not", {259: (SHORT, (50001,))}),
        ("a Zstandard strip that is not", {259: (SHORT, (50000,))}),
        ("tiles of nothing", {322: (LONG, (0,)), 323: (LONG, (0,)), 324: (LONG, (8,))}),
        ("fax that is not", {259: (SHORT, (4,)), 258: (SHORT, (1,))}),
    ]
    for size in (10**6 + 1, 2**31, _HUGE):
        found.append((f"{size} wide", {256: (LONG, (size,))}))
        found.append((f"{size} high", {257: (LONG, (size,)), 278: (LONG, (size,))}))
        found.append((f"{size} a side", {256: (LONG, (size,)), 257: (LONG, (size,))}))
    for bits in (33, 128, 65535):
        found.append((f"{bits} bits", {258: (SHORT, (bits,))}))
    for compression in (0, 2, 3, 9, 9999, 65535):
        found.append((f"compression {compression}", {259: (SHORT, (compression,))}))
    for meaning in (4, 8, 9, 7777, 32803):
        found.append((f"photometric {meaning}", {262: (SHORT, (meaning,))}))
    for samples in (2, 255, 65535):
        change: Fields = {277: (SHORT, (samples,)), 262: (SHORT, (2,))}
        found.append((f"{samples} samples a pixel", change))
    for kind in (2, 5, 6, 99):
        found.append((f"samples of kind {kind}", {339: (SHORT, (kind,))}))
    found.append(("float of 8 bits", {339: (SHORT, (3,))}))
    found.append(("unequal samples", {258: (SHORT, (8, 4, 2)), 277: (SHORT, (3,))}))
    found.append(("a palette that is missing", {262: (SHORT, (3,))}))
    found.append(("a volume", {32997: (LONG, (1000,))}))
    return found


def _directories():
    yield "at 4 GiB", tiff(first=_HUGE)
    yield "at 0", tiff(first=0)
    yield "in the head", tiff(first=2)
    yield "in the picture", tiff(first=100, strip=bytes(range(256)) * 12)
    yield "of no fields", tiff(count=0)
    yield "of 65535 fields", tiff(count=65535)
    yield "only a head", b"II*\0\x08\0\0\0"
    yield "BigTIFF with offsets of 3 bytes", struct.pack("<2sHHHQ", b"II", 43, 3, 0, 16) + bytes(99)
    big = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16)
    yield "BigTIFF of 2**64 - 1 fields", big + struct.pack("<Q", 2**64 - 1) + bytes(99)
    yield "BigTIFF at 2**63", struct.pack("<2sHHHQ", b"II", 43, 8, 0, 2**63) + bytes(99)
    width = struct.pack("<HHQQ", 256, 16, 2**61, 16)
    yield "BigTIFF with a field of 2**64 bytes", big + struct.pack("<Q", 1) + width + bytes(8)


def _with_picture():
    yield "tiles without sizes", tiff({273: (LONG, ()), 324: (LONG, (8,)), 325: (LONG, (3072,))})
    for bits in (3, 5):
        yield f"{bits} bits, and bytes to spare", tiff({258: (SHORT, (bits,))})
    yield "the first directory again and again", tiff(following=-1)
    yield "a next directory at 4 GiB", tiff(following=_HUGE)
    yield "a next directory in the picture", tiff(following=20)
    yield "one strip too many rows high", tiff({278: (LONG, (_HUGE,))})
    yield "strips of no rows", tiff({278: (LONG, (0,))})
    yield (
        "a profile at 4 GiB",
        tiff({34675: (UNDEFINED, b"x" * 9)}).replace(
            struct.pack("<HHI", 34675, 7, 9), struct.pack("<HHI", 34675, 7, _HUGE)
        ),
    )
    yield "a profile of rubbish", tiff({34675: (UNDEFINED, bytes(range(200)))})
    yield "EXIF that leads to the first directory", tiff({34665: (LONG, (8 + 64 * 48,))})
    yield "EXIF in the head", tiff({34665: (LONG, (1,))})
    yield "EXIF at 4 GiB", tiff({34665: (LONG, (_HUGE,)), 34853: (LONG, (_HUGE,))})
    yield "pages below that lead back", tiff({330: (LONG, (8 + 64 * 48,) * 40)})
    yield "a resolution of 1 / 0", tiff({282: (RATIONAL, struct.pack("<II", 1, 0))})
    yield "an orientation of 99", tiff({274: (SHORT, (99,))})
    yield "IPTC of rubbish", tiff({33723: (UNDEFINED, b"\x1c" * 99)})
    yield (
        "Photoshop's blocks, endless",
        tiff({34377: (UNDEFINED, b"8BIM\x04\x04\0\0\xff\xff\xff\xff")}),
    )
    yield "XMP of rubbish", tiff({700: (UNDEFINED, b"<x:xmpmeta" * 500)})
    yield "a name without end", tiff({271: (2, b"A" * 5000)})
    yield (
        "an unknown field of an unknown kind",
        tiff({60000: (UNDEFINED, bytes(9))}).replace(
            struct.pack("<HHI", 60000, 7, 9), struct.pack("<HHI", 60000, 999, _HUGE)
        ),
    )
