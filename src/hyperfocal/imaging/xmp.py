"""XMP packets: reset the orientation, correct the size, drop thumbnails.

Done on the text, not on a parsed tree: a packet must come out as it went in but for these
values, and XML parsers are a door for hostile input.
"""

from __future__ import annotations

import re

_THUMBNAILS = re.compile(rb"<(xmp|xap):Thumbnails\b.*?</\1:Thumbnails>\s*", re.DOTALL)


def _property(name: bytes) -> re.Pattern[bytes]:
    """``name="…"`` or ``<name>…</name>`` with a whole number inside."""
    return re.compile(rb"(" + name + rb"\s*=\s*[\"']|<" + name + rb"\s*>)\s*\d+\s*(?=[\"'<])")


_ORIENTATION = _property(rb"tiff:Orientation")
_WIDTH = _property(rb"(?:tiff:ImageWidth|exif:PixelXDimension)")
_HEIGHT = _property(rb"(?:tiff:ImageLength|exif:PixelYDimension)")


def cleaned(packet: bytes) -> bytes:
    """The packet with orientation 1 and without embedded thumbnails."""
    return _ORIENTATION.sub(rb"\g<1>1", _THUMBNAILS.sub(b"", packet))


def resized(packet: bytes, width: int, height: int) -> bytes:
    """The packet with the picture size, where it states one, corrected."""
    packet = _WIDTH.sub(rb"\g<1>%d" % width, packet)
    return _HEIGHT.sub(rb"\g<1>%d" % height, packet)
