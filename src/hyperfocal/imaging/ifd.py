"""TIFF image file directories: the structure of EXIF blocks and of TIFF files.

TIFF 6.0 (Adobe, 1992), section 2; BigTIFF as of libtiff; EXIF 3.0 (CIPA DC-008), section 4.6.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field
from mmap import mmap
from typing import NamedTuple

# Bytes a value of each field type takes. 13 is IFD; 16, 17, 18 are BigTIFF's LONG8s and IFD8,
# 129 is EXIF's UTF-8.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
          16: 8, 17: 8, 18: 8, 129: 1}  # fmt: skip
# Unit in which a value's bytes are swapped between byte orders (rationals are two longs).
_SWAP = {3: 2, 8: 2, 4: 4, 9: 4, 5: 4, 10: 4, 11: 4, 13: 4, 12: 8, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MOST_ENTRIES = 4096
_DEEPEST = 2
MOST_POINTERS = 4
"""Of one tag in one directory that are followed until one leads anywhere."""

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, IFD8 = 1, 2, 3, 4, 5, 7, 18
EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005
SUB_IFDS = (EXIF_IFD, GPS_IFD, INTEROP_IFD)
MAKER_NOTE = 0x927C
"""Of EXIF's directory: the one field that must not be moved."""


class Entry(NamedTuple):
    """Where one field lies: ``position`` of its 12 (or 20) bytes.

    ``number``: how many values; ``start`` and ``size``: of the value's bytes."""

    tag: int
    type: int
    number: int
    position: int
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Byte order (``"<"`` or ``">"``), BigTIFF or not, and where the first directory lies."""

    order: str
    big: bool
    first: int


@dataclass(slots=True)
class Field:
    """One field's value, little-endian; ``inside`` is the directory that a pointer leads to.

    ``place``: where the value lay, and has to lie again, if that matters.
    """

    type: int
    data: bytes = b""
    inside: Directory | None = None
    place: int | None = None


@dataclass(slots=True)
class Directory:
    """Fields by tag."""

    fields: dict[int, Field] = field(default_factory=dict)

    def integers(self, tag: int) -> tuple[int, ...]:
        """The integers of a field; empty when it is not there or holds none."""
        found = self.fields.get(tag)
        if found is None or found.type not in _INTEGERS:
            return ()
        code = _INTEGERS[found.type]
        count = len(found.data) // struct.calcsize(code)
        return struct.unpack(f"<{count}{code}", found.data[: count * struct.calcsize(code)])

    def integer(self, tag: int, default: int = 0) -> int:
        """The first integer of a field."""
        values = self.integers(tag)
        return values[0] if values else default

    def rational(self, tag: int) -> float | None:
        """The first unsigned rational of a field, or None (also for a zero denominator)."""
        found = self.fields.get(tag)
        if found is None or found.type != RATIONAL or len(found.data) < 8:
            return None
        numerator, denominator = struct.unpack_from("<II", found.data)
        return numerator / denominator if denominator else None

    def rationals(self, tag: int, count: int) -> tuple[float, ...] | None:
        """``count`` unsigned rationals, or None (also where one has no denominator)."""
        found = self.fields.get(tag)
        if found is None or found.type != RATIONAL or len(found.data) != 8 * count:
            return None
        parts = struct.unpack(f"<{2 * count}I", found.data)
        if not all(parts[1::2]):
            return None
        return tuple(up / down for up, down in zip(parts[::2], parts[1::2], strict=True))

    def fixed(self) -> Field | None:
        """The field, within the directory of EXIF, whose value has a place of its own."""
        photo = self.fields.get(EXIF_IFD)
        if photo is None or photo.inside is None:
            return None
        found = photo.inside.fields.get(MAKER_NOTE)
        return None if found is None or found.place is None else found

    def put(self, tag: int, kind: int, *values: int) -> None:
        """Set a field of integers (``SHORT``, ``LONG``, ``RATIONAL`` as pairs)."""
        code = "I" if kind == RATIONAL else _INTEGERS[kind]
        self.fields[tag] = Field(kind, struct.pack(f"<{len(values)}{code}", *values))


def layout(data: bytes | bytearray | mmap) -> Layout:
    """Read the header; ValueError when ``data`` is no TIFF structure."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        raise ValueError("no TIFF header")
    (magic,) = struct.unpack_from(order + "H", data, 2)
    if magic == 42:
        return Layout(order, False, struct.unpack_from(order + "I", data, 4)[0])
    if magic == 43 and len(data) >= 16:
        return Layout(order, True, struct.unpack_from(order + "Q", data, 8)[0])
    raise ValueError("no TIFF header")


