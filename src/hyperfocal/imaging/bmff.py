"""The boxes of AVIF and HEIC files. ISO/IEC 14496-12 (boxes) and 23008-12 (pictures as items)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from hyperfocal.imaging.header import CREDENTIALS, MASTERING
from hyperfocal.imaging.picture import CodePoints

# Boxes that hold boxes, and how many bytes come before those.
_CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0, b"mdia": 0,
               b"minf": 0, b"stbl": 0}  # fmt: skip
_ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"
_OTHER_ALPHA = b"urn:mpeg:hevc:2015:auxid:1"
_DEPTH = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth", b"urn:mpeg:hevc:2015:auxid:2")
# Of the C2PA specification: the box around content credentials.
_CREDENTIALS = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_FURTHER = "further pictures in the file (depth, gain map) were dropped"
_XMP = b"application/rdf+xml"
_MOST_ITEMS = 65536
# Side of the largest blocks of HEVC; those of AV1 that are larger need not be filled.
_BLOCK = 64
# An item's entry, versions 2 and 3: its number, its protection, and what it is.
_METADATA_ITEM = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))(?:Exif|mime)", re.DOTALL)


class Aperture(NamedTuple):
    """The part of a picture that is to be seen, in pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(slots=True)
class Contents:
    """What the boxes say of the primary picture.

    ``aperture``: what is to be seen of it, before it is turned, if not all; ``odd_aperture``: that
    is not of whole pixels, or reaches beyond the picture. ``turns``: quarter turns anticlockwise;
    ``mirror``: 0 top to bottom, 1 left to right. ``code_points``: colour primaries and transfer
    function (ITU-T H.273). ``frames``: of an animation, else 1. ``bit_depth`` and ``colour`` are
    those of the deepest and most coloured picture in the file, because a grid's are only stated
    with its tiles. ``further``: there are auxiliary pictures besides alpha, or a gain map;
    ``turned_depth``: the depth map among them is turned or mirrored by properties of its own;
    ``mastering``: of HDR; ``credentials``: C2PA's.
    """

    width: int = 0
    height: int = 0
    bit_depth: int = 8
    colour: bool = False
    alpha: bool = False
    frames: int = 1
    aperture: Aperture | None = None
    odd_aperture: bool = False
    turns: int = 0
    mirror: int | None = None
    code_points: CodePoints | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    further: bool = False
    turned_depth: bool = False
    mastering: bool = False
    credentials: bool = False

    def coded(self, width: int, height: int) -> tuple[int, int] | None:
        """Width and height of the whole picture, of which a part of the given size is to be seen.

        None where that part would take as much by itself, in whole blocks: encoders fill up the
        last ones and have the filling cut off.
        """
        alone = (-(-width // _BLOCK) * _BLOCK) * (-(-height // _BLOCK) * _BLOCK)
        return (self.width, self.height) if self.width * self.height > alone else None

    def dropped(self) -> list[str]:
        """What else there is and is not kept, as notes."""
        said = ((self.further, _FURTHER), (self.mastering, MASTERING),
                (self.credentials, CREDENTIALS))  # fmt: skip
        return [note for there, note in said if there]

    @property
    def orientation(self) -> int:
        """The EXIF orientation that means the same: the turn comes first, then the mirror."""
        if self.mirror is None:
            return (1, 8, 3, 6)[self.turns]
        return ((2, 7, 4, 5) if self.mirror else (4, 5, 2, 7))[self.turns]


@dataclass(slots=True)
class _Tables:
    """The item tables as they stand in the file."""

    primary: int = 0
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    uses: dict[int, list[int]] = field(default_factory=dict)
    kinds: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    extents: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    idat: bytes = b""
    in_idat: set[int] = field(default_factory=set)
    samples: int = 0
    credentials: bool = False


def read(data: bytes) -> Contents:
    """Read the boxes; what is missing or damaged keeps its default."""
    tables = _Tables()
    for kind, parent, body in _boxes(data, 0, len(data), b""):
        if parent == b"ipco":
            tables.properties.append((kind, body))
            continue
        try:
            _table(tables, kind, body)
        except (struct.error, IndexError):
            continue
    found = Contents(frames=max(1, tables.samples), credentials=tables.credentials)
    found.further = any(kind == b"tmap" for kind, _ in tables.kinds.values())
    for kind, body in tables.properties:
        _shared_property(found, kind, body)
    clean = None
    for kind, body in _of_item(tables, tables.uses.get(tables.primary)):
        _own_property(found, kind, body)
        clean = body if kind == b"clap" else clean
    if clean is not None:
        found.aperture = _aperture(clean, found.width, found.height)
        found.odd_aperture = found.aperture is None
    found.turned_depth = _is_depth_turned(tables)
    for item, (kind, detail) in tables.kinds.items():
        if kind == b"Exif" and found.exif is None:
            payload = _payload(data, tables, item)
            skip = int.from_bytes(payload[:4], "big")
            found.exif = payload[4 + skip :] if 4 + skip < len(payload) else None
        elif kind == b"mime" and detail.startswith(_XMP) and found.xmp is None:
            found.xmp = _payload(data, tables, item) or None
    return found


def picture_alone(data: bytes) -> bytes:
    """The file with its EXIF and XMP called something that decoders do not look at.

    libavif refuses a picture whose EXIF it cannot parse.
    """
    return _METADATA_ITEM.sub(rb"\1skip", data)


def _boxes(data: bytes, at: int, end: int, parent: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Every box as (kind, kind of the box around it, body), but for containers and ``mdat``."""
    while at + 8 <= end:
        size = int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        head = 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        stop = end if size == 0 else at + size
        if stop < at + head or stop > end:
            return
        if kind in _CONTAINERS:
            yield from _boxes(data, at + head + _CONTAINERS[kind], stop, kind)
        elif kind != b"mdat":
            yield kind, parent, data[at + head : stop]
        at = stop


def _table(tables: _Tables, kind: bytes, body: bytes) -> None:
    if kind == b"pitm":
        (tables.primary,) = struct.unpack_from(">I" if body[0] else ">H", body, 4)
    elif kind == b"idat":
        tables.idat = body
    elif kind == b"uuid":
        tables.credentials |= body.startswith(_CREDENTIALS)
    elif kind == b"stsz":
        tables.samples = max(tables.samples, struct.unpack_from(">I", body, 8)[0])
    elif kind == b"iinf":
        for entry, _, item in _boxes(body, 8 if body[0] else 6, len(body), kind):
            if entry == b"infe" and item[0] >= 2:
                number, at = _number(item, 4, 2 if item[0] == 2 else 4)
                detail = item[at + 6 :].partition(b"\0")[2]
                tables.kinds[number] = (item[at + 2 : at + 6], detail)
    elif kind == b"ipma":
        _associations(tables, body)
    elif kind == b"iloc":
        _locations(tables, body)


def _associations(tables: _Tables, body: bytes) -> None:
    (count,) = struct.unpack_from(">I", body, 4)
    at, wide = 8, bool(body[3] & 1)
    for _ in range(min(count, _MOST_ITEMS)):
        item, at = _number(body, at, 4 if body[0] else 2)
        uses = tables.uses.setdefault(item, [])
        number, at = _number(body, at, 1)
        for _ in range(number):
            index, at = _number(body, at, 2 if wide else 1)
            uses.append(index & (0x7FFF if wide else 0x7F))


def _locations(tables: _Tables, body: bytes) -> None:
    version = body[0]
    offset_size, length_size = body[4] >> 4, body[4] & 15
    base_size, index_size = body[5] >> 4, body[5] & 15 if version else 0
    count, at = _number(body, 6, 2 if version < 2 else 4)
    left = _MOST_ITEMS
    for _ in range(min(count, _MOST_ITEMS)):
        item, at = _number(body, at, 2 if version < 2 else 4)
        if version:
            method, at = _number(body, at, 2)
            if method & 15 == 1:
                tables.in_idat.add(item)
        _, at = _number(body, at, 2)
        base, at = _number(body, at, base_size)
        extents, at = _number(body, at, 2)
        # Where the file has no bytes for them, any number takes no space in it.
        left -= extents
        if left < 0:
            raise IndexError("more places than any file has")
        for _ in range(extents):
            _, at = _number(body, at, index_size)
            offset, at = _number(body, at, offset_size)
            length, at = _number(body, at, length_size)
            tables.extents.setdefault(item, []).append((base + offset, length))


def _number(data: bytes, at: int, size: int) -> tuple[int, int]:
    if at + size > len(data):
        raise IndexError("a table is cut short")
    return int.from_bytes(data[at : at + size], "big"), at + size


def _payload(data: bytes, tables: _Tables, item: int) -> bytes:
    source = tables.idat if item in tables.in_idat else data
    extents = tables.extents.get(item, [])
    # An item may not be larger than the file: overlapping extents could claim any size.
    if sum(length for _, length in extents) > len(data):
        return b""
    return b"".join(source[start : start + length] for start, length in extents)


def _of_item(tables: _Tables, uses: list[int] | None) -> list[tuple[bytes, bytes]]:
    """The properties that an item has: of a file that says nothing of it, all there are."""
    if uses is None:
        return tables.properties
    return [tables.properties[at - 1] for at in uses if 0 < at <= len(tables.properties)]


def _is_depth_turned(tables: _Tables) -> bool:
    depth, turns = set[int](), set[int]()
    for number, (kind, body) in enumerate(tables.properties, 1):
        if kind == b"auxC" and body.startswith(_DEPTH, 4):
            depth.add(number)
        elif kind in (b"irot", b"imir"):
            turns.add(number)
    return any(
        not depth.isdisjoint(uses) and not turns.isdisjoint(uses) for uses in tables.uses.values()
    )


def _shared_property(found: Contents, kind: bytes, body: bytes) -> None:
    if kind == b"av1C" and len(body) >= 4:
        deep = 12 if body[2] & 0x20 else 10
        found.bit_depth = max(found.bit_depth, deep if body[2] & 0x40 else 8)
        found.colour = found.colour or not body[2] & 0x10
    elif kind == b"hvcC" and len(body) >= 17:
        found.colour = found.colour or bool(body[16] & 3)
    elif kind == b"auxC" and _ALPHA in body:
        found.alpha = True
    elif kind == b"auxC" and _OTHER_ALPHA not in body:
        found.further = True
    elif kind in (b"clli", b"mdcv"):
        found.mastering = True


def _own_property(found: Contents, kind: bytes, body: bytes) -> None:
    if kind == b"ispe" and len(body) >= 12:
        width, height = struct.unpack_from(">II", body, 4)
        if width * height > found.width * found.height:
            found.width, found.height = width, height
    elif kind == b"irot" and body:
        found.turns = body[0] & 3
    elif kind == b"imir" and body:
        found.mirror = body[0] & 1
    elif kind == b"colr" and body[:4] in (b"prof", b"rICC"):
        found.icc = body[4:]
    elif kind == b"colr" and body[:4] == b"nclx" and len(body) >= 8:
        found.code_points = struct.unpack_from(">HH", body, 4)


def _aperture(body: bytes, width: int, height: int) -> Aperture | None:
    """14496-12, 12.1.4: a size, and how far its middle is from the picture's, all as fractions."""
    if len(body) < 32:
        return None
    numbers = struct.unpack_from(">IIIIiIiI", body)
    if not all(numbers[1::2]):
        return None
    across, down, right, below = (Fraction(*numbers[at : at + 2]) for at in (0, 2, 4, 6))
    part = ((width - across) / 2 + right, (height - down) / 2 + below, across, down)
    if any(number.denominator != 1 for number in part):
        return None
    found = Aperture(*map(int, part))
    is_inside = min(found.left, found.top) >= 0 and min(found.width, found.height) > 0
    if found.left + found.width > width or found.top + found.height > height:
        return None
    return found if is_inside else None
