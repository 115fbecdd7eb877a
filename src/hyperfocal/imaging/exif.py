"""EXIF blocks: read what matters, reset the orientation, correct the size, drop the thumbnail.

A block is changed in place: maker notes hold offsets into it, so nothing may move.
"""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass
from itertools import islice

from hyperfocal.imaging import ifd, maker_notes, orient

_ORIENTATION = 0x0112
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
# Of the interoperability directory.
_RELATED_WIDTHS, _RELATED_HEIGHTS = (0x1001,), (0x1002,)
_WIDTHS, _HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)
# Where the subject lies, in pixels: a point, and perhaps a diameter or a width and height.
_SUBJECTS = (0x9214, 0xA214)
# Pixels in a unit of the sensor.
_FOCAL_X, _FOCAL_Y = 0xA20E, 0xA20F
_DESCRIPTION = 0x010E
_COLOUR_SPACE, _SRGB, _UNCALIBRATED = 0xA001, 1, 65535
_INTEROP_INDEX = 1
_THUMBNAIL, _THUMBNAIL_SIZE = 0x0201, 0x0202
_CM_PER_INCH = 2.54
PREFIX = b"Exif\0\0"
DAMAGED = "EXIF is damaged and was dropped"


@dataclass(frozen=True, slots=True)
class Facts:
    """``orientation`` 1 to 8; ``dpi`` horizontal and vertical, or None.

    ``is_adobe_rgb``: an optional file of DCF 2.0 (CIPA DC-009), whose colours are Adobe RGB's.
    """

    orientation: int = 1
    dpi: tuple[float, float] | None = None
    is_adobe_rgb: bool = False


def bare(block: bytes) -> bytes:
    """The TIFF structure without the prefix that JPEG, and some writers elsewhere, put first."""
    return block.removeprefix(PREFIX)


def read(block: bytes) -> Facts:
    """What a block says; ValueError when it cannot be parsed."""
    where = ifd.layout(block)
    return facts(ifd.parse(block, where, where.first))


def facts(main: ifd.Directory) -> Facts:
    """What the main directory of a block or of a TIFF file says."""
    orientation = main.integer(_ORIENTATION, 1)
    across, down = main.rational(_X_RESOLUTION), main.rational(_Y_RESOLUTION)
    unit = {2: 1.0, 3: _CM_PER_INCH}.get(main.integer(_RESOLUTION_UNIT, 2))
    dpi = (across * unit, (down or across) * unit) if across and unit else None
    return Facts(orientation if 1 <= orientation <= 8 else 1, dpi, _is_adobe_rgb(main))


def _is_adobe_rgb(main: ifd.Directory) -> bool:
    photo = main.fields.get(ifd.EXIF_IFD)
    if photo is None or photo.inside is None:
        return False
    related = photo.inside.fields.get(ifd.INTEROP_IFD)
    if related is None or related.inside is None:
        return False
    index = related.inside.fields.get(_INTEROP_INDEX)
    is_uncalibrated = photo.inside.integer(_COLOUR_SPACE) == _UNCALIBRATED
    return is_uncalibrated and index is not None and index.data.rstrip(b"\0") == b"R03"


def cleaned(block: bytes, width: int, height: int, *, orientation: int = 1) -> bytes:
    """The block with orientation 1 and without its thumbnail; ValueError if unparsable.

    ``orientation``: what was applied to the pixels. What it says of across and down, and where the
    subject lies, is true of the upright picture, which has this ``width`` and ``height``; also of
    one that another program made larger or smaller without a word to EXIF.
    """
    data = bytearray(block)
    where = ifd.layout(data)
    # What this refuses has been told as dropped.
    ifd.parse(data, where, where.first)
    found, second, second_at = ifd.entries(data, where, where.first)
    inside = _inside(data, where, found, ifd.EXIF_IFD)
    stored = (height, width) if orient.swaps_sides(orientation) else (width, height)
    stated = _stated(data, where, inside)
    # Other proportions are those of a picture from which it was cut: nobody knows where.
    if stated is not None and is_alike(stated, stored):
        _scale(data, where, inside, stored[0] / stated[0], stored[1] / stated[1])
        _state_size(data, where, found, inside, stored)
    if orientation != 1:
        _turn(data, where, found, (width, height), orientation)
    for entry in found:
        if entry.tag == _ORIENTATION and not where.big:
            _make_upright(data, where, entry)
    if second:
        _drop_thumbnail(data, where, second)
        data[second_at : second_at + 4] = bytes(4)
    return bytes(data)


