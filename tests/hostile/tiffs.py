"""TIFF files that say whatever they are told to say (TIFF 6.0, section 2)."""

from __future__ import annotations

import struct

from pictures import HEIGHT, WIDTH

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
_CODES = {SHORT: "H", LONG: "I"}

Fields = dict[int, tuple[int, tuple[int, ...] | bytes]]


def tiff(
    changes: Fields | None = None,
    *,
    strip: bytes | None = None,
    following: int | None = None,
    first: int | None = None,
    count: int | None = None,
) -> bytes:
    """A TIFF of 64 x 48 grey pixels in one strip.

    ``changes``: fields by tag, (type, values or bytes); an empty tuple takes one away.
    ``following``, ``first``: offsets of the next and the first directory (-1 as ``following``:
    the first again). ``count``: how many fields the directory claims to have.
    """
    strip = bytes(WIDTH * HEIGHT) if strip is None else strip
    data_at = 8
    directory_at = data_at + len(strip) + len(strip) % 2
    fields: Fields = {
        256: (LONG, (WIDTH,)),
        257: (LONG, (HEIGHT,)),
        258: (SHORT, (8,)),
        259: (SHORT, (1,)),
        262: (SHORT, (1,)),
        273: (LONG, (data_at,)),
        277: (SHORT, (1,)),
        278: (LONG, (HEIGHT,)),
        279: (LONG, (len(strip),)),
    }
    fields.update(changes or {})
    fields = {tag: fields[tag] for tag in sorted(fields) if fields[tag][1]}
    extra_at = directory_at + 2 + 12 * len(fields) + 4
    table, extra = b"", b""
    for tag, (kind, values) in fields.items():
        if isinstance(values, bytes):
            data, number = values, len(values) // (8 if kind == RATIONAL else 1)
        else:
            number = len(values)
            data = struct.pack(f"<{number}{_CODES[kind]}", *values)
        if len(data) > 4:
            place = struct.pack("<I", extra_at + len(extra))
            extra += data + b"\0" * (len(data) % 2)
        else:
            place = data.ljust(4, b"\0")
        table += struct.pack("<HHI", tag, kind, number) + place
    after = directory_at if following == -1 else following or 0
    head = b"II*\0" + struct.pack("<I", directory_at if first is None else first)
    count = len(fields) if count is None else count
    body = head + strip + b"\0" * (len(strip) % 2)
    return body + struct.pack("<H", count) + table + struct.pack("<I", after) + extra
