"""HEIC files with a depth map, as phones write them: pillow-heif writes none."""

from __future__ import annotations

import io
import struct

import pillow_heif
from PIL import Image

from hyperfocal.imaging import bmff, bmff_write

DEPTH = b"urn:mpeg:hevc:2015:auxid:2"


def with_depth(pixels, depth, *, turn=0, turn_depth=None, kind=DEPTH):
    """A picture and its map, which belong together as they are stored.

    ``turn``: quarter turns anticlockwise by which both are to be shown; ``turn_depth``: what the
    map says of that itself, None where it says nothing.
    """
    two = pillow_heif.from_pillow(Image.fromarray(pixels))
    two.add_from_pillow(Image.fromarray(depth))
    sink = io.BytesIO()
    two.save(sink, quality=-1)
    boxes = dict(bmff_write._split(sink.getvalue()))
    meta = boxes[b"meta"]
    primary, other = _items(meta)
    tables = bmff._Tables()
    bmff._table(tables, b"iloc", dict(bmff_write._split(meta, 4))[b"iloc"])
    extents = tables.extents

    def extended(shift):
        parts = dict(bmff_write._split(meta, 4))
        parts[b"iloc"] = _located(extents, shift)
        parts[b"iref"] = bytes(4) + bmff_write._box(b"auxl", struct.pack(">HHH", other, 1, primary))
        inner = dict(bmff_write._split(parts[b"iprp"]))
        number = sum(1 for _ in bmff_write._split(inner[b"ipco"]))
        added = {other: [number + 1]}
        inner[b"ipco"] += bmff_write._box(b"auxC", bytes(4) + kind + b"\0")
        if turn:
            inner[b"ipco"] += bmff_write._box(b"irot", bytes([turn]))
            added[primary] = [number + 2]
        if turn_depth is not None:
            inner[b"ipco"] += bmff_write._box(b"irot", bytes([turn_depth]))
            added[other].append(number + 2 + bool(turn))
        inner[b"ipma"] = _associated(inner[b"ipma"], added)
        parts[b"iprp"] = b"".join(bmff_write._box(*one) for one in inner.items())
        return meta[:4] + b"".join(bmff_write._box(*one) for one in parts.items())

    boxes[b"meta"] = extended(len(extended(0)) - len(meta))
    return b"".join(bmff_write._box(*one) for one in boxes.items())


def _items(meta):
    parts = dict(bmff_write._split(meta, 4))
    (primary,) = struct.unpack_from(">H", parts[b"pitm"], 4)
    uses = dict(bmff_write._split(parts[b"iprp"]))[b"ipma"]
    return primary, next(item for item, _ in _uses(uses) if item != primary)


def _located(extents, shift):
    """A table of where the items are, with numbers of four bytes."""
    out = bytes(4) + struct.pack(">BBH", 0x44, 0, len(extents))
    for item, places in extents.items():
        out += struct.pack(">HHH", item, 0, len(places))
        out += b"".join(struct.pack(">II", start + shift, length) for start, length in places)
    return out


def _uses(ipma):
    at = 8
    while at < len(ipma):
        item, count = struct.unpack_from(">HB", ipma, at)
        yield item, ipma[at + 3 : at + 3 + count]
        at += 3 + count


def _associated(ipma, added):
    out = ipma[:8]
    for item, used in _uses(ipma):
        used += bytes(0x80 | number for number in added.get(item, ()))
        out += struct.pack(">HB", item, len(used)) + used
    return out
