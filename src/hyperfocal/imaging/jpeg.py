"""Reading JPEG. ITU-T T.81; JFIF 1.02; EXIF 2.32 section 4.7; ICC.1 annex B.4."""

from __future__ import annotations

import contextlib
import re
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import BrokenPicture, UnknownFormat
from hyperfocal.imaging import code_points, exif, photoshop, profile, xmp_extension
from hyperfocal.imaging.depth import full_scale, widen
from hyperfocal.imaging.embedded_depth import MPF_PREFIX, XMP_MORE_PREFIX, XMP_PREFIX, of_jpeg
from hyperfocal.imaging.guard import attempt, decoding
from hyperfocal.imaging.header import CREDENTIALS, Header, Raster, note_aspect, remark
from hyperfocal.imaging.jpeg_quality import estimate_jpeg_quality
from hyperfocal.imaging.jpeg_walk import (
    ARITHMETIC,
    COMMENT,
    END,
    EOI,
    FRAMES,
    MARKER,
    NONSTANDARD,
    SOS,
    STANDALONE,
    UNTOLD,
    check,
    is_damage,
    is_untold,
    picture_alone,
    scans_complete,
    walk,
)
from hyperfocal.imaging.picture import Metadata

ICC_PREFIX = b"ICC_PROFILE\0"

# Segments that begin so hold nothing of the photograph: JFIF's thumbnail and what it says of
# pixels, the quality that Photoshop saved with, and the previews of FlashPix.
_HARMLESS = {
    0xE0: (b"JFIF\0", b"JFXX\0", b"AVI1"),
    0xE2: (ICC_PREFIX, b"FPXR\0"),
    0xEC: (b"Ducky",),
    0xED: (b"Adobe_CM\0",),
    0xEE: (b"Adobe",),
}
# How MP4 and QuickTime files begin: the length of their first box, and its type.
_VIDEO = re.compile(rb"\0\0\0.ftyp", re.DOTALL)
_FURTHER = "further pictures in the file (preview, gain map or depth) were dropped"
# Of the lossless process; the others have 8 or 12.
_FEWEST_BITS = 2
_MODES = {1: "grey", 3: "rgb", 4: "cmyk"}
_COLOURS = {"grey": "GRAY", "rgb": "RGB", "cmyk": "CMYK"}
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
# Bytes that are no marker, and codes of something by any table.
_PROBE = bytes(range(48, 112))


@dataclass(slots=True)
class _Segments:
    """What the segments before the first scan say."""

    frame: tuple[int, int, int, int] | None = None  # bits, height, width, components
    process: int = 0
    scan: int = 0
    density: tuple[float, float] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    xmp_more: list[bytes] = field(default_factory=list)
    resource_parts: list[bytes] = field(default_factory=list)
    icc: dict[int, bytes] = field(default_factory=dict)
    icc_parts: int = 0
    notes: list[str] = field(default_factory=list)


def read_header(data: bytes) -> Header:
    """The header of a JPEG file; BrokenPicture when there is no picture in it."""
    found = _segments(data)
    if found.frame is None:
        raise BrokenPicture("truncated or corrupt JPEG: it ends before the picture begins")
    bits, height, width, components = found.frame
    if components not in _MODES:
        raise UnknownFormat(f"a JPEG of {components} components is not read")
    if bits < _FEWEST_BITS:
        raise BrokenPicture("corrupt JPEG: its samples have no bits")
    notes = found.notes
    facts = exif.Facts()
    if found.exif is not None:
        block = found.exif
        facts = attempt(lambda: exif.read(block), notes, exif.DAMAGED) or facts
    iptc, copyrighted = None, False
    if resources := b"".join(found.resource_parts):
        iptc = attempt(lambda: photoshop.iptc_of(resources), notes, photoshop.DAMAGED)
        copyrighted = photoshop.is_copyrighted(resources)
        photoshop.note_others(resources, notes)
    packet = xmp_extension.whole(found.xmp, found.xmp_more, notes)
    icc = _joined(found)
    if icc is None and not found.icc and components == 3 and facts.is_adobe_rgb:
        icc = code_points.adobe_rgb()
    return Header(
        format="jpeg",
        width=width,
        height=height,
        mode=_MODES[components],
        bit_depth=bits,
        orientation=facts.orientation,
        icc=icc,
        metadata=Metadata(
            found.exif,
            packet,
            iptc,
            found.density or facts.dpi,
            copyrighted=copyrighted,
        ),
        lossless=found.process in (0xC3, 0xCB),
        jpeg_quality=estimate_jpeg_quality(data),
        notes=tuple(notes),
    )


