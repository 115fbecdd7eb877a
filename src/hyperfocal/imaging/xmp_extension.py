"""An XMP packet in two parts, as a JPEG file holds one that is too long for a segment.

XMP Specification Part 3 (Adobe, 2020), 1.1.3.1: the packet itself names its extension by the MD5 of
this, which lies in further segments. Both are joined and divided as text, a property at a time.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hyperfocal.errors import BrokenPicture
from hyperfocal.imaging.guard import attempt

LOST = "the extension of the XMP packet is damaged or of another packet: it was dropped"

# More than any phone writes: base64 of a map of four megapixels.
_BYTES = 32_000_000
# Of a packet. One that remembers years of editing has thousands of marks; there is a description
# for each of a few dozen namespaces.
_MARKS, _DESCRIPTIONS = 500_000, 1000
# The standard's, which leaves some room in a segment.
_PART = 65_400
_GUID = re.compile(rb"xmpNote:HasExtendedXMP\s*(?:=\s*[\"']|>)\s*([0-9A-Fa-f]{32})")
_NOTE = b"xmpNote:HasExtendedXMP"

_NAME = rb"[A-Za-z_\x80-\xff][\w.:\x80-\xff-]*+"
_VALUE = rb"(?:\"[^\"<]*+\"|'[^'<]*+')"
_TAG = re.compile(rb"<(/?)(" + _NAME + rb")((?:[^<>\"']++|" + _VALUE + rb")*+)>")
_ATTRIBUTE = re.compile(rb"(" + _NAME + rb")\s*+=\s*+(" + _VALUE + rb")")
_RDF = re.compile(rb"<rdf:RDF(?=[\s>])(?:[^<>\"']++|" + _VALUE + rb")*+>")
_INSTRUCTION = re.compile(rb"<\?[^<>?]*+\?>")
_BETWEEN = re.compile(rb">\s++<")


@dataclass(slots=True)
class _Description:
    """``frame``: attributes that are no properties, by name; the others by name and text."""

    frame: dict[bytes, bytes]
    attributes: list[tuple[bytes, bytes]]
    elements: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def properties(self) -> list[tuple[bytes, bytes]]:
        """All of them, as elements."""
        return [
            *((name, _as_element(name, value)) for name, value in self.attributes),
            *self.elements,
        ]


@dataclass(frozen=True, slots=True)
class _Packet:
    """``head`` ends where the first description begins, ``tail`` begins behind the last."""

    head: bytes
    descriptions: list[_Description]
    tail: bytes


def whole(packet: bytes | None, chunks: Sequence[bytes], notes: list[str]) -> bytes | None:
    """The packet with its extension, or without and a note where this cannot be had.

    ``chunks``: segments of extensions, without what they all begin with.
    """
    if not chunks:
        return packet
    main = packet or b""
    return attempt(lambda: _merged(main, joined(main, chunks)), notes, LOST) or packet


def joined(packet: bytes, chunks: Sequence[bytes]) -> bytes:
    """The packet's extension, put together from its segments; b"" where there is none of it."""
    named = _GUID.search(packet)
    if named is None:
        return b""
    extension, covered = bytearray(), 0
    for chunk in chunks:
        # The name of the extension, its whole length, and where this part of it belongs.
        if chunk[:32].upper() != named[1].upper() or len(chunk) < 40:
            continue
        length, at = struct.unpack_from(">II", chunk, 32)
        part = chunk[40:]
        if length > _BYTES or at + len(part) > length or (extension and length != len(extension)):
            raise BrokenPicture("the extension of the XMP packet is not as long as it says")
        extension = extension or bytearray(length)
        extension[at : at + len(part)] = part
        covered += len(part)
    if covered != len(extension):
        raise BrokenPicture("the extension of the XMP packet is incomplete")
    return bytes(extension)


def divided(packet: bytes, room: int) -> tuple[bytes, bytes]:
    """The packet in so many bytes, and its extension: b"" where only padding had to go.

    The largest properties go into the extension. ValueError where the text is not understood, or
    the rest is still too long.
    """
    found = _parsed(packet)
    tail = _BETWEEN.sub(b"><", found.tail).strip()
    unpadded = packet[: len(packet) - len(found.tail)] + tail
    if len(unpadded) <= room:
        return unpadded, b""
    properties = [
        [one for one in each.properties if one[0] != _NOTE] for each in found.descriptions
    ]
    about = _about(found.descriptions)
    everything = _text(found.head, found.descriptions, properties, _pointer(about, b"") + tail)
    left = room - len(everything)
    places = [(each, at) for each, some in enumerate(properties) for at in range(len(some))]
    going = set[tuple[int, int]]()
    for each, at in sorted(places, key=lambda place: -len(properties[place[0]][place[1]][1])):
        if left >= 0:
            break
        going.add((each, at))
        left += len(properties[each][at][1])
    if left < 0:
        raise ValueError("too long without any property")
    moved, kept = (
        [
            [one for at, one in enumerate(some) if ((each, at) in going) is goes]
            for each, some in enumerate(properties)
        ]
        for goes in (True, False)
    )
    extension = _text(
        _INSTRUCTION.sub(b"", found.head).strip(),
        found.descriptions,
        moved,
        _INSTRUCTION.sub(b"", tail).strip(),
    )
    if len(extension) > _BYTES:
        raise ValueError("an extension of more bytes than anyone reads")
    pointer = _pointer(about, _guid(extension))
    return _text(found.head, found.descriptions, kept, pointer + tail), extension


