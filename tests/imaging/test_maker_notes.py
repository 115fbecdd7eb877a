"""A camera maker's own notes: readable in what is written, or dropped and said; never garbage."""

import io
import struct

import made
import numpy as np
import pytest
import tifffile
from PIL import Image

from hyperfocal import imaging
from hyperfocal.imaging import exif, ifd, maker_notes, write_tiff

OWNER = b"Anna Owner of the camera\0"
# Of Nikon: a TIFF structure of its own, from which its offsets count.
NIKON = b"Nikon\0\2\x10\0\0" + ifd.block(ifd.Directory({7: ifd.Field(ifd.ASCII, OWNER)}))


def notes_at(place, order):
    """As Canon's: a directory, whose offsets count from the start of what it lies in."""
    at = place + 2 + 12 + 4
    table = struct.pack(f"{order}HHHIII", 1, 9, ifd.ASCII, len(OWNER), at, 0)
    return table + OWNER


def block(order="<", note=None, place=400):
    """EXIF with such notes at ``place``, or with others."""
    main = made.parsed(made.exif_block())
    main.put(282, ifd.RATIONAL, 300, 1)
    note = notes_at(place, order) if note is None else note
    inside = main.fields[ifd.EXIF_IFD].inside
    inside.fields[ifd.MAKER_NOTE] = ifd.Field(ifd.UNDEFINED, note, place=place)
    return ifd.block(main, order)


def owner(data):
    """What the notes in a TIFF structure say, by the offset in them."""
    where = ifd.layout(data)
    found = ifd.parse(data, where, where.first).fixed()
    assert found.type == ifd.UNDEFINED
    tag, kind, size, at = struct.unpack_from(where.order + "HHII", data, found.place + 2)
    assert (tag, kind, size) == (9, ifd.ASCII, len(OWNER))
    return data[at : at + size]


def has_notes(data):
    where = ifd.layout(data)
    inside = ifd.parse(data, where, where.first).fields[ifd.EXIF_IFD].inside
    assert inside.fields[0xA434].data == b"Lens 35 mm\0"
    return ifd.MAKER_NOTE in inside.fields


def picture(block, dtype=np.uint8):
    return made.picture(3, dtype, metadata=made.metadata(exif=block, iptc=None))


def tiff(order, note, place, kind=ifd.UNDEFINED):
    """A TIFF file of another writer, with notes somewhere behind its pixels."""
    main = made.parsed(made.exif_block())
    for tag, *values in ((256, 8), (257, 8), (258, 8), (262, 1), (277, 1), (273, 8), (279, 64)):
        main.put(tag, ifd.LONG, *values)
    main.fields[ifd.EXIF_IFD].inside.fields[ifd.MAKER_NOTE] = ifd.Field(kind, note, place=place)
    data = bytes(8) + bytes(range(64))
    data = (data.ljust(place, b"\0") + note).ljust(-(-(place + len(note)) // 2) * 2, b"\0")
    return ifd.header(order, len(data)) + data[8:] + ifd.serialise(main, len(data), order)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("place", [26, 400, 401])
def test_a_block_is_made_around_notes(order, place):
    data = block(order, place=place)
    assert (ifd.layout(data).order, owner(data)) == (order, OWNER)
    assert has_notes(data)
    pillow = Image.Exif()
    pillow.load(data)
    assert (pillow[271], pillow[282]) == ("Maker", 300)
    assert pillow.get_ifd(ifd.EXIF_IFD)[0xA434] == "Lens 35 mm"


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_notes_are_readable_in_a_tiff(dtype, order, big, monkeypatch):
    monkeypatch.setattr(write_tiff, "_STRIP", 5000)
    if big:
        monkeypatch.setattr(write_tiff, "_BIG", 0)
    given = picture(block(order), dtype)
    assert imaging.conversions(given, "tiff") == ()
    data = imaging.encode(given, "tiff")
    assert owner(data) == OWNER
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert (file.byteorder, file.is_bigtiff) == (order, big)
        assert np.array_equal(file.asarray(), given.pixels)
        assert file.pages[0].tags[271].value == "Maker"
        assert file.pages[0].tags["ExifTag"].value["PixelXDimension"] == 83
        assert file.pages[0].tags[34853].value["GPSLatitudeRef"] == "N"
        assert file.pages[0].tags[700].value == made.XMP
    # Pillow reads no BigTIFF of this order.
    if dtype == np.uint8 and not (big and order == ">"):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), given.pixels)
    got = imaging.open(data)
    assert np.array_equal(got.pixels, given.pixels)
    assert got.metadata.dpi == given.metadata.dpi
    assert got.notes == ()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif", "tiff"])
def test_notes_of_a_tiff_are_readable_elsewhere(format, order):
    got = imaging.open(imaging.encode(picture(block(order)), "tiff"))
    assert imaging.conversions(got, format) == ()
    assert owner(imaging.open(imaging.encode(got, format)).metadata.exif) == OWNER


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("place", [72, 60_001])
def test_notes_of_a_tiff_of_another_writer(order, place):
    got = imaging.open(tiff(order, notes_at(place, order), place))
    assert got.notes == ()
    assert owner(got.metadata.exif) == OWNER
    assert owner(imaging.encode(got, "tiff")) == OWNER


