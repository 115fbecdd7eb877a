"""IPTC's records: whether all of them are there, and which of two copies to keep.

IPTC-NAA Information Interchange Model 4.2, section 1.5.
"""

from __future__ import annotations

from hyperfocal.imaging.photoshop import DAMAGED

CUT = "IPTC is cut short: only its whole records were kept"
_MARKER, _HEAD = b"\x1c", 5
# Set in a length, the rest of it counts the bytes of the length proper, which follow.
_EXTENDED = 0x8000
# Records that are looked at; no photograph has so many.
_MOST = 1 << 17


def intact(data: bytes) -> tuple[bytes, bool]:
    """The whole records at the beginning, and whether they are all but for zeros behind them."""
    at = 0
    for _ in range(_MOST):
        start = at + _HEAD
        if data[at : at + 1] != _MARKER or start > len(data):
            break
        size = int.from_bytes(data[at + 3 : start], "big")
        if size & _EXTENDED:
            of_length, start = start, start + (size ^ _EXTENDED)
            size = int.from_bytes(data[of_length:start], "big")
        if start + size > len(data):
            break
        at = start + size
    return data[:at], at > 0 and not data[at:].strip(b"\0")


def chosen(direct: bytes | None, boxed: bytes | None, notes: list[str]) -> bytes | None:
    """Of the records of a TIFF file's own field and those in Photoshop's resources, which to keep.

    The field's, unless they are a mere part of the others: ImageMagick 6 counts in it as many
    bytes as there are groups of four. A note where those that are kept are not whole.
    """
    copies = [(data, *intact(data)) for data in (direct, boxed) if data]
    if len(copies) == 2:
        (_, part, _), (_, whole, _) = copies
        if len(part) < len(whole) and whole.startswith(part):
            del copies[0]
    for data, _, is_whole in copies:
        if is_whole:
            return data
    longest = max((records for _, records, _ in copies), key=len, default=None)
    if longest is not None:
        notes.append(CUT if longest else DAMAGED)
    return longest or None
