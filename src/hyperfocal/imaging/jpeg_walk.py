"""The segments of a JPEG file, and whether its codes are whole. ITU-T T.81, annexes B and G."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from hyperfocal.errors import BrokenPicture

FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SOS, EOI, COMMENT = 0xDA, 0xD9, 0xFE
ARITHMETIC = FRAMES - set(range(0xC0, 0xC8))
SOI, END = b"\xff\xd8", b"\xff\xd9"
# Processes by Huffman codes of 8 bits, of which libjpeg tells where they end too early.
_HUFFMAN = {0xC0, 0xC1, 0xC2}
# All but JFIF's segment and Adobe's, which say what the components mean.
_METADATA = {*range(0xE1, 0xEE), 0xEF, COMMENT}
STANDALONE = {0x01, *range(0xD0, 0xD8)}
# Within entropy-coded data FF is followed by 00 or is a restart marker; FF FF is padding.
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
# What libjpeg warns of where pixels are lost: codes that end early or do not exist, and parts
# between restart markers that are missing.
_DAMAGE = ("premature end", "Premature end", "bad Huffman code", "instead of RST")
# How all of its warnings begin, and what TurboJPEG says where it stops before the first code.
_WARNING, _NAMELESS = "Corrupt JPEG data", "Could not determine subsampling"
_COLOURS = {1: "GRAY", 3: "RGB", 4: "CMYK"}
NONSTANDARD = "the JPEG does not follow its standard"
UNTOLD = "the JPEG samples its colours in an unusual way: not all damage can be told"


def walk(data: bytes, *, all_scans: bool = False) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each whole segment up to the first scan's, which is included.

    ``all_scans``: of those behind it, too.
    """
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            # Garbage between segments: decoders skip it, so do we.
            at = data.find(b"\xff", at)
            if at < 0:
                return
            continue
        marker = data[at + 1]
        if marker == 0xFF or marker == 0 or marker in STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == EOI:
            return
        (size,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + size
        if size < 2 or end > len(data):
            return
        yield marker, at, end
        if marker == SOS:
            codes_end = MARKER.search(data, end) if all_scans else None
            if codes_end is None:
                return
            end = codes_end.start()
        at = end


def picture_alone(data: bytes) -> bytes:
    """The file without metadata: a decoder that looks at it may refuse the picture for it."""
    return _bare(data)[0]


def _bare(data: bytes) -> tuple[bytes, int | None]:
    """:func:`picture_alone`, and where the frame header lies in it, if it is whole."""
    parts, kept_to, dropped, frames = [], 0, 0, []
    for marker, at, end in walk(data):
        if marker in _METADATA:
            parts.append(data[kept_to:at])
            kept_to, dropped = end, dropped + end - at
        elif marker in FRAMES:
            frames.append(at - dropped if end - at >= 10 else None)
    bare = b"".join((*parts, data[kept_to:])) if parts else data
    return bare, frames[0] if frames else None


def joined(tables: bytes, part: bytes) -> bytes:
    """A file of its own of a part of a TIFF file's picture and the tables that all parts share."""
    if not tables.startswith(SOI):
        return part + END
    shared = tables[: tables.rindex(END)] if END in tables else tables
    return b"".join((shared, part.removeprefix(SOI), END))


def frame_of(data: bytes) -> tuple[int, int, int, int] | None:
    """Bits a sample, height, width and components; None where the data end before they are told."""
    for marker, at, end in walk(data):
        if marker in FRAMES:
            return struct.unpack_from(">BHHB", data, at + 4) if end - at >= 10 else None
    return None


def is_damage(said: str) -> bool:
    """Whether what libjpeg says of a file means that pixels are lost."""
    return any(damage in said for damage in _DAMAGE)


def is_untold(said: str) -> bool:
    """Whether TurboJPEG will not decode a file for sampling factors that it has no name for."""
    return _NAMELESS in said


def check(data: bytes, label: str) -> str | None:
    """BrokenPicture where codes of a JPEG file are damaged, of a file of the format ``label``.

    For decoders that keep to themselves what libjpeg says; what costs no pixels is the note given
    back, which begins with ``UNTOLD`` or ``NONSTANDARD``. Of 12 or 16 bits a sample, too: the same
    codes stand for samples of 8, and nobody looks at what these would be.
    """
    import simplejpeg

    data, at = _bare(data)
    if at is None:
        raise BrokenPicture(f"truncated or corrupt {label}: it ends before the picture begins")
    colour = _COLOURS.get(data[at + 9])
    if colour is None:
        return None
    if data[at + 4] != 8:
        data = b"".join((data[: at + 4], b"\x08", data[at + 5 :]))
    try:
        # Not at a part of the size, for which it would write beyond its buffer where the process is
        # lossless.
        simplejpeg.decode_jpeg(data, colour)
    except ValueError as error:
        said = str(error)
        if is_damage(said):
            raise BrokenPicture(f"truncated or corrupt {label}: {said}") from error
        if is_untold(said):
            return UNTOLD
        if said.startswith(_WARNING):
            return f"{NONSTANDARD}: {said}"
    return None


def scans_complete(data: bytes) -> bool:
    """Whether the scans, taken as whole, give every coefficient of every component fully.

    T.81, B.2.3 and G.1.1: a scan names its components, the first and the last coefficient, and
    the bit down to which it gives them.
    """
    lacking: set[tuple[int, int]] = set()
    for marker, at, end in walk(data, all_scans=True):
        body = data[at + 4 : end]
        if marker in FRAMES:
            if marker not in _HUFFMAN or len(body) < 6 + 3 * body[5]:
                return False
            components = body[6 : 6 + 3 * body[5] : 3]
            lacking = {(component, number) for component in components for number in range(64)}
        elif marker == SOS:
            if not body or len(body) != 4 + 2 * body[0]:
                return False
            first, last, bits = body[-3:]
            if bits & 15 == 0:
                lacking -= {
                    (component, number)
                    for component in body[1:-3:2]
                    for number in range(first, last + 1)
                }
    return not lacking
