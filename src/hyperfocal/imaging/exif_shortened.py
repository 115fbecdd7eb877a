"""EXIF that is too long for a format, without its largest values.

JPEG has one segment of 64 KB for it (EXIF 3.0, 4.7.2), other formats any room.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hyperfocal.imaging import ifd

_USER_COMMENT = 0x9286
_LISTED = 8


class _Found(NamedTuple):
    """A field, and the tag that leads to the directory it is in (0 for the main one)."""

    directory: ifd.Directory
    tag: int
    field: ifd.Field
    kind: int

    @property
    def size(self) -> int:
        """Bytes that it takes: an entry, and a value that does not fit into this."""
        length = len(self.field.data)
        return 12 + (length + length % 2 if length > 4 else 0)


def shortened(block: bytes, room: int) -> tuple[bytes, str]:
    """The block in so many bytes, and the names of what was left out for it.

    The maker note goes first: it holds offsets into the block, in which everything moves. Then the
    user's comment, in which programs keep notes of their own, and then whatever is largest.
    ValueError if unparsable, or if that does not help.
    """
    main, _ = ifd.opened(block)
    fields = [
        _Found(directory, tag, found, kind)
        for kind, directory in _directories(main)
        for tag, found in directory.fields.items()
        if found.inside is None
    ]
    left_out = [one for one in fields if one.tag == ifd.MAKER_NOTE]
    for one in left_out:
        del one.directory.fields[one.tag]
    size = len(ifd.block(main))
    for one in sorted((one for one in fields if one.tag != ifd.MAKER_NOTE), key=_turn):
        if size <= room:
            break
        del one.directory.fields[one.tag]
        size -= one.size
        left_out.append(one)
    for one in left_out:
        # The comment need not have gone where something else was what took the room.
        if one.tag == _USER_COMMENT and size + one.size <= room:
            one.directory.fields[one.tag] = one.field
            left_out.remove(one)
            break
    if size > room:
        raise ValueError("too long without any value")
    more = [f"{len(left_out) - _LISTED} more"] if len(left_out) > _LISTED else []
    names = [_name(one) for one in left_out[:_LISTED]]
    return ifd.block(main), ", ".join([*names, *more])


def _directories(main: ifd.Directory, kind: int = 0) -> Iterator[tuple[int, ifd.Directory]]:
    """The directory and those inside it, each with the tag that leads to it."""
    yield kind, main
    for tag, found in main.fields.items():
        if found.inside is not None:
            yield from _directories(found.inside, tag)


def _turn(one: _Found) -> tuple[bool, int]:
    return one.tag != _USER_COMMENT, -one.size


def _name(one: _Found) -> str:
    from PIL import ExifTags

    known = ExifTags.GPSTAGS if one.kind == ifd.GPS_IFD else ExifTags.TAGS
    return known.get(one.tag, f"field {one.tag}")
