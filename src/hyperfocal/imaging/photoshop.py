"""Photoshop image resource blocks, which is how IPTC records travel in JPEG, PNG and TIFF.

Adobe Photoshop File Formats Specification, "Image Resource Blocks".
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

SIGNATURE = b"Photoshop 3.0\0"
OTHERS = "Photoshop's own data (such as layers, paths and guides) were dropped"
DAMAGED = "IPTC is damaged and was dropped"
IPTC, COPYRIGHT_FLAG = 0x0404, 0x040A
# Resolution, thumbnails, XMP, EXIF, ICC profile and the digest of IPTC.
_TOLD_ELSEWHERE = {0x03ED, 0x0409, 0x040C, 0x040F, 0x0422, 0x0423, 0x0424, 0x0425}
_KEPT = {IPTC, COPYRIGHT_FLAG}


def iptc_of(resources: bytes) -> bytes | None:
    """The IIM records within resource blocks, or None; ValueError when the blocks are cut."""
    return next((data for number, data in _blocks(resources) if number == IPTC), None)


def is_copyrighted(resources: bytes) -> bool:
    """Whether the copyright flag is set, before anything that is cut."""
    with contextlib.suppress(ValueError):
        return any(
            number == COPYRIGHT_FLAG and any(data[:1]) for number, data in _blocks(resources)
        )
    return False


def note_others(resources: bytes, notes: list[str]) -> None:
    """A note where there is anything that is told nowhere else: none of it is kept."""
    with contextlib.suppress(ValueError):
        note_numbers((number for number, _ in _blocks(resources)), notes)


def note_numbers(numbers: Iterable[object], notes: list[str]) -> None:
    """As :func:`note_others`, of the blocks' numbers."""
    if any(number not in _TOLD_ELSEWHERE | _KEPT for number in numbers):
        notes.append(OTHERS)


def _blocks(resources: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    resources = resources.removeprefix(SIGNATURE)
    while at + 12 <= len(resources):
        if resources[at : at + 4] not in (b"8BIM", b"MeSa", b"PHUT", b"AgHg", b"DCSR"):
            raise ValueError("no Photoshop resource block")
        number = int.from_bytes(resources[at + 4 : at + 6], "big")
        name = resources[at + 6] + 1
        start = at + 6 + name + name % 2
        size = int.from_bytes(resources[start : start + 4], "big")
        start += 4
        if start + size > len(resources):
            raise ValueError("a Photoshop resource block is cut short")
        yield number, resources[start : start + size]
        at = start + size + size % 2


def resources_of(iptc: bytes | None, *, copyrighted: bool = False) -> bytes:
    """Resource blocks that hold IIM records and the flag, if any (without :data:`SIGNATURE`)."""
    blocks = {IPTC: iptc or b"", COPYRIGHT_FLAG: b"\1" if copyrighted else b""}
    return b"".join(_block(number, data) for number, data in blocks.items() if data)


def _block(number: int, data: bytes) -> bytes:
    head = b"8BIM" + number.to_bytes(2, "big") + b"\0\0" + len(data).to_bytes(4, "big")
    return head + data + b"\0" * (len(data) % 2)
