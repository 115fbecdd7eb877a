"""XMP packets: reset the orientation, turn regions, drop what is no longer true.

Done on the text, not on a parsed tree: a packet must come out as it went in but for these
values, and XML parsers are a door for hostile input. Regions: Guidelines for Handling Image
Metadata 2.0 (Metadata Working Group, 2010), 5.9.
"""

from __future__ import annotations

import math
import re

from hyperfocal.imaging import orient
from hyperfocal.imaging.header import CREDENTIALS
from hyperfocal.imaging.xmp_text import elements, named, opening, property_of, without

# Thumbnails, and promises of what lies elsewhere in the file and is not kept: gain maps, the video
# of a motion photo, the rest of the packet, further pictures, depth maps (also those of Dynamic
# Depth 1.0, whose device lists them).
_DROPPED = named(
    rb"(?:(?:xmp|xap):Thumbnails|hdrgm:\w+|HDRGainMap:\w+|G?Camera:(?:MotionPhoto|MicroVideo)\w*"
    rb"|xmpNote:HasExtendedXMP|G?Container:Directory|GDepth:\w+|GImage:\w+|GAudio:\w+|Device:\w+)"
)
# A second picture and a sound that lie in the packet itself (Cardboard Camera).
_EMBEDDED = named(rb"(?:GImage|GAudio):Data")
EMBEDDED = "a picture or sound within XMP (Google's GImage, GAudio) was dropped"
# Where content credentials lie (C2PA 2.1, 11.4). Dublin Core means text by it as well, about former
# owners for instance, which stays.
_PROVENANCE = b"dcterms:provenance"
_ADDRESS = rb"\s*(?:[A-Za-z][\w+.-]{0,30}:|self#)[^\s\"'<>]{1,4000}\s*"
_CREDENTIALS = re.compile(
    rb"\s" + _PROVENANCE + rb"\s*=\s*(?:\"" + _ADDRESS + rb"\"|'" + _ADDRESS + rb"')"
    rb"|<" + _PROVENANCE + rb"\s*(?:>" + _ADDRESS + rb"</" + _PROVENANCE + rb">"
    rb"|rdf:resource\s*=\s*[\"']" + _ADDRESS + rb"[\"']\s*(?:/>|></" + _PROVENANCE + rb">))\s*"
)
_ORIENTATION = property_of(rb"tiff:Orientation")
_COLOUR_SPACE = property_of(rb"exif:ColorSpace")
_COLOUR_MODE = property_of(rb"photoshop:ColorMode")
_MARKED = property_of(rb"xmpRights:Marked", rb"\s*[Tt]rue\s*")
_PROFILE = property_of(rb"photoshop:ICCProfile", rb"[^\"'<]*")
# Where faces and the like are, in shares of the picture as it is stored, and the size it has then.
_REGION = opening(rb"mwg-rs:(?:Area|AppliedToDimensions)")
_PLACES = [property_of(rb"stArea:" + name, rb"[\s\d.eE+-]*") for name in (b"x", b"y", b"w", b"h")]
_SIDES = [property_of(rb"stDim:" + name, rb"[\s\d.eE+-]*") for name in (b"w", b"h")]
_AREA = b"<mwg-rs:Area"
_A_PLACE = re.compile(rb"stArea:[xywh]\b")
_EXTENT = re.compile(rb"stArea:[wh]\b")
# The same of Microsoft and of IPTC, and those of MWG that are in pixels.
_OTHER_REGIONS = re.compile(rb"MPReg:Rectangle|Iptc4xmpExt:rb[XY]|stArea:unit\W{1,3}pixel")
MISPLACED = "regions in XMP (faces and the like) are where they were before the picture was turned"


def missed(packet: bytes) -> list[str]:
    """What is dropped with :func:`cleaned` and told by nothing else in the file, as notes."""
    notes = [EMBEDDED] if _EMBEDDED.are_in(packet) else []
    return [*notes, CREDENTIALS] if _CREDENTIALS.search(packet) else notes


def cleaned(packet: bytes, *, turned: bool) -> bytes:
    """The packet without thumbnails and what it says of parts not kept.

    ``turned``: an orientation was applied, so that it is 1 now. One that only the packet states is
    not, as browsers and viewers show such pictures as they are stored.
    """
    packet = _CREDENTIALS.sub(b"", without(packet, _DROPPED))
    return _ORIENTATION.sub(rb"\g<1>1", packet) if turned else packet


def says_copyrighted(packet: bytes) -> bool:
    """Whether it says itself what Photoshop's copyright flag does."""
    return _MARKED.search(packet) is not None


def in_srgb(packet: bytes) -> bytes:
    """The packet of a picture whose colours were converted to sRGB."""
    packet = _COLOUR_MODE.sub(rb"\g<1>3", _COLOUR_SPACE.sub(rb"\g<1>1", packet))
    return _PROFILE.sub(rb"\g<1>sRGB IEC61966-2.1", packet)


def turned(packet: bytes, orientation: int, notes: list[str]) -> bytes:
    """The packet with regions where they are once the orientation is applied to the picture.

    A note where there are some of a kind that stay as they were.
    """
    if orientation == 1:
        return packet
    is_misplaced = _OTHER_REGIONS.search(packet) is not None
    kept, at = list[bytes](), 0
    for start, end in elements(packet, _REGION):
        part = packet[start:end]
        changed = _turned_region(part, orientation)
        is_misplaced |= changed is None and _A_PLACE.search(part) is not None
        kept += packet[at:start], part if changed is None else changed
        at = end
    if is_misplaced:
        notes.append(MISPLACED)
    return b"".join((*kept, packet[at:]))


def _turned_region(part: bytes, orientation: int) -> bytes | None:
    """One area or size; None where it is in pixels or its numbers cannot be read."""
    is_area = part.startswith(_AREA)
    found = [pattern.search(part) for pattern in (_PLACES if is_area else _SIDES)]
    if is_area and not _EXTENT.search(part):
        found = found[:2]  # Circles and points have no width and height.
    spans = [(one.end(1), one.end()) for one in found if one is not None]
    values = [part[start:end] for start, end in spans]
    if len(spans) < len(found) or not all(map(_is_number, values)) or _OTHER_REGIONS.search(part):
        return None
    if orient.swaps_sides(orientation):
        values[:2] = values[1::-1]
        values[2:] = values[:1:-1]
    if is_area:
        for number, mirrored in enumerate(orient.mirrors(orientation)):
            if mirrored:
                values[number] = b"%.9g" % (1 - float(values[number]))
    for value, (start, end) in sorted(zip(values, spans, strict=True), key=lambda one: -one[1][0]):
        part = part[:start] + value + part[end:]
    return part


def _is_number(value: bytes) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False
