"""Reading PNG. W3C Portable Network Graphics (Third Edition)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from hyperfocal.errors import BrokenPicture
from hyperfocal.imaging import code_points, exif, photoshop, png_text, profile
from hyperfocal.imaging.guard import attempt, decoding
from hyperfocal.imaging.header import (
    CREDENTIALS,
    MASTERING,
    Header,
    Raster,
    note_aspect,
    remark,
    unknown_chunk,
)
from hyperfocal.imaging.picture import CodePoints, Metadata, Text
from hyperfocal.imaging.planes import split_alpha
from hyperfocal.imaging.resolution import from_metre

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = b"XML:com.adobe.xmp"
IPTC_KEYWORD = b"Raw profile type iptc"
# How XMP begins in a segment of a JPEG file, from which ImageMagick may have it, and how EXIF does.
_XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
_TIFF = b"II*\0", b"MM\0*"
_MODES = {0: "grey", 2: "rgb", 3: "palette", 4: "grey", 6: "rgb"}
_PALETTE = 3
_NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
# What says nothing of the photograph: how to show it where colours or transparency are few, when
# the file was written, what programs note for themselves, and the frames of an animation.
_HARMLESS = {b"IHDR", b"PLTE", b"bKGD", b"hIST", b"sPLT", b"sBIT", b"tIME", b"fcTL",
             b"iDOT", b"vpAg", b"caNv", b"oFFs"}  # fmt: skip
# Names of the drafts as well.
_MASTERING = {b"mDCV", b"cLLI", b"mDCv", b"cLLi"}
_SRGB_GAMMA, _ANY_SRGB_GAMMA = 0.45455, 0.02
# In which cHRM and gAMA count.
_UNIT = 100_000
# Compressed text and profiles may claim to be anything; no honest one is larger.
_MOST_TEXT = 64 << 20
# What begins so is wrapped in Photoshop's resources.
_RESOURCES = (b"8BIM", b"Phot")


@dataclass(slots=True)
class _Chunks:
    """What the chunks say besides the pixels."""

    transparent: bool = False
    frames: int = 1
    dpi: tuple[float, float] | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    copyrighted: bool = False
    gamma: int | None = None
    primaries: tuple[int, ...] | None = None
    code_points: CodePoints | None = None
    srgb: bool = False
    texts: list[Text] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_header(data: bytes) -> Header:
    """The header of a PNG file; BrokenPicture when it has none."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise BrokenPicture("truncated or corrupt PNG: it has no header")
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    if colour not in _MODES or not width or not height:
        raise BrokenPicture("corrupt PNG: the header makes no sense")
    found = _Chunks()
    for kind, start, size in _walk(data):
        body = data[start : start + size]
        damaged: list[str] = []
        attempt(
            lambda kind=kind, body=body: _chunk(found, kind, body),  # type: ignore[misc]
            damaged,
            f"a damaged {kind.decode('latin-1')} chunk was dropped",
        )
        for note in damaged:
            remark(found.notes, note)
    facts = exif.Facts()
    if found.exif is not None:
        block = found.exif
        facts = attempt(lambda: exif.read(block), found.notes, exif.DAMAGED) or facts
    carried = None
    if (points := found.code_points) is not None:
        grey = colour in (0, 4)
        made, carried = code_points.declared(points, found.notes, grey=grey)
        # Code points have the last word, where they say something (section 4.3). A profile beside
        # those that are carried on is for formats that cannot carry them.
        if made is not None or (code_points.says_srgb(points) and not grey):
            found.icc, found.srgb = made, True
    if found.icc is None and not found.srgb:
        _take_primaries(found, grey=colour in (0, 4))
    return Header(
        format="png",
        width=width,
        height=height,
        mode="1 bit" if colour == 0 and bits == 1 else _MODES[colour],
        bit_depth=8 if colour == 3 else bits,
        has_alpha=colour in (4, 6) or found.transparent,
        frames=found.frames,
        orientation=facts.orientation,
        icc=found.icc,
        metadata=Metadata(
            found.exif,
            found.xmp,
            found.iptc,
            found.dpi or facts.dpi,
            texts=tuple(found.texts),
            copyrighted=found.copyrighted,
        ),
        lossless=True,
        code_points=carried,
        notes=tuple(found.notes),
    )


