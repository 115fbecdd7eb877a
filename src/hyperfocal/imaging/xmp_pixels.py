"""What an XMP packet states in pixels, made true of the picture's size.

The size itself; where the subject is and how many pixels the sensor has in a unit (Exif for XMP,
CIPA DC-010), as in EXIF; where a panorama lies in the whole sphere (Photo Sphere XMP Metadata,
2013); regions in pixels (IPTC Photo Metadata Standard 2019.1; Metadata Working Group 2.0, 5.9).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from hyperfocal.imaging import exif, orient
from hyperfocal.imaging.xmp_text import elements, named, opening, property_of, without

_NUMBER = rb"\s*\d{1,9}(?:\.\d{0,9})?\s*"
_WIDTH = property_of(rb"(?:tiff:ImageWidth|exif:PixelXDimension)")
_HEIGHT = property_of(rb"(?:tiff:ImageLength|exif:PixelYDimension)")
_STATED = [property_of(rb"exif:Pixel" + axis + rb"Dimension", _NUMBER) for axis in (b"X", b"Y")]

_SUBJECT = opening(rb"exif:Subject(?:Area|Location)")
_SUBJECT_TEXT = property_of(rb"exif:Subject(?:Area|Location)", rb"[\s\d,]{3,80}")
# Of text or of a list; none in a tag.
_WHOLE_NUMBER = re.compile(rb"(?<=[>\s,])\d{1,9}(?=[<\s,])")
_FOCAL = [
    property_of(rb"exif:FocalPlane" + axis + rb"Resolution", rb"\s*\d{1,10}(?:[./]\d{1,10})?\s*")
    for axis in (b"X", b"Y")
]

_PANORAMA = named(rb"GPano:\w+")
# What lies in what, across and down: its size, and where it begins.
_AXES = [
    {
        part: property_of(rb"GPano:" + name, _NUMBER)
        for part, name in (
            ("whole", b"FullPano" + side + b"Pixels"),
            ("picture", b"CroppedAreaImage" + side + b"Pixels"),
            ("picture's start", b"CroppedArea" + start + b"Pixels"),
            ("inner", b"LargestValidInteriorRect" + side),
            ("inner's start", b"LargestValidInteriorRect" + start),
        )
    }
    for side, start in ((b"Width", b"Left"), (b"Height", b"Top"))
]
TURNED_PANORAMA = (
    "what XMP says of a panorama (GPano) was dropped: it is about the picture before it was turned"
)

_REGION = opening(rb"Iptc4xmpExt:RegionBoundary|mwg-rs:(?:Area|AppliedToDimensions)")
_IN_PIXELS = re.compile(rb"(?:Iptc4xmpExt:rbUnit|stArea:unit|stDim:unit)\W{1,9}pixel")
_REGION_ACROSS = property_of(rb"(?:Iptc4xmpExt:rb(?:X|W|Rx)|stArea:[xwd]|stDim:w)", _NUMBER)
_REGION_DOWN = property_of(rb"(?:Iptc4xmpExt:rb[YH]|stArea:[yh]|stDim:h)", _NUMBER)

_Match = re.Match[bytes]


def resized(
    packet: bytes, width: int, height: int, *, before: tuple[int, int] | None = None
) -> bytes:
    """The packet of a picture that has that size now.

    ``before``: the size that it has been true of; what it states itself where this is None.
    """
    before = before or _stated(packet)
    if before is not None:
        packet = _scaled(packet, width / before[0], height / before[1])
    return _of_size(packet, width, height)


def upright(packet: bytes, width: int, height: int, orientation: int, notes: list[str]) -> bytes:
    """The packet of the picture of that size, to which the orientation has been applied.

    Also of one that another program made larger or smaller without a word to XMP. A panorama is
    not one any more, and told.
    """
    stored = (height, width) if orient.swaps_sides(orientation) else (width, height)
    stated = _stated(packet)
    # As in EXIF: other proportions are those of a picture from which it was cut.
    if stated is not None and exif.is_alike(stated, stored):
        packet = _scaled_photo(packet, stored[0] / stated[0], stored[1] / stated[1])
        packet = _of_size(packet, width, height)
    if orientation == 1:
        return packet
    if _PANORAMA.are_in(packet):
        notes.append(TURNED_PANORAMA)
        packet = without(packet, _PANORAMA)
    if orient.swaps_sides(orientation):
        packet = _swapped(packet, *_FOCAL)
    return _moved(packet, lambda place: orient.turned_place(place, width, height, orientation))


def _of_size(packet: bytes, width: int, height: int) -> bytes:
    packet = _WIDTH.sub(rb"\g<1>%d" % width, packet)
    return _HEIGHT.sub(rb"\g<1>%d" % height, packet)


def _stated(packet: bytes) -> tuple[int, int] | None:
    width, height = (int(_first(pattern, packet) or 0) for pattern in _STATED)
    return (width, height) if width and height else None


def _scaled(packet: bytes, across: float, down: float) -> bytes:
    if across == down == 1:
        return packet
    packet = _scaled_photo(packet, across, down)
    for axis, by in zip(_AXES, (across, down), strict=True):
        packet = _scaled_panorama(packet, axis, by)
    kept, at = list[bytes](), 0
    for start, end in elements(packet, _REGION):
        part = packet[start:end]
        if _IN_PIXELS.search(part):
            part = _REGION_ACROSS.sub(_times(across), part)
            part = _REGION_DOWN.sub(_times(down), part)
        kept += packet[at:start], part
        at = end
    return b"".join((*kept, packet[at:]))


def _scaled_photo(packet: bytes, across: float, down: float) -> bytes:
    """What EXIF states as well."""
    if across == down == 1:
        return packet

    def scaled(place: tuple[int, ...]) -> tuple[int, ...]:
        axes = (across, down) * 2
        return tuple(round(value * by) for value, by in zip(place, axes, strict=False))

    packet = _moved(packet, scaled)
    for pattern, by in zip(_FOCAL, (across, down), strict=True):
        packet = pattern.sub(_rational_times(by), packet)
    return packet


def _scaled_panorama(packet: bytes, axis: dict[str, re.Pattern[bytes]], by: float) -> bytes:
    """Along one axis, rounded so that what lay within something does so still."""
    found = {part: _first(pattern, packet) for part, pattern in axis.items()}
    new = {part: round(value * by) for part, value in found.items() if value is not None}
    if "whole" in new and "picture" in new:
        new["whole"] = max(new["whole"], new["picture"])
    for outer, inner in (("whole", "picture"), ("picture", "inner")):
        before = found[outer], found[inner], found[f"{inner}'s start"]
        if None not in before and before[1] + before[2] <= before[0]:  # type: ignore[operator]
            latest = max(0, new[outer] - new[inner])
            new[f"{inner}'s start"] = min(new[f"{inner}'s start"], latest)
    for part, value in new.items():
        packet = axis[part].sub(rb"\g<1>%d" % value, packet)
    return packet


def _moved(packet: bytes, move: Callable[[tuple[int, ...]], tuple[int, ...]]) -> bytes:
    """With places of the subject moved: a point, and perhaps a diameter or a width and height."""

    def moved(text: bytes) -> bytes:
        spans = [found.span() for found in _WHOLE_NUMBER.finditer(text)]
        if not 2 <= len(spans) <= 4:
            return text
        place = move(tuple(int(text[start:end]) for start, end in spans))
        for value, (start, end) in reversed(list(zip(place, spans, strict=True))):
            text = text[:start] + b"%d" % max(0, value) + text[end:]
        return text

    def moved_text(found: _Match) -> bytes:
        # Marks around it, as an element has.
        value = found[0][len(found[1]) :]
        return found[1] + moved(b" " + value + b" ")[1:-1]

    packet = _SUBJECT_TEXT.sub(moved_text, packet)
    kept, at = list[bytes](), 0
    for start, end in elements(packet, _SUBJECT):
        part = packet[start:end]
        kept += packet[at:start], moved(part) if b"<rdf:li" in part else part
        at = end
    return b"".join((*kept, packet[at:]))


def _swapped(packet: bytes, one: re.Pattern[bytes], other: re.Pattern[bytes]) -> bytes:
    """With the values of two properties exchanged, where it has both."""
    first, second = one.search(packet), other.search(packet)
    if first is None or second is None:
        return packet
    values = first[0][len(first[1]) :], second[0][len(second[1]) :]
    packet = one.sub(lambda found: found[1] + values[1], packet)
    return other.sub(lambda found: found[1] + values[0], packet)


def _first(pattern: re.Pattern[bytes], packet: bytes) -> float | None:
    found = pattern.search(packet)
    return None if found is None else float(found[0][len(found[1]) :])


def _times(by: float) -> Callable[[_Match], bytes]:
    def product(found: _Match) -> bytes:
        value = found[0][len(found[1]) :].strip()
        exact = float(value) * by
        return found[1] + (b"%d" % round(exact) if value.isdigit() else b"%.9g" % exact)

    return product


def _rational_times(by: float) -> Callable[[_Match], bytes]:
    def product(found: _Match) -> bytes:
        up, _, below = found[0][len(found[1]) :].partition(b"/")
        if below and not int(below):
            return found[0]
        value = float(up) / int(below or b"1") * by
        return found[1] + b"%d/1000" % round(value * 1000)

    return product