def read_pixels(data: bytes, header: Header) -> Raster:
    """Decode. BrokenPicture when part of the picture is missing or damaged.

    libjpeg itself would fill that part with grey or garbage. It cannot see every damage: some
    codes with a flipped bit are codes as well.
    """
    import imagecodecs

    notes: list[str] = []
    pixels: Any
    with decoding("JPEG"):
        end = _end(data)
        if end is None:
            pixels = _decode_without_end(data, _COLOURS[header.mode])
            notes.append("the JPEG lacks its end marker, but nothing of the picture")
        elif header.bit_depth == 8:
            pixels = _decode(data, _COLOURS[header.mode], notes)
        else:
            if (said := check(data, "JPEG")) is not None:
                notes.append(said)
            pixels = widen(imagecodecs.jpeg_decode(data), header.bit_depth)
    if pixels.shape[:2] != (header.height, header.width):
        raise BrokenPicture("truncated or corrupt JPEG: its size is not the declared one")
    _note_what_follows(data[end:] if end is not None else b"", header, notes)
    depth_map = of_jpeg(data, end, header.width, header.height, notes)
    icc = header.icc
    if header.mode == "cmyk":
        # Every CMYK JPEG in the wild follows Adobe, which stores ink inverted.
        np.subtract(pixels.dtype.type(full_scale(pixels)), pixels, out=pixels)
        pixels, note = profile.cmyk_to_rgb(pixels, icc)
        return Raster(pixels, None, None, (*notes, note), depth_map)
    icc, to_rgb = profile.fitting(icc, grey=header.mode == "grey", notes=notes)
    if to_rgb:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return Raster(pixels, None, icc, tuple(notes), depth_map)


def _note_what_follows(rest: bytes, header: Header, notes: list[str]) -> None:
    """Behind the picture's end lie the videos of motion photos, and further pictures."""
    if _VIDEO.search(rest):
        notes.append("the video behind the picture (motion photo) was dropped")
    elif rest.strip(b"\0") and _FURTHER not in header.notes:
        notes.append("data behind the end of the picture were dropped")


def _decode(data: bytes, colour: str, notes: list[str]) -> npt.NDArray[np.uint8]:
    """``(H, W)`` or ``(H, W, 3|4)``; may raise ValueError."""
    import simplejpeg

    data = picture_alone(data)
    try:
        pixels = simplejpeg.decode_jpeg(data, colour)
    except ValueError as error:
        if is_damage(str(error)):
            raise
        if is_untold(str(error)):
            notes.append(UNTOLD)
            return _decode_unusual(data)
        # Else a mere warning, or an error that comes again.
        pixels = simplejpeg.decode_jpeg(data, colour, strict=False)
        notes.append(f"{NONSTANDARD}: {error}")
    return np.asarray(pixels[..., 0] if colour == "GRAY" else pixels)


def _decode_unusual(data: bytes) -> npt.NDArray[np.uint8]:
    """As :func:`_decode`, by a decoder that keeps to itself where codes end too early.

    A decoder that has all codes does not look at what lies between them and the next marker. If
    something there changes the picture, codes are missing. Not so with arithmetic codes: their
    encoder leaves out zeros at the end, which their decoder looks for there.
    """
    import imagecodecs

    pixels = np.asarray(imagecodecs.jpeg8_decode(data))
    segments = _segments(data)
    if segments.process in ARITHMETIC:
        return pixels
    start, end = segments.scan, (_end(data) or len(data)) - len(END)
    codes = _RESTART.sub(lambda found: _PROBE + found[0], data[start:end])
    probed = b"".join((data[:start], codes, _PROBE, data[end:]))
    if not np.array_equal(pixels, imagecodecs.jpeg8_decode(probed)):
        raise BrokenPicture("truncated or corrupt JPEG: premature end of data")
    return pixels


