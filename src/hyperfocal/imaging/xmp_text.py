"""Finding properties in the text of an XMP packet, in a time that only its length has a say in.

XML writes a property as an attribute or as an element. Every part of a pattern ends at a mark that
it cannot hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Named(NamedTuple):
    """Patterns of properties with certain names: first tags (group 1 the name) and attributes."""

    element: re.Pattern[bytes]
    attribute: re.Pattern[bytes]

    def are_in(self, packet: bytes) -> bool:
        """Whether any of them is."""
        return bool(self.element.search(packet) or self.attribute.search(packet))


def named(names: bytes) -> Named:
    """The properties whose names the expression ``names`` matches, whatever is in them."""
    return Named(
        opening(names),
        re.compile(rb"\s(?:" + names + rb")\s*=\s*(?:\"[^\"<]*\"|'[^'<]*')"),
    )


def opening(names: bytes) -> re.Pattern[bytes]:
    """The first tags of elements with such names; group 1 is the name."""
    return re.compile(rb"<(" + names + rb")(?:\s[^<>]*)?/?>")


def property_of(name: bytes, value: bytes = rb"\s*\d+\s*") -> re.Pattern[bytes]:
    """``name="…"`` or ``<name>…</name>`` with a whole number, or ``value``, inside.

    Group 1 ends where the value begins.
    """
    return re.compile(rb"(" + name + rb"\s*=\s*[\"']|<" + name + rb"\s*>)" + value + rb"(?=[\"'<])")


def elements(packet: bytes, opening: re.Pattern[bytes]) -> Iterator[tuple[int, int]]:
    """Where each element begins and ends whose first tag is matched; none within another."""
    at = 0
    for found in opening.finditer(packet):
        if found.start() < at:
            continue
        at = found.end()
        if not found[0].endswith(b"/>"):
            closing = b"</" + found[1] + b">"
            at = packet.find(closing, at)
            if at < 0:
                return  # no XML, so nothing further on can be told either
            at += len(closing)
        yield found.start(), at


def without(packet: bytes, properties: Named) -> bytes:
    """The packet without these properties, and without the space behind their elements."""
    kept, at = [], 0
    for start, end in elements(packet, properties.element):
        kept.append(packet[at:start])
        while packet[end : end + 1].isspace():
            end += 1
        at = end
    return properties.attribute.sub(b"", b"".join((*kept, packet[at:])))
