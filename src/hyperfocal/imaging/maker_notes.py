"""The camera maker's own notes in EXIF (MakerNote), which are garbage in another place.

Most are a directory like those around them: in the same byte order, and with offsets that count
from the start of the file or block. Both have to stay as they are, and so does the notes' place.
"""

from __future__ import annotations

from hyperfocal.imaging import ifd

DROPPED = (
    "the camera maker's own notes (MakerNote) were dropped: they make sense only in the place"
    " where they lay"
)
# Of notes with offsets from their own start: how they begin, and where they tell their byte order,
# unless they have but one. Nikon, Olympus, OM, Apple, Pentax, Fuji.
_MOVABLE = (
    (b"Nikon\0\2", 10),
    (b"OLYMPUS\0", 8),
    (b"OM SYSTEM\0", 12),
    (b"Apple iOS\0", 12),
    (b"PENTAX \0", 8),
    (b"FUJIFILM", None),
)
# Too short to hold an offset.
_SHORT = 8
# Behind BigTIFF's header, too, and not so far that zeros in front of it would be most of a file.
_NEAREST, _FARTHEST = 16, 1 << 16


def settle(main: ifd.Directory, notes: list[str], *, moved: bool = False) -> bool:
    """Make the maker's notes what a directory that is written anew may hold of them.

    Without a place where they may lie anywhere, or else in the place where they lay; dropped, with
    a note, where that is none that can be kept, or they were ``moved`` by somebody else already.
    Whether there are any that have to keep place and byte order.
    """
    photo = main.fields.get(ifd.EXIF_IFD)
    inside = None if photo is None else photo.inside
    found = None if inside is None else inside.fields.get(ifd.MAKER_NOTE)
    if inside is None or found is None:
        return False
    if _is_movable(found.data):
        found.place = None
        return False
    # Of other types the bytes may have been swapped.
    is_plain = found.type in (ifd.BYTE, ifd.UNDEFINED)
    if moved or not is_plain or not _NEAREST <= (found.place or 0) <= _FARTHEST:
        del inside.fields[ifd.MAKER_NOTE]
        notes.append(DROPPED)
        return False
    return True


def where_they_fit(block: bytes, notes: list[str]) -> bytes:
    """The block, without the notes where a TIFF file cannot hold them; ValueError if unparsable."""
    main, order = ifd.opened(block)
    said: list[str] = []
    settle(main, said)
    notes += said
    return ifd.block(main, order) if said else block


def _is_movable(data: bytes) -> bool:
    for begins, mark in _MOVABLE:
        if data.startswith(begins):
            return mark is None or data[mark : mark + 2] in (b"II", b"MM")
    return len(data) <= _SHORT