def _segments(data: bytes) -> _Segments:
    found = _Segments()
    for marker, at, end in walk(data):
        body = data[at + 4 : end]
        if marker == SOS:
            found.scan = at
        elif marker in FRAMES:
            if len(body) < 6:
                break
            found.frame = struct.unpack_from(">BHHB", body)
            found.process = marker
        else:
            _application(found, marker, body)
    if not found.scan:
        found.frame = None
    return found


def _application(found: _Segments, marker: int, body: bytes) -> None:
    if marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 12:
        unit, across, down = struct.unpack_from(">BHH", body, 7)
        scale = {1: 1.0, 2: 2.54}.get(unit)
        if scale and across and down:
            found.density = (across * scale, down * scale)
        elif unit == 0:
            note_aspect(across, down, found.notes)
    elif marker == 0xE1 and body.startswith(exif.PREFIX) and found.exif is None:
        found.exif = body[len(exif.PREFIX) :]
    elif marker == 0xE1 and body.startswith(XMP_PREFIX):
        found.xmp = body[len(XMP_PREFIX) :]
    elif marker == 0xE1 and body.startswith(XMP_MORE_PREFIX):
        found.xmp_more.append(body[len(XMP_MORE_PREFIX) :])
    elif marker == 0xE2 and body.startswith(ICC_PREFIX) and len(body) > 14:
        found.icc[body[12]] = body[14:]
        found.icc_parts = max(found.icc_parts, body[13])
    elif marker == 0xE2 and body.startswith(MPF_PREFIX):
        remark(found.notes, _FURTHER)
    elif marker == 0xED and body.startswith(photoshop.SIGNATURE):
        found.resource_parts.append(body[len(photoshop.SIGNATURE) :])
    elif marker == COMMENT:
        remark(found.notes, "a comment was dropped")
    elif marker == 0xEB and body.startswith(b"JP") and body[12:16] == b"jumb":
        # JPEG systems (ISO/IEC 19566-5): two letters, two numbers, the box's length and its type.
        remark(found.notes, CREDENTIALS)
    elif marker == 0xE1 and body.startswith(b"FLIR\0"):
        remark(found.notes, "thermal data (FLIR) were dropped")
    elif 0xE0 <= marker <= 0xEF and not body.startswith(_HARMLESS.get(marker, ())):
        remark(found.notes, f"data of an unknown kind (APP{marker - 0xE0}) were dropped")


def _joined(found: _Segments) -> bytes | None:
    """The profile from its segments; incomplete ones are dropped with a note."""
    if not found.icc:
        return None
    if sorted(found.icc) != list(range(1, found.icc_parts + 1)):
        found.notes.append("the colour profile is incomplete and was dropped")
        return None
    return b"".join(found.icc[number] for number in sorted(found.icc))


def _end(data: bytes) -> int | None:
    """Walk from scan to scan to behind the end marker; None where the data end before it."""
    at = _segments(data).scan
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker in (0, 0xFF) or marker in STANDALONE:
            at += 1
            continue
        if marker == EOI:
            return at + 2
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
        if marker == SOS:
            end = MARKER.search(data, at)
            if end is None:
                return None
            at = end.start()
    return at + 2 if data[at : at + 2] == END else None


def _decode_without_end(data: bytes, colour: str) -> npt.NDArray[np.uint8]:
    """As :func:`_decode`, of a picture that lacks its end marker and nothing else.

    BrokenPicture where anything but the marker is, or may be, missing: a scan that is cut runs
    out of codes, and the scans must have brought every coefficient to its last bit.
    """
    import simplejpeg

    pixels = None
    if scans_complete(data):
        with contextlib.suppress(ValueError):
            pixels = simplejpeg.decode_jpeg(picture_alone(data) + END, colour)
    if pixels is None:
        raise BrokenPicture("truncated JPEG: the end of the picture is missing")
    return np.asarray(pixels[..., 0] if colour == "GRAY" else pixels)