def entries(
    data: bytes | bytearray | mmap,
    where: Layout,
    offset: int,
    *,
    only: Container[int] | None = None,
) -> tuple[list[Entry], int, int]:
    """The fields of the directory at ``offset``: entries, next directory, where that is written.

    Fields that point outside ``data`` or are of an unknown type are left out, because one bad
    field is common and must not cost the others. ``only``: the tags that are asked for, if not all;
    one other may be among those that are given. ValueError when the directory itself is cut.
    """
    head, size, inline = (8, 20, 8) if where.big else (2, 12, 4)
    count_code, entry_code, offset_code = ("Q", "HHQ", "Q") if where.big else ("H", "HHI", "I")
    if offset <= 0 or offset + head > len(data):
        raise ValueError("a directory lies outside the data")
    (count,) = struct.unpack_from(where.order + count_code, data, offset)
    end = offset + head + count * size
    if count > _MOST_ENTRIES or end > len(data):
        raise ValueError("a directory is cut short")
    found: list[Entry] = []
    table = struct.iter_unpack(f"{where.order}{entry_code}{inline}x", data[offset + head : end])
    for at, (tag, kind, number) in enumerate(table):
        # The first that is readable shows that the directory is none of rubbish.
        if only is not None and tag not in only and found:
            continue
        position = offset + head + at * size
        length = _SIZES.get(kind, 0) * number
        start = position + size - inline
        if length > inline:
            (start,) = struct.unpack_from(where.order + offset_code, data, start)
        if length == 0 or start + length > len(data):
            continue
        found.append(Entry(tag, kind, number, position, start, length))
    if count and not found:
        raise ValueError("a directory holds no readable field")
    following = 0
    if end + inline <= len(data):
        (following,) = struct.unpack_from(where.order + offset_code, data, end)
    return found, following, end


def is_cut(data: bytes, where: Layout, offset: int) -> bool:
    """Whether a field of the directory at ``offset`` reaches beyond the end of ``data``."""
    head, size, inline = (8, 20, 8) if where.big else (2, 12, 4)
    entry_code, offset_code = ("HHQ", "Q") if where.big else ("HHI", "I")
    _, _, end = entries(data, where, offset)
    for position in range(offset + head, end, size):
        _, kind, number = struct.unpack_from(where.order + entry_code, data, position)
        length = _SIZES.get(kind, 0) * number
        (start,) = struct.unpack_from(where.order + offset_code, data, position + size - inline)
        if length > inline and start + length > len(data):
            return True
    return False


def integers(data: bytes | bytearray | mmap, where: Layout, entry: Entry) -> tuple[int, ...]:
    """The integers of one field; empty when it holds none."""
    if entry.type not in _INTEGERS:
        return ()
    code = f"{where.order}{entry.number}{_INTEGERS[entry.type]}"
    return struct.unpack_from(code, data, entry.start)


def parse(
    data: bytes | bytearray, where: Layout, offset: int, *, only: Container[int] | None = None
) -> Directory:
    """The directory at ``offset`` with the EXIF, GPS and interoperability ones inside it.

    ``only``: the tags of it that are copied, if not all; of others there is a field without a
    value. ValueError where fields lie over each other so often that they would take more memory
    than twice what ``data`` does.
    """
    return _Parser(data, where).directory(offset, only=only)


def opened(block: bytes) -> tuple[Directory, str]:
    """A block's main directory and its byte order; ValueError when it cannot be parsed."""
    where = layout(block)
    return parse(block, where, where.first), where.order