def resized(
    block: bytes, width: int, height: int, *, before: tuple[int, int] | None = None
) -> bytes:
    """The block with its picture size, where it states one, corrected; ValueError if unparsable.

    ``before``: width and height of the picture that it has been true of. What it states itself may
    be that of a picture from which this one was cut, and counts only where this is None.
    """
    data, where, found, inside = _opened(block)
    before = before or _stated(data, where, inside)
    if before is not None:
        _scale(data, where, inside, width / before[0], height / before[1])
    _state_size(data, where, found, inside, (width, height))
    return bytes(data)


def cut(block: bytes, x: int, y: int) -> bytes:
    """The block of a part of the picture, which begins there; ValueError if unparsable."""
    data, where, _, inside = _opened(block)
    for entry in inside:
        if (place := _subject(data, where, entry)) is not None:
            _put_subject(data, where, entry, (place[0] - x, place[1] - y, *place[2:]))
    return bytes(data)


def in_srgb(block: bytes) -> bytes:
    """The block of a picture whose colours were converted to sRGB; ValueError if unparsable."""
    data, where, _, inside = _opened(block)
    for entry in inside:
        if entry.tag == _COLOUR_SPACE:
            _put_integer(data, where, entry, _SRGB)
    return bytes(data)


def without_layout(block: bytes) -> bytes | None:
    """The block without a description that is none of the photograph but of a TIFF file's pages.

    tifffile (``{"shape": ...}``), OME and ImageJ (of several pages) describe there how large and
    how many the pages are, and their readers believe it. The block itself where it holds no such
    thing, None where it holds nothing else. ValueError if unparsable.
    """
    main, order = ifd.opened(block)
    found = main.fields.get(_DESCRIPTION)
    if found is None or not _is_layout(found.data):
        return block
    del main.fields[_DESCRIPTION]
    maker_notes.settle(main, [])
    return ifd.block(main, order) if main.fields else None


def _is_layout(description: bytes) -> bool:
    text = description.strip(b"\0 \t\r\n")
    if text.startswith(b"ImageJ="):
        return b"\nimages=" in text and b"images=1" not in text.split()
    is_shape = text.startswith(b"shape=(") or (text.startswith(b"{") and b'"shape":' in text)
    return is_shape or (text.endswith(b"OME>") and b"<OME" in text)


def with_dpi(dpi: tuple[float, float]) -> bytes:
    """A block that states a resolution and nothing else."""
    main = ifd.Directory()
    put_dpi(main, dpi)
    return ifd.block(main)


def adding_dpi(block: bytes, dpi: tuple[float, float]) -> bytes | None:
    """The block with a resolution added, or None where that would move a maker note."""
    where = ifd.layout(block)
    main = ifd.parse(block, where, where.first)
    inside = main.fields[ifd.EXIF_IFD].inside if ifd.EXIF_IFD in main.fields else None
    if inside is not None and ifd.MAKER_NOTE in inside.fields:
        return None
    put_dpi(main, dpi)
    return ifd.block(main)


def changing_dpi(block: bytes, dpi: tuple[float, float]) -> bytes:
    """The block, which states a resolution, with another one; nothing in it moves."""
    data = bytearray(block)
    where = ifd.layout(data)
    for entry in ifd.entries(data, where, where.first)[0]:
        if entry.tag in (_X_RESOLUTION, _Y_RESOLUTION) and entry.size == 8:
            value = _as_rational(dpi[entry.tag == _Y_RESOLUTION])
            struct.pack_into(where.order + "II", data, entry.start, *value)
        elif entry.tag == _RESOLUTION_UNIT:
            _put_integer(data, where, entry, 2)
    return bytes(data)