def read_pixels(data: bytes, header: Header) -> Raster:
    """Decode; palettes, colour keys and few bits come out as plain samples."""
    import imagecodecs

    bits, colour = data[24], data[25]
    notes: list[str] = []
    data = _picture_alone(data, notes)
    pixels = None
    if bits == 8 and (colour == 6 or (colour in (0, 2) and not header.has_alpha)):
        # libspng is a third faster than libpng for plain pictures. It is stricter about
        # chunks that do not matter, so libpng has the last word on what is broken.
        try:
            pixels = imagecodecs.spng_decode(data)
        except imagecodecs.SpngError:
            pixels = None
    if pixels is None:
        with decoding("PNG"):
            pixels = imagecodecs.png_decode(data)
    if pixels.shape[:2] != (header.height, header.width):
        raise BrokenPicture("corrupt PNG: its size is not the declared one")
    pixels, alpha = split_alpha(pixels)
    icc, to_rgb = profile.fitting(header.icc, grey=pixels.ndim == 2, notes=notes)
    if to_rgb:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return Raster(pixels, alpha, icc, tuple(notes))


def _walk(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's type, where its data starts, and how long that is; stops where cut."""
    at = 8
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        if at + 12 + size > len(data) or kind == b"IEND":
            return
        if kind not in (b"IDAT", b"fdAT"):
            yield kind, at + 8, size
        at += 12 + size


def _picture_alone(data: bytes, notes: list[str]) -> bytes:
    """The file without any chunk that the pixels do not need; BrokenPicture without one that is.

    libpng prints its opinion of damaged metadata on stderr, and for what is missing its words
    come from memory that holds anything.
    """
    wanted = [data[:8]]
    at, runs_from, others = 8, 8, False
    seen: set[bytes] = set()
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + size
        intact = kind not in _NEEDED or _intact(data, at, size)
        if not intact and kind != b"tRNS":
            raise BrokenPicture(f"truncated or corrupt PNG: {kind.decode()} is damaged")
        if kind == b"IHDR" and kind in seen:
            raise BrokenPicture("corrupt PNG: it has two headers")
        if kind == b"IDAT" and data[25] == _PALETTE and b"PLTE" not in seen:
            raise BrokenPicture("corrupt PNG: the palette is missing")
        seen.add(kind)
        if kind not in _NEEDED or not intact:
            others = True
            wanted.append(data[runs_from:at])
            runs_from = min(end, len(data))
        at = end
        if kind == b"IEND":
            break
    else:
        notes.append("the PNG lacks its end; the picture is complete")
    if b"IDAT" not in seen:
        raise BrokenPicture("truncated or corrupt PNG: the picture itself is missing")
    if not others and at == len(data):
        return data
    wanted.append(data[runs_from:at])
    return b"".join(wanted)


def _intact(data: bytes, at: int, size: int) -> bool:
    from isal import isal_zlib

    stated = data[at + 8 + size : at + 12 + size]
    return stated == isal_zlib.crc32(memoryview(data)[at + 4 : at + 8 + size]).to_bytes(4, "big")


def _chunk(found: _Chunks, kind: bytes, body: bytes) -> None:
    if kind == b"tRNS":
        found.transparent = True
    elif kind == b"acTL":
        found.frames = max(1, struct.unpack_from(">I", body)[0])
    elif kind == b"pHYs":
        across, down, unit = struct.unpack_from(">IIB", body)
        if unit == 1 and across and down:
            found.dpi = (from_metre(across), from_metre(down))
        elif unit == 0:
            note_aspect(across, down, found.notes)
    elif kind == b"gAMA":
        (found.gamma,) = struct.unpack_from(">I", body)
    elif kind == b"cHRM":
        found.primaries = struct.unpack_from(">8I", body)
    elif kind == b"sRGB":
        found.srgb = True
    elif kind == b"cICP":
        if body[2:4] == b"\0\1":
            found.code_points = (body[0], body[1])
        else:
            remark(found.notes, "colour declared for other than full-range RGB was ignored")
    elif kind == b"iCCP":
        name_end = body.index(b"\0")
        found.icc = _inflate(body[name_end + 2 :])
    elif kind == b"eXIf":
        found.exif = exif.bare(body)
    elif kind in (b"tEXt", b"zTXt", b"iTXt"):
        _text(found, kind, body)
    elif kind in _MASTERING:
        remark(found.notes, MASTERING)
    elif kind == b"caBX":
        remark(found.notes, CREDENTIALS)
    elif kind not in _HARMLESS:
        remark(found.notes, unknown_chunk(kind))


def _take_primaries(found: _Chunks, *, grey: bool) -> None:
    gamma = found.gamma / _UNIT if found.gamma is not None else None
    primaries = [number / _UNIT for number in found.primaries or ()]
    found.icc = of_primaries(primaries, gamma, found.notes, grey=grey)


def of_primaries(
    primaries: Sequence[float], gamma: float | None, notes: list[str], *, grey: bool
) -> bytes | None:
    """The profile that says what cHRM and gAMA do; without the one, or for grey, sRGB's colours.

    ``primaries``: x and y of white, red, green and blue, or nothing. None where they are sRGB's.
    """
    if not primaries or grey:
        if gamma is None or abs(gamma - _SRGB_GAMMA) <= _ANY_SRGB_GAMMA:
            return None
        return attempt(
            lambda: code_points.of_gamma(1 / gamma, grey=grey),
            notes,
            "a damaged gAMA chunk was dropped",
        )
    white, *colours = [(primaries[at], primaries[at + 1]) for at in (0, 2, 4, 6)]
    return attempt(
        lambda: code_points.of_primaries(white, colours, 1 / gamma if gamma else None),
        notes,
        "a damaged cHRM chunk was dropped",
    )


def _text(found: _Chunks, kind: bytes, body: bytes) -> None:
    keyword, end, rest = body.partition(b"\0")
    wanted = keyword == XMP_KEYWORD or keyword.startswith(b"Raw profile type ")
    if not wanted:
        _take_text(found, kind, keyword.decode("latin-1"), rest if end else None)
        return
    if kind == b"zTXt":
        text = _inflate(rest[1:])
    elif kind == b"iTXt":
        compressed = rest[0]
        text = rest[2:].split(b"\0", 2)[2]
        text = _inflate(text) if compressed else text
    else:
        text = rest
    if keyword == XMP_KEYWORD:
        found.xmp = text
        return
    raw = raw_profile(text)
    name = keyword.removeprefix(b"Raw profile type ").lower()
    if name == b"app1" and raw.startswith(_XMP_PREFIX):
        name, raw = b"xmp", raw[len(_XMP_PREFIX) :]
    if name in (b"exif", b"app1") and _is_exif(raw) and found.exif is None:
        found.exif = exif.bare(raw)
    elif name == b"xmp" and found.xmp is None:
        found.xmp = raw
    elif name in (b"icc", b"icm") and found.icc is None:
        found.icc = raw
    elif name in (b"iptc", b"8bim"):
        found.copyrighted |= is_copyrighted(raw)
        found.iptc = iptc_of(raw, found.notes)
    elif name in (b"exif", b"app1") and not _is_exif(raw):
        remark(found.notes, png_text.dropped(keyword.decode("latin-1")))


def _is_exif(raw: bytes) -> bool:
    return raw.startswith((exif.PREFIX, *_TIFF))


def _take_text(found: _Chunks, kind: bytes, keyword: str, rest: bytes | None) -> None:
    """``rest``: None where nothing ends the keyword."""
    room = png_text.MOST_BYTES - sum(len(text.text) for text in found.texts)
    text = None
    if rest is not None and len(found.texts) < png_text.MOST:
        text = png_text.read(kind, keyword, rest, room)
    if text is None:
        remark(found.notes, png_text.dropped(keyword))
    else:
        found.texts.append(text)


def raw_profile(text: bytes) -> bytes:
    """What ImageMagick's convention holds: a name, a length and hexadecimal lines.

    ValueError or IndexError where it holds anything else.
    """
    return bytes.fromhex(text.split(None, 2)[2].decode("ascii"))


def is_copyrighted(raw: bytes) -> bool:
    """Whether resources of Photoshop, if it is these, say so."""
    return raw[:4] in _RESOURCES and photoshop.is_copyrighted(raw)


def iptc_of(raw: bytes, notes: list[str]) -> bytes | None:
    """Records that may be wrapped in Photoshop's resources; a note where there are others."""
    if raw[:4] not in _RESOURCES:
        return raw
    others: list[str] = []
    photoshop.note_others(raw, others)
    for note in others:
        remark(notes, note)
    return photoshop.iptc_of(raw)


def _inflate(data: bytes) -> bytes:
    worker = zlib.decompressobj()
    text = worker.decompress(data, _MOST_TEXT)
    if worker.unconsumed_tail:
        raise ValueError("compressed text is far too large")
    return text
