"""Reading WebP. RFC 9649."""

from __future__ import annotations

from collections.abc import Iterator

from hyperfocal.errors import BrokenPicture
from hyperfocal.imaging import exif, profile
from hyperfocal.imaging.guard import attempt, decoding
from hyperfocal.imaging.header import CREDENTIALS, Header, Raster, remark, unknown_chunk
from hyperfocal.imaging.picture import Metadata
from hyperfocal.imaging.planes import split_alpha

_ALPHA = 0x10
_ANIMATED = 0x02
# Chunks that are of the picture, or of what is told by the number of frames.
_KNOWN = {b"VP8X", b"VP8L", b"VP8 ", b"ALPH", b"ANIM"}


def read_header(data: bytes) -> Header:
    """The header of a WebP file; BrokenPicture when it has none."""
    size: tuple[int, int] | None = None
    alpha = lossless = animated = False
    frames = 0
    parts: dict[bytes, bytes] = {}
    notes: list[str] = []
    end = 8 + int.from_bytes(data[4:8], "little")
    for kind, start, length in _walk(data):
        body = data[start : start + min(length, 16)]
        if kind == b"VP8X" and len(body) >= 10:
            alpha, animated = bool(body[0] & _ALPHA), bool(body[0] & _ANIMATED)
            size = _int24(body, 4) + 1, _int24(body, 7) + 1
        elif kind == b"VP8L" and len(body) >= 5:
            bits = int.from_bytes(body[1:5], "little")
            size = size or ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
            alpha, lossless = alpha or bool(bits >> 28 & 1), True
        elif kind == b"VP8 " and len(body) >= 10:
            size = size or (
                int.from_bytes(body[6:8], "little") & 0x3FFF,
                int.from_bytes(body[8:10], "little") & 0x3FFF,
            )
        elif kind == b"ANMF":
            frames += 1
            if frames == 1:  # a rectangle and how long to show it, then what is in it
                lossless = data[start + 16 : start + 20] == b"VP8L"
        elif kind in (b"ICCP", b"EXIF", b"XMP "):
            parts[kind] = data[start : start + length]
        elif kind == b"C2PA":
            remark(notes, CREDENTIALS)
        elif kind not in _KNOWN and start < end:
            # Behind the end there may be chunks whose writer forgot to count them, as above, or
            # anything else.
            remark(notes, unknown_chunk(kind))
    if size is None:
        raise BrokenPicture("truncated or corrupt WebP: it has no header")
    block = exif.bare(parts[b"EXIF"]) if b"EXIF" in parts else None
    facts = exif.Facts()
    if block is not None:
        whole = block
        facts = attempt(lambda: exif.read(whole), notes, exif.DAMAGED) or facts
    return Header(
        format="webp",
        width=size[0],
        height=size[1],
        mode="rgb",
        has_alpha=alpha,
        frames=max(1, frames) if animated else 1,
        orientation=facts.orientation,
        icc=parts.get(b"ICCP"),
        metadata=Metadata(block, parts.get(b"XMP "), None, facts.dpi),
        lossless=lossless,
        notes=tuple(notes),
    )


def read_pixels(data: bytes, header: Header) -> Raster:
    """Decode the first frame."""
    import imagecodecs

    with decoding("WebP"):
        pixels = imagecodecs.webp_decode(data, 0, hasalpha=header.has_alpha)
    if pixels.shape[:2] != (header.height, header.width):
        raise BrokenPicture("corrupt WebP: its size is not the declared one")
    notes: list[str] = []
    icc, _ = profile.fitting(header.icc, grey=False, notes=notes)
    pixels, alpha = split_alpha(pixels)
    return Raster(pixels, alpha, icc, tuple(notes))


def _walk(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], at + 8, length
        at += 8 + length + length % 2


def _int24(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")