def put_dpi(main: ifd.Directory, dpi: tuple[float, float]) -> None:
    """Set the resolution, in dots an inch."""
    for tag, value in ((_X_RESOLUTION, dpi[0]), (_Y_RESOLUTION, dpi[1])):
        main.put(tag, ifd.RATIONAL, *_as_rational(value))
    main.put(_RESOLUTION_UNIT, ifd.SHORT, 2)


def _as_rational(dpi: float) -> tuple[int, int]:
    return min(round(dpi * 1000), 2**32 - 1), 1000


def _opened(
    block: bytes,
) -> tuple[bytearray, ifd.Layout, list[ifd.Entry], list[ifd.Entry]]:
    """The bytes to be changed, their layout, and the fields of the main and of EXIF's directory."""
    data = bytearray(block)
    where = ifd.layout(data)
    found, _, _ = ifd.entries(data, where, where.first)
    return data, where, found, _inside(data, where, found, ifd.EXIF_IFD)


def _inside(
    data: bytearray, where: ifd.Layout, found: list[ifd.Entry], tag: int
) -> list[ifd.Entry]:
    """The fields of the directory that the pointer ``tag`` leads to, where it leads anywhere.

    Of pointers and of fields the first of a tag counts, as in ``ifd.parse``. A block of hostile
    make holds thousands of them, each to as many fields.
    """
    pointers = (entry for entry in found if entry.tag == tag and entry.size == 4)
    for pointer in islice(pointers, ifd.MOST_POINTERS):
        (offset,) = struct.unpack_from(where.order + "I", data, pointer.start)
        with contextlib.suppress(ValueError):
            inside = dict[int, ifd.Entry]()
            for entry in ifd.entries(data, where, offset)[0]:
                inside.setdefault(entry.tag, entry)
            return list(inside.values())
    return []


def _stated(data: bytearray, where: ifd.Layout, inside: list[ifd.Entry]) -> tuple[int, int] | None:
    """Width and height that EXIF's directory states; None where it does not."""
    sides = {
        entry.tag: ifd.integers(data, where, entry)
        for entry in inside
        if entry.tag in (_WIDTHS[1], _HEIGHTS[1]) and entry.number == 1
    }
    (width,), (height,) = sides.get(_WIDTHS[1]) or (0,), sides.get(_HEIGHTS[1]) or (0,)
    return (width, height) if width and height else None


