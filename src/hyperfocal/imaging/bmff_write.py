"""Adding a colour profile, EXIF and XMP to an AVIF file that has none.

ISO/IEC 14496-12 (boxes, items), 23008-12 (pictures and what describes them), 23000-22 (MIAF).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_Box = tuple[bytes, bytes]
_FULL = bytes(4)
_EXIF = b"Exif\0"
_XMP = b"mime\0application/rdf+xml\0"


@dataclass(frozen=True, slots=True)
class _Item:
    """``number`` in the file; ``what``: type, name and content type; ``payload``: its bytes."""

    number: int
    what: bytes
    payload: bytes


def attach(
    data: bytes, *, icc: bytes | None = None, exif: bytes | None = None, xmp: bytes | None = None
) -> bytes:
    """The file with what is given added to its primary picture.

    ``data``: a still as libavif writes it, metadata before pixels; ``exif``: a TIFF structure.
    ValueError where the boxes are laid out in another way.
    """
    boxes = dict(_split(data))
    if [kind for kind in boxes if kind != b"ftyp"] != [b"meta", b"mdat"]:
        raise ValueError("the file is not laid out as metadata and then pixels")
    meta = boxes[b"meta"]
    taken = max(number for number, _ in _extents(dict(_split(meta, 4))[b"iloc"]))
    more = []
    if exif is not None:
        # Where in the payload the TIFF structure begins: at once.
        more.append((_EXIF, bytes(4) + exif))
    if xmp is not None:
        more.append((_XMP, xmp))
    items = [_Item(taken + i, what, payload) for i, (what, payload) in enumerate(more, 1)]
    # In front of the pixels, so that whoever reads as the file arrives has them first.
    payload = b"".join(item.payload for item in items)
    start = len(data) - len(boxes[b"mdat"])
    growth = len(_extended(meta, icc, items, 0, 0)) - len(meta)
    boxes[b"meta"] = _extended(meta, icc, items, growth + len(payload), start + growth)
    boxes[b"mdat"] = payload + boxes[b"mdat"]
    return b"".join(_box(kind, body) for kind, body in boxes.items())


def _extended(meta: bytes, icc: bytes | None, items: list[_Item], shift: int, start: int) -> bytes:
    """The ``meta`` box's body; pixels move by ``shift``, the items' payloads begin at ``start``."""
    parts = dict(_split(meta, 4))
    (primary,) = struct.unpack_from(">H", parts[b"pitm"], 4)
    parts[b"iloc"] = _located(parts[b"iloc"], items, shift, start)
    parts[b"iinf"] = _listed(parts[b"iinf"], items)
    if icc is not None:
        parts[b"iprp"] = _with_profile(parts[b"iprp"], icc, primary)
    if items:
        described = [_box(b"cdsc", struct.pack(">HHH", item.number, 1, primary)) for item in items]
        parts[b"iref"] = parts.get(b"iref", _FULL) + b"".join(described)
    return meta[:4] + b"".join(_box(kind, body) for kind, body in parts.items())


def _extents(iloc: bytes) -> Iterator[tuple[int, tuple[int, int]]]:
    """Each item's number, and where it lies: offset and length."""
    if iloc[:6] != b"\0\0\0\0\x44\0":
        raise ValueError("the places of pictures are written in an unusual way")
    (count,) = struct.unpack_from(">H", iloc, 6)
    for number, _, extents, offset, length in struct.iter_unpack(">HHHII", iloc[8:]):
        if extents != 1:
            raise ValueError("a picture lies in several pieces")
        yield number, (offset, length)
        count -= 1
    if count:
        raise ValueError("the places of pictures are cut short")


def _located(iloc: bytes, items: list[_Item], shift: int, start: int) -> bytes:
    places = [(number, offset + shift, length) for number, (offset, length) in _extents(iloc)]
    for item in items:
        places.append((item.number, start, len(item.payload)))
        start += len(item.payload)
    entries = [struct.pack(">HHHII", number, 0, 1, *place) for number, *place in places]
    return iloc[:6] + struct.pack(">H", len(entries)) + b"".join(entries)


def _listed(iinf: bytes, items: list[_Item]) -> bytes:
    (count,) = struct.unpack_from(">H", iinf, 4)
    entries = [
        _box(b"infe", struct.pack(">IHH", 2 << 24, item.number, 0) + item.what) for item in items
    ]
    return iinf[:4] + struct.pack(">H", count + len(items)) + iinf[6:] + b"".join(entries)


def _with_profile(iprp: bytes, icc: bytes, primary: int) -> bytes:
    """The properties with the profile as the last, used by the primary picture."""
    parts = dict(_split(iprp))
    index = 1 + sum(1 for _ in _split(parts[b"ipco"]))
    uses = parts[b"ipma"]
    if uses[:4] != _FULL or index > 127:
        raise ValueError("the uses of properties are written in an unusual way")
    out, at = uses[:8], 8
    while at < len(uses):
        number, many = struct.unpack_from(">HB", uses, at)
        used = uses[at + 3 : at + 3 + many]
        at += 3 + many
        if number == primary:
            used += bytes([index])
        out += struct.pack(">HB", number, len(used)) + used
    parts[b"ipco"] += _box(b"colr", b"prof" + icc)
    parts[b"ipma"] = out
    return b"".join(_box(kind, body) for kind, body in parts.items())


def _split(data: bytes, at: int = 0) -> Iterator[_Box]:
    """The boxes side by side in ``data``, as kind and body."""
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if not 8 <= size <= len(data) - at:
            raise ValueError("a box has no possible size")
        yield kind, data[at + 8 : at + size]
        at += size


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body