def chunks(extension: bytes) -> Iterator[bytes]:
    """Segments of an extension, without what they all begin with."""
    guid = _guid(extension)
    for at in range(0, len(extension), _PART):
        yield guid + struct.pack(">II", len(extension), at) + extension[at : at + _PART]


def _guid(extension: bytes) -> bytes:
    return hashlib.md5(extension, usedforsecurity=False).hexdigest().upper().encode()


def _pointer(about: bytes, guid: bytes) -> bytes:
    return (
        b"<rdf:Description rdf:about=%s xmlns:xmpNote="
        b'"http://ns.adobe.com/xmp/note/" %s="%s"/>' % (about, _NOTE, guid.ljust(32))
    )


def _about(descriptions: list[_Description]) -> bytes:
    """What all descriptions of a packet are about, in quotes."""
    return next((each.frame.get(b"rdf:about", b'""') for each in descriptions), b'""')


def _merged(packet: bytes, extension: bytes) -> bytes:
    """The packet with the properties of its extension that it does not have itself."""
    main, more = _parsed(packet), _parsed(extension)
    have = {name for each in main.descriptions for name, _ in each.properties}
    known = _spaces(main.head)
    spaces = {name: uri for name, uri in _spaces(more.head).items() if known.get(name) != uri}
    for each in more.descriptions:
        each.frame = spaces | each.frame
    new = [[one for one in each.properties if one[0] not in have] for each in more.descriptions]
    return _text(packet[: len(packet) - len(main.tail)], more.descriptions, new, main.tail)


def _text(
    head: bytes,
    descriptions: list[_Description],
    properties: list[list[tuple[bytes, bytes]]],
    tail: bytes,
) -> bytes:
    """A packet of those descriptions that have any properties left."""
    parts = [head]
    for each, some in zip(descriptions, properties, strict=True):
        if some:
            frame = b"".join(b" %s=%s" % pair for pair in each.frame.items())
            parts += b"<rdf:Description", frame, b">"
            parts += (text for _, text in some)
            parts.append(b"</rdf:Description>")
    return b"".join((*parts, tail))


def _parsed(packet: bytes) -> _Packet:
    """ValueError for all but elements one within the other, of which the outer are descriptions."""
    opening, end = _RDF.search(packet), packet.rfind(b"</rdf:RDF>")
    if opening is None or end < opening.end():
        raise ValueError("no RDF")
    body = packet[opening.end() : end]
    if body.count(b"<") > _MARKS:
        raise ValueError("more marks than anyone writes")
    descriptions, depth, marks, start = list[_Description](), 0, 0, 0
    for tag in _TAG.finditer(body):
        marks += 1
        is_end, is_alone = bool(tag[1]), tag[3].endswith(b"/")
        if depth == 0:
            if is_end or tag[2] != b"rdf:Description":
                raise ValueError("RDF of something else than descriptions")
            if len(descriptions) == _DESCRIPTIONS:
                raise ValueError("more descriptions than anyone writes")
            descriptions.append(_description(tag[3]))
        elif depth == 1 and not is_end:
            start = tag.start()
            name = tag[2]
        depth += -1 if is_end else 0 if is_alone else 1
        if depth == 1 and (is_end or (is_alone and start == tag.start())):
            descriptions[-1].elements.append((name, body[start : tag.end()]))
    # Comments and the like would not be told from what is in them.
    if depth or marks != body.count(b"<"):
        raise ValueError("no elements one within the other")
    return _Packet(packet[: opening.end()], descriptions, packet[end:])


def _description(attributes: bytes) -> _Description:
    frame, properties = dict[bytes, bytes](), list[tuple[bytes, bytes]]()
    for name, value in _ATTRIBUTE.findall(attributes):
        prefix, colon, _ = name.partition(b":")
        if colon and prefix not in (b"xmlns", b"rdf", b"xml"):
            properties.append((name, value))
        else:
            frame[name] = value
    return _Description(frame, properties)


def _spaces(head: bytes) -> dict[bytes, bytes]:
    """The namespaces that all of a packet's descriptions have in common, in double quotes."""
    pairs = [pair for tag in _TAG.finditer(head) for pair in _ATTRIBUTE.findall(tag[3])]
    return {name: b'"' + uri[1:-1] + b'"' for name, uri in pairs if name.startswith(b"xmlns:")}


def _as_element(name: bytes, value: bytes) -> bytes:
    return b"<%s>%s</%s>" % (name, value[1:-1].replace(b">", b"&gt;"), name)