def is_alike(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes have the same proportions, but for less than a pixel of either."""
    return abs(one[0] * other[1] - one[1] * other[0]) < max(*one, *other)


def _state_size(
    data: bytearray,
    where: ifd.Layout,
    found: list[ifd.Entry],
    inside: list[ifd.Entry],
    size: tuple[int, int],
) -> None:
    """Width and height wherever they are stated; ``found`` and ``inside``: both directories'."""
    related = _inside(data, where, inside, ifd.INTEROP_IFD)
    for entries, widths, heights in (
        (found + inside, _WIDTHS, _HEIGHTS),
        (related, _RELATED_WIDTHS, _RELATED_HEIGHTS),
    ):
        for entry in entries:
            if entry.tag in widths:
                _put_integer(data, where, entry, size[0])
            elif entry.tag in heights:
                _put_integer(data, where, entry, size[1])


def _turn(
    data: bytearray,
    where: ifd.Layout,
    found: list[ifd.Entry],
    size: tuple[int, int],
    orientation: int,
) -> None:
    """Make what is said of across and down true of the picture turned by ``orientation``.

    ``size``: width and height that it has then.
    """
    inside = _inside(data, where, found, ifd.EXIF_IFD)
    if orient.swaps_sides(orientation):
        _swap_rationals(data, found, _X_RESOLUTION, _Y_RESOLUTION)
        _swap_rationals(data, inside, _FOCAL_X, _FOCAL_Y)
    for entry in inside:
        if (place := _subject(data, where, entry)) is not None:
            _put_subject(data, where, entry, orient.turned_place(place, *size, orientation))
    _state_size(data, where, found, inside, size)


def _scale(
    data: bytearray, where: ifd.Layout, inside: list[ifd.Entry], across: float, down: float
) -> None:
    """Make what is in pixels true of the picture enlarged or reduced so many times."""
    if across == down == 1:
        return
    for entry in inside:
        if (place := _subject(data, where, entry)) is not None:
            scaled = (value * by for value, by in zip(place, (across, down) * 2, strict=False))
            _put_subject(data, where, entry, tuple(map(round, scaled)))
        elif entry.tag in (_FOCAL_X, _FOCAL_Y) and entry.size == 8:
            up, below = struct.unpack_from(where.order + "II", data, entry.start)
            if below:
                value = _as_rational(up / below * (across if entry.tag == _FOCAL_X else down))
                struct.pack_into(where.order + "II", data, entry.start, *value)


def _subject(data: bytearray, where: ifd.Layout, entry: ifd.Entry) -> tuple[int, ...] | None:
    is_place = entry.tag in _SUBJECTS and entry.type == ifd.SHORT and 2 <= entry.number <= 4
    return ifd.integers(data, where, entry) if is_place else None


def _put_subject(
    data: bytearray, where: ifd.Layout, entry: ifd.Entry, place: tuple[int, ...]
) -> None:
    fitting = (min(max(0, value), 0xFFFF) for value in place)
    struct.pack_into(f"{where.order}{entry.number}H", data, entry.start, *fitting)


def _swap_rationals(data: bytearray, found: list[ifd.Entry], one: int, other: int) -> None:
    at = {entry.tag: entry.start for entry in found if entry.type == ifd.RATIONAL}
    if one in at and other in at:
        first, second = (slice(at[tag], at[tag] + 8) for tag in (one, other))
        data[first], data[second] = data[second], data[first]


def _put_integer(data: bytearray, where: ifd.Layout, entry: ifd.Entry, value: int) -> None:
    """Overwrite a one-integer field, as LONG when it no longer fits a SHORT.

    Either way the value lies within the entry itself, so nothing moves.
    """
    if entry.number != 1 or entry.type not in (ifd.SHORT, ifd.LONG) or where.big:
        return
    kind = ifd.LONG if value > 0xFFFF else entry.type
    packed = struct.pack(where.order + ("H" if kind == ifd.SHORT else "I"), value).ljust(4, b"\0")
    struct.pack_into(where.order + "H", data, entry.position + 2, kind)
    data[entry.position + 8 : entry.position + 12] = packed


def _make_upright(data: bytearray, where: ifd.Layout, entry: ifd.Entry) -> None:
    """Orientation 1, stored as it should be, however it was stored when it was applied."""
    value = struct.pack(where.order + "HHIHH", entry.tag, ifd.SHORT, 1, 1, 0)
    data[entry.position : entry.position + 12] = value


def _drop_thumbnail(data: bytearray, where: ifd.Layout, offset: int) -> None:
    """Cut the thumbnail off where it ends the block, blank it where it does not."""
    try:
        found = {entry.tag: entry for entry in ifd.entries(data, where, offset)[0]}
    except ValueError:
        return
    if _THUMBNAIL not in found or _THUMBNAIL_SIZE not in found:
        return
    (start,) = struct.unpack_from(where.order + "I", data, found[_THUMBNAIL].start)
    (size,) = struct.unpack_from(where.order + "I", data, found[_THUMBNAIL_SIZE].start)
    end = min(start + size, len(data))
    last_directory = max(entry.position + 12 for entry in found.values()) + 4
    # A JPEG begins there, or the pointer is not to be trusted and nothing is touched.
    if start < 8 or data[start : start + 2] != b"\xff\xd8":
        return
    if end >= len(data) - 3 and start >= last_directory:
        del data[start:]
    else:
        data[start:end] = bytes(end - start)
