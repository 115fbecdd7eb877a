"""XMP packets: reset the orientation, correct the size, drop what is no longer true.

Done on the text, not on a parsed tree: a packet must come out as it went in but for these
values, and XML parsers are a door for hostile input.
"""

from __future__ import annotations

import re

# Thumbnails, and promises of what lies elsewhere in the file and is not kept: gain maps, the video
# of a motion photo, the rest of the packet, further pictures.
_DROPPED = (
    rb"(?:(?:xmp|xap):Thumbnails|hdrgm:\w+|HDRGainMap:\w+|G?Camera:(?:MotionPhoto|MicroVideo)\w*"
    rb"|xmpNote:HasExtendedXMP|G?Container:Directory)"
)
# Every part ends at a mark that it cannot hold, so that no packet takes long.
_ELEMENT = re.compile(rb"<(" + _DROPPED + rb")(?:\s[^<>]*)?/?>")
_ATTRIBUTE = re.compile(rb"\s" + _DROPPED + rb"\s*=\s*(?:\"[^\"<]*\"|'[^'<]*')")


def _property(name: bytes, value: bytes = rb"\s*\d+\s*") -> re.Pattern[bytes]:
    """``name="…"`` or ``<name>…</name>`` with a whole number, or ``value``, inside."""
    return re.compile(rb"(" + name + rb"\s*=\s*[\"']|<" + name + rb"\s*>)" + value + rb"(?=[\"'<])")


_ORIENTATION = _property(rb"tiff:Orientation")
_WIDTH = _property(rb"(?:tiff:ImageWidth|exif:PixelXDimension)")
_HEIGHT = _property(rb"(?:tiff:ImageLength|exif:PixelYDimension)")
_COLOUR_SPACE = _property(rb"exif:ColorSpace")
_COLOUR_MODE = _property(rb"photoshop:ColorMode")
_PROFILE = _property(rb"photoshop:ICCProfile", rb"[^\"'<]*")


def cleaned(packet: bytes, *, turned: bool) -> bytes:
    """The packet without thumbnails and what it says of parts not kept.

    ``turned``: an orientation was applied, so that it is 1 now. One that only the packet states is
    not, as browsers and viewers show such pictures as they are stored.
    """
    packet = _ATTRIBUTE.sub(b"", _without_elements(packet))
    return _ORIENTATION.sub(rb"\g<1>1", packet) if turned else packet


def resized(packet: bytes, width: int, height: int) -> bytes:
    """The packet with the picture size, where it states one, corrected."""
    packet = _WIDTH.sub(rb"\g<1>%d" % width, packet)
    return _HEIGHT.sub(rb"\g<1>%d" % height, packet)


def in_srgb(packet: bytes) -> bytes:
    """The packet of a picture whose colours were converted to sRGB."""
    packet = _COLOUR_MODE.sub(rb"\g<1>3", _COLOUR_SPACE.sub(rb"\g<1>1", packet))
    return _PROFILE.sub(rb"\g<1>sRGB IEC61966-2.1", packet)


def _without_elements(packet: bytes) -> bytes:
    kept, at = [], 0
    for found in _ELEMENT.finditer(packet):
        if found.start() < at:
            continue
        end = found.end()
        if not found[0].endswith(b"/>"):
            closing = b"</" + found[1] + b">"
            end = packet.find(closing, end)
            if end < 0:
                break  # no XML, so nothing further on can be told either
            end += len(closing)
        kept.append(packet[at : found.start()])
        while packet[end : end + 1].isspace():
            end += 1
        at = end
    return b"".join((*kept, packet[at:]))
