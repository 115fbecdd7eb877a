"""The box structure of AVIF and HEIC. ISO/IEC 14496-12 and 23008-12."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0}


@dataclass(slots=True)
class Properties:
    """What the item properties say; of several, the deepest and the largest.

    ``turns``: quarter turns anticlockwise; ``mirror``: 0 top to bottom, 1 left to right.
    """

    bit_depth: int = 8
    width: int = 0
    height: int = 0
    turns: int = 0
    mirror: int | None = None
    code_points: tuple[int, int] | None = None

    @property
    def orientation(self) -> int:
        """The EXIF orientation that means the same: the turn comes first, then the mirror."""
        if self.mirror is None:
            return (1, 8, 3, 6)[self.turns]
        return ((2, 7, 4, 5) if self.mirror else (4, 5, 2, 7))[self.turns]

    @property
    def unusual_colour(self) -> bool:
        """Code points other than those of sRGB and BT.709 (ITU-T H.273)."""
        return self.code_points is not None and (
            self.code_points[0] not in (1, 2) or self.code_points[1] not in (1, 2, 6, 13)
        )


def properties(data: bytes) -> Properties:
    """Read the item properties; whatever is missing keeps its default."""
    found = Properties()
    for kind, body in _boxes(data, 0, len(data)):
        if kind == b"ispe" and len(body) >= 12:
            width, height = (int.from_bytes(body[at : at + 4], "big") for at in (4, 8))
            if width * height > found.width * found.height:
                found.width, found.height = width, height
        elif kind == b"av1C" and len(body) >= 4:
            deep = 12 if body[2] & 0x20 else 10
            found.bit_depth = max(found.bit_depth, deep if body[2] & 0x40 else 8)
        elif kind == b"irot" and body:
            found.turns = body[0] & 3
        elif kind == b"imir" and body:
            found.mirror = body[0] & 1
        elif kind == b"colr" and body[:4] == b"nclx" and len(body) >= 8:
            found.code_points = (
                int.from_bytes(body[4:6], "big"),
                int.from_bytes(body[6:8], "big"),
            )
    return found


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
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
            yield from _boxes(data, at + head + _CONTAINERS[kind], stop)
        elif kind != b"mdat":
            yield kind, data[at + head : stop]
        at = stop