class _Parser:
    """Parses each directory once, and copies so many bytes at most, wherever pointers lead."""

    def __init__(self, data: bytes | bytearray, where: Layout) -> None:
        self._data, self._where = data, where
        self._left = 2 * len(data)
        self._seen: set[int] = set()

    def directory(
        self,
        offset: int,
        depth: int = 0,
        *,
        of: int | None = None,
        only: Container[int] | None = None,
    ) -> Directory:
        """The one at ``offset``, inside ``depth`` others; ``of``: the pointer that led there."""
        self._seen.add(offset)
        found, tries = Directory(), Counter[int]()
        for entry in entries(self._data, self._where, offset)[0]:
            # The first counts, as for libtiff: tifffile puts its own description second. Of
            # pointers the first that leads anywhere, but not of thousands.
            if entry.tag in found.fields or tries[entry.tag] == MOST_POINTERS:
                continue
            tries[entry.tag] += 1
            self._count(entry)
            if only is not None and entry.tag not in only:
                found.fields[entry.tag] = Field(entry.type)
                continue
            raw = self._value(entry)
            is_pointer = entry.tag in SUB_IFDS
            item = self._inside(entry.tag, raw, depth) if is_pointer else Field(entry.type, raw)
            if item is not None and entry.tag == MAKER_NOTE and of == EXIF_IFD and depth == 1:
                item.place = entry.start
            if item is not None:
                found.fields[entry.tag] = item
        return found

    def _inside(self, tag: int, pointer: bytes, depth: int) -> Field | None:
        """What a pointer leads to; None where that is nowhere, too deep, or where it was before."""
        target = int.from_bytes(pointer, "little")
        if target in self._seen or depth > _DEEPEST:
            return None
        try:
            inside = self.directory(target, depth + 1, of=tag)
        except _Overlapping:
            raise
        except ValueError:
            return None  # The rest of the block is still good.
        return Field(LONG, inside=inside)

    def _count(self, entry: Entry) -> None:
        self._left -= entry.size
        if self._left < 0:
            raise _Overlapping("fields of a directory lie over each other")

    def _value(self, entry: Entry) -> bytes:
        raw = bytes(self._data[entry.start : entry.start + entry.size])
        unit = _SWAP.get(entry.type, 1)
        return swapped(raw, unit) if self._where.order == ">" and unit > 1 else raw


class _Overlapping(ValueError):
    """More bytes in fields than there can be."""


def swapped(raw: bytes, unit: int) -> bytes:
    """The bytes of every ``unit`` reversed."""
    out = bytearray(len(raw))
    for byte in range(unit):
        out[byte::unit] = raw[unit - 1 - byte :: unit]
    return bytes(out)


def serialise(directory: Directory, base: int, order: str = "<", *, big: bool = False) -> bytes:
    """A directory and its values, as they must lie at offset ``base`` (even).

    But for a value that has a place of its own, and has to be put there (:meth:`Directory.fixed`).
    """
    head, size, inline = (8, 20, 8) if big else (2, 12, 4)
    count_code, entry_code, offset_code = ("Q", "HHQ", "Q") if big else ("H", "HHI", "I")
    tags = sorted(directory.fields)
    table = bytearray(struct.pack(order + count_code, len(tags)))
    values = bytearray()
    values_at = base + head + size * len(tags) + inline
    for tag in tags:
        item = directory.fields[tag]
        if item.inside is not None:
            place = values_at + len(values)
            values += serialise(item.inside, place, order, big=big)
            kind, data = (IFD8 if big else LONG), struct.pack(order + offset_code, place)
        else:
            unit = _SWAP.get(item.type, 1)
            kind = item.type
            data = swapped(item.data, unit) if order == ">" and unit > 1 else item.data
        table += struct.pack(order + entry_code, tag, kind, len(data) // _SIZES[kind])
        if len(data) <= inline:
            table += data.ljust(inline, b"\0")
        elif item.place is not None:
            table += struct.pack(order + offset_code, item.place)
        else:
            table += struct.pack(order + offset_code, values_at + len(values))
            values += data
        values += b"\0" * (len(values) % 2)
    return bytes(table) + b"\0" * inline + bytes(values)


def block(directory: Directory, order: str = "<") -> bytes:
    """A whole TIFF structure that holds ``directory`` alone.

    ValueError where a value that has a place of its own would lie in the header.
    """
    fixed, at = directory.fixed(), 8
    table = serialise(directory, at, order)
    if fixed is None or fixed.place is None:
        return header(order, at) + table
    gap, value = fixed.place - at, fixed.data
    if gap < 0:
        raise ValueError("a value lies in the header")
    if len(table) <= gap:
        return header(order, at) + table.ljust(gap, b"\0") + value
    value += b"\0" * ((fixed.place + len(value)) % 2)
    at = fixed.place + len(value)
    return header(order, at) + bytes(gap) + value + serialise(directory, at, order)


def header(order: str, first: int, *, big: bool = False) -> bytes:
    """What a TIFF structure begins with; ``first``: where its first directory lies."""
    mark = b"II" if order == "<" else b"MM"
    if big:
        return mark + struct.pack(order + "HHHQ", 43, 8, 0, first)
    return mark + struct.pack(order + "HI", 42, first)