@pytest.mark.parametrize(
    ("place", "kind"), [(70_000, ifd.UNDEFINED), (400, ifd.LONG)], ids=["far", "of a wrong type"]
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_notes_that_cannot_stay_are_dropped_and_said(order, place, kind):
    got = imaging.open(tiff(order, notes_at(place, order)[:40], place, kind))
    assert got.notes == (maker_notes.DROPPED,)
    assert not has_notes(got.metadata.exif)


def test_notes_too_far_behind_in_a_block_stay_there_but_for_tiff():
    given = picture(block(place=70_000))
    assert imaging.conversions(given, "png") == ()
    assert owner(imaging.open(imaging.encode(given, "png")).metadata.exif) == OWNER
    assert imaging.conversions(given, "tiff") == (maker_notes.DROPPED,)
    assert not has_notes(imaging.encode(given, "tiff"))


def test_notes_within_the_header_are_none():
    data = bytearray(block())
    where = ifd.layout(data)
    inside = ifd.entries(data, where, where.first)[0]
    (offset,) = (ifd.integers(data, where, e)[0] for e in inside if e.tag == ifd.EXIF_IFD)
    note = next(e for e in ifd.entries(data, where, offset)[0] if e.tag == ifd.MAKER_NOTE)
    for place in (0, 8, 15):
        struct.pack_into("<I", data, note.position + 8, place)
        given = picture(bytes(data))
        assert imaging.conversions(given, "tiff") == (maker_notes.DROPPED,)
        assert not has_notes(imaging.encode(given, "tiff"))


@pytest.mark.parametrize(
    "note",
    [
        NIKON,
        b"OLYMPUS\0II\3\0" + bytes(40),
        b"OM SYSTEM\0\0\0II\4\0" + bytes(40),
        b"Apple iOS\0\0\1MM" + bytes(40),
        b"PENTAX \0MM" + bytes(40),
        b"FUJIFILM\x0c\0\0\0" + bytes(40),
        b"short",
    ],
)
def test_notes_with_offsets_of_their_own_are_kept_anywhere(note):
    """Also where somebody else has put them, such as Pillow, which says nothing of places."""
    data = tiff(">", note, 70_000)
    for got in (imaging.open(data), imaging.from_pil(Image.open(io.BytesIO(data)))):
        assert got.notes == ()
        for found in (got.metadata.exif, imaging.encode(got, "tiff")):
            inside = made.parsed(found).fields[ifd.EXIF_IFD].inside
            assert inside.fields[ifd.MAKER_NOTE].data == note
            assert ifd.layout(found).order == "<"


@pytest.mark.parametrize("note", [b"OLYMP\0\1\0" + bytes(40), b"Nikon\0\1\0" + bytes(40)])
def test_older_notes_of_the_same_makers_have_to_stay(note):
    assert imaging.open(tiff("<", note, 70_000)).notes == (maker_notes.DROPPED,)


def test_notes_that_pillow_has_moved_are_dropped_and_said():
    image = Image.open(io.BytesIO(tiff("<", notes_at(400, "<"), 400)))
    got = imaging.from_pil(image)
    assert got.notes == (maker_notes.DROPPED,)
    assert not has_notes(got.metadata.exif)


@pytest.mark.parametrize("order", ["<", ">"])
def test_notes_stay_where_a_description_of_a_layout_goes(order):
    main, _ = ifd.opened(block(order))
    main.fields[270] = ifd.Field(ifd.ASCII, b'{"shape": [61, 83, 3]}\0')
    got = exif.without_layout(ifd.block(main, order))
    assert (ifd.layout(got).order, owner(got)) == (order, OWNER)
    assert 270 not in made.parsed(got).fields


def test_the_rest_of_exif_is_kept_where_only_the_notes_are_too_long():
    given = picture(block(note=bytes(70_000)))
    (said,) = imaging.conversions(given, "jpeg")
    assert "it was written without MakerNote" in said
    assert not has_notes(imaging.open(imaging.encode(given, "jpeg")).metadata.exif)
    assert has_notes(imaging.encode(given, "tiff"))
    main = made.parsed(given.metadata.exif)
    main.fields[270] = ifd.Field(ifd.ASCII, b"x" * 70_000)
    (said,) = imaging.conversions(picture(ifd.block(main)), "jpeg")
    assert said.endswith("written without MakerNote, ImageDescription")


@pytest.mark.parametrize("order", ["<", ">"])
def test_directories_beyond_4_gb_are_pointed_to(order):
    base = 2**33
    data = ifd.serialise(made.parsed(made.exif_block()), base, order, big=True)
    found = [struct.unpack_from(order + "HHQQ", data, 8 + 20 * at) for at in range(4)]
    pointers = {tag: (kind, place) for tag, kind, _, place in found if tag in ifd.SUB_IFDS}
    for tag, count in ((ifd.EXIF_IFD, 3), (ifd.GPS_IFD, 2)):
        kind, place = pointers[tag]
        assert kind == ifd.IFD8
        assert struct.unpack_from(order + "Q", data, place - base) == (count,)
