"""Small files that claim to hold much: told, or read, in little memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import GifImagePlugin, Image

from hyperfocal import imaging
from hyperfocal.errors import BrokenPicture, UnknownFormat
from hyperfocal.imaging import gif, ifd, photoshop, png_text, tiff_pages


@pytest.fixture
def within() -> Callable[[int], None]:
    """Afterwards, says whether no more than so many MB were ever taken at once."""
    tracemalloc.start()

    def check(megabytes: int) -> None:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < megabytes << 20

    yield check
    tracemalloc.stop()


def directory(fields: list[tuple[int, int, int, int]], more: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory; ``more`` follows it."""
    table = b"".join(struct.pack("<HHII", *entry) for entry in sorted(fields))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(fields)) + table + bytes(4) + more


def deflated(
    fields: list[tuple[int, int, int, int]], places: tuple[int, int], data: bytes
) -> bytes:
    """A TIFF of one deflated strip or tile; ``places``: the tags of where it lies and how long."""
    data = zlib.compress(data, 9)
    fields = [*fields, (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1)]
    start = 8 + 2 + 12 * (len(fields) + 2) + 4
    return directory([*fields, (places[0], 4, 1, start), (places[1], 4, 1, len(data))], data)


def test_exif_whose_fields_all_claim_the_whole_block(within: Callable[[int], None]) -> None:
    pointers = [(tag, 4, 1, 8) for tag in (0x8769, 0x8825, 0xA005)]
    fields = [(0x9000 + n, 7, 60_000, 8) for n in range(2000)]
    block = directory([*pointers, *fields], bytes(36_000))
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=b"Exif\0\0" + block)
    picture = imaging.open(buffer.getvalue())
    assert "EXIF is damaged and was dropped" in picture.notes
    assert imaging.open(imaging.encode(picture, "png")).metadata.exif is None
    within(8)


def test_exif_whose_pointers_lead_back(within: Callable[[int], None]) -> None:
    """The rest of it is kept."""
    pointers = [(tag, 4, 1, 8) for tag in (0x8769, 0x8825, 0xA005)]
    block = directory([*pointers, (0x13B, 2, 4, 0x00424141)])
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=b"Exif\0\0" + block)
    found = imaging.open(buffer.getvalue()).metadata.exif
    assert found is not None
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + found)
    assert exif[0x13B] == "AAB"
    within(8)


@pytest.mark.parametrize("orientation", [1, 6])
def test_exif_of_repeated_pointers_and_fields(
    orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of each is looked at, and no value that nobody asks for."""
    pointers, copies = 40, 300
    inside = 8 + 2 + 12 * (1 + pointers) + 4
    block = directory([(0x0112, 3, 1, orientation), *[(0x8769, 4, 1, inside)] * pointers])
    block += directory([(0x9999, 1, 40_000, 8)] * copies, bytes(40_000))[8:]
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=b"Exif\0\0" + block)
    listed = unpacked = 0
    real_entries, real_integers = ifd.entries, ifd.integers

    def entries(*given: Any, **options: Any) -> Any:
        nonlocal listed
        found = real_entries(*given, **options)
        listed += len(found[0])
        return found

    def integers(*given: Any) -> Any:
        nonlocal unpacked
        values = real_integers(*given)
        unpacked += len(values)
        return values

    monkeypatch.setattr(ifd, "entries", entries)
    monkeypatch.setattr(ifd, "integers", integers)
    picture = imaging.open(buffer.getvalue())
    assert picture.metadata.exif is not None
    assert picture.notes == ()
    assert copies <= listed < 8 * (pointers + copies)
    listed = 0
    assert imaging.encode(picture, "png")
    assert copies <= listed < 8 * (pointers + copies)
    assert unpacked == 0


def test_a_pointer_that_leads_nowhere_does_not_hide_the_next() -> None:
    inside = 8 + 2 + 12 * 3 + 4
    block = directory([(0x0112, 3, 1, 1), (0x8769, 4, 1, 0x00FFFFFF), (0x8769, 4, 1, inside)])
    block += directory([(0x8827, 3, 1, 400)])[8:]
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=b"Exif\0\0" + block)
    picture = imaging.open(buffer.getvalue())
    for form in ("jpeg", "tiff", "webp"):
        found = Image.open(io.BytesIO(imaging.encode(picture, form))).getexif()
        assert found.get_ifd(0x8769).get(0x8827) == 400


def test_exif_of_pointers_to_many_places_of_rubbish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each looks like a directory of thousands of fields, none of which can be read."""
    pointers, start = 500, 8 + 2 + 12 * 501 + 4
    fields = [(0x8769, 4, 1, start + number) for number in range(pointers)]
    block = directory([(0x010F, 2, 4, 0x00424141), *fields], b"\x0f" * 50_000)
    looked_at = 0
    real = ifd.entries

    def entries(*given: Any, **options: Any) -> Any:
        nonlocal looked_at
        looked_at += 1
        return real(*given, **options)

    monkeypatch.setattr(ifd, "entries", entries)
    main = ifd.parse(block, ifd.layout(block), 8)
    assert main.fields.keys() == {0x010F}
    assert looked_at == 1 + ifd.MOST_POINTERS


def test_exif_of_directories_within_each_other() -> None:
    """Those further in than any program puts them are not looked at."""
    nested = [
        struct.pack("<HHHII", 1, 0x8769, 4, 1, 8 + 18 * number) + bytes(4)
        for number in range(1, 3000)
    ]
    last = struct.pack("<HHHII", 1, 0x0112, 3, 1, 1) + bytes(4)
    block = b"II*\0\x08\0\0\0" + b"".join([*nested, last])
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=b"Exif\0\0" + block)
    picture = imaging.open(buffer.getvalue())
    assert picture.metadata.exif == block
    assert picture.notes == ()


def test_a_tiff_whose_fields_all_claim_the_whole_file(within: Callable[[int], None]) -> None:
    size = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    strip = [(273, 4, 1, 8), (279, 4, 1, 1)]
    fields = [(40_100 + n, 7, 400_000, 8) for n in range(200)]
    with pytest.raises(BrokenPicture, match="lie over each other"):
        imaging.inspect(directory([*size, *strip, *fields], bytes(400_000)))
    within(4)


def test_layers_beside_a_picture_are_not_copied(within: Callable[[int], None]) -> None:
    """Only that they are there is asked."""
    size = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    fields = [*size, (273, 4, 1, 8), (279, 4, 1, 1), (37724, 7, 40 << 20, 110)]
    data = directory(fields, bytes(40 << 20))
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    picture = imaging.open(data)
    assert tracemalloc.get_traced_memory()[1] - before < 8 << 20
    assert picture.notes == (photoshop.OTHERS,)
    within(64)


def test_a_chain_of_directories_that_lie_over_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a chain, no more is read than the file has bytes."""
    pages, fields = 1000, 4096
    data = bytearray(8 + 12 * (pages + fields) + 64)
    struct.pack_into("<2sHI", data, 0, b"II", 42, 8)
    for number in range(pages + fields):
        # A field, whose value ends with the count of the directory that begins there.
        struct.pack_into("<HHIHH", data, 10 + 12 * number, 1, 3, 1, 0, fields)
    struct.pack_into("<H", data, 8, fields)
    for number in range(pages):
        place = 8 + 12 * (number + 1) if number < pages - 1 else 0
        struct.pack_into("<I", data, 10 + 12 * (number + fields), place)
    read = 0
    real = ifd.entries

    def entries(*given: Any, **options: Any) -> Any:
        nonlocal read
        found = real(*given, **options)
        read += found[2] - given[2]
        return found

    monkeypatch.setattr(ifd, "entries", entries)
    found = tiff_pages.picture_page(bytes(data), ifd.layout(data))
    assert found.offset == 8
    # The chain, and where the first names any below it.
    assert read < len(data) + 3 * 12 * fields


def test_a_chain_of_many_small_directories_is_counted_to_its_end() -> None:
    table = struct.pack("<HHHIHHI", 1, 254, 3, 1, 0, 0, 0)
    data = bytearray(b"II*\0\x08\0\0\0" + table * 3000)
    for number in range(2999):
        struct.pack_into("<I", data, 8 + 18 * number + 14, 8 + 18 * (number + 1))
    assert tiff_pages.picture_page(bytes(data), ifd.layout(data)).pictures == 3000


def test_a_tiff_of_more_samples_than_any_picture_has(within: Callable[[int], None]) -> None:
    fields = [(256, 4, 1, 300), (257, 4, 1, 300), (277, 3, 1, 900), (278, 4, 1, 300)]
    data = deflated(fields, (273, 279), bytes(300 * 300 * 900))
    tracemalloc.reset_peak()
    with pytest.raises(UnknownFormat, match="900 samples a pixel"):
        imaging.open(data)
    within(32)


def test_masks_and_spot_colours_are_no_bomb() -> None:
    fields = [(256, 4, 1, 30), (257, 4, 1, 20), (277, 3, 1, 56), (278, 4, 1, 20)]
    data = deflated(fields, (273, 279), bytes(range(56)) * 600)
    picture = imaging.open(data)
    assert np.array_equal(picture.pixels, np.zeros((20, 30), np.uint8))
    assert "extra channels were dropped" in picture.notes


@pytest.mark.parametrize(("side", "is_read"), [(4096, True), (9000, False)])
def test_a_tile_far_larger_than_the_picture(side: int, is_read: bool) -> None:
    fields = [(256, 4, 1, 1), (257, 4, 1, 1), (277, 3, 1, 1), (322, 4, 1, side), (323, 4, 1, side)]
    data = deflated(fields, (324, 325), bytes(side * side))
    if is_read:
        assert imaging.open(data).pixels.shape == (1, 1)
    else:
        with pytest.raises(BrokenPicture, match="tiles are far larger"):
            imaging.open(data)


def test_an_avif_of_items_in_more_places_than_it_has_bytes(within: Callable[[int], None]) -> None:
    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", len(body) + 8, kind) + body

    places = b"".join(struct.pack(">HHH", item, 0, 65535) for item in range(20))
    table = box(b"iloc", bytes(6) + struct.pack(">H", 20) + places)
    with pytest.raises(BrokenPicture):
        imaging.inspect(box(b"ftyp", b"avif\0\0\0\0avifmif1") + box(b"meta", bytes(4) + table))
    within(24)


def test_a_png_whose_text_inflates_to_a_great_many_words(within: Callable[[int], None]) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    body = b"Raw profile type exif\0\0" + zlib.compress(b"aa " * 4_000_000, 9)
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body
    chunk += struct.pack(">I", zlib.crc32(b"zTXt" + body))
    data = buffer.getvalue()
    tracemalloc.reset_peak()
    assert imaging.inspect(data[:33] + chunk + data[33:]).width == 8
    within(64)


def with_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    data = buffer.getvalue()
    more = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return b"".join((data[:33], *more, data[33:]))


@pytest.mark.parametrize(
    "keyword",
    [b"A" * 3_000_000, b"A" * 80, b"", b"x\nError: all is lost", b"\x1b]0;title\x07", b"a\x9bb"],
    ids=["endless", "too long", "none", "a line", "a command", "another command"],
)
@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
def test_a_keyword_that_is_none_is_not_repeated(keyword: bytes, kind: bytes) -> None:
    picture = imaging.open(with_chunks((kind, keyword + b"\0text")))
    assert picture.notes == ("a text was dropped",)


def test_a_keyword_is_told() -> None:
    long = b"x" * (png_text.MOST_BYTES + 1)
    exploding = b"\0" + zlib.compress(bytes(80 << 20), 9)
    picture = imaging.open(
        with_chunks(
            (b"tEXt", b"Titre fran\xe7ais\0" + long),
            (b"tEXt", b"a" * 79),
            (b"zTXt", b"exploding\0" + exploding),
            (b"iTXt", b"exploding, too\0\1" + b"\0\0" + exploding),
        )
    )
    assert picture.metadata.texts == ()
    assert picture.notes == (
        "the text 'Titre français' was dropped",
        f"the text '{'a' * 79}' was dropped",
        "the text 'exploding' was dropped",
        "the text 'exploding, too' was dropped",
    )


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"zTXt", b"a\0\0no deflate"),
        (b"zTXt", b"a\0"),
        (b"iTXt", b"a\0"),
        (b"iTXt", b"a\0\0\0en"),
        (b"iTXt", b"a\0\0\0en\0b\0\xff\xfe"),
        (b"iTXt", b"a\0\0\0\xe9\0b\0text"),
    ],
)
def test_a_damaged_text_costs_itself_alone(kind: bytes, body: bytes) -> None:
    picture = imaging.open(with_chunks((kind, body), (b"tEXt", b"b\0c")))
    assert picture.metadata.texts == (("b", "c", "", ""),)
    assert len(picture.notes) == 1


def test_all_texts_together_have_so_much_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_text, "MOST_BYTES", 10)
    picture = imaging.open(with_chunks(*((b"tEXt", b"%c\0text" % n) for n in b"abcd")))
    assert [text.keyword for text in picture.metadata.texts] == ["a", "b"]
    assert picture.notes == ("the text 'c' was dropped", "the text 'd' was dropped")


def test_the_type_of_a_chunk_that_is_none_is_not_repeated() -> None:
    picture = imaging.open(with_chunks((b"\x1b[2J", b""), (b"zzZz", b"")))
    assert picture.notes == (
        "a chunk of an unknown kind was dropped",
        "a chunk of an unknown kind (zzZz) was dropped",
    )


def test_chunks_of_one_kind_are_told_once() -> None:
    resource = (b"8BIM\x07\xd0" + bytes(6)).hex().encode()
    iptc = b"Raw profile type iptc\0\0" + zlib.compress(b"\niptc\n 12\n" + resource)
    many = [(b"zzZz", b""), (b"tEXt", b"k\0x"), (b"eXIf", b""), (b"pHYs", b""), (b"zTXt", iptc)]
    picture = imaging.open(with_chunks(*many * 100))
    assert len(picture.notes) == len(set(picture.notes)) < 8
    assert "a damaged pHYs chunk was dropped" in picture.notes


def test_chunks_of_very_many_kinds_are_told_as_such() -> None:
    picture = imaging.open(with_chunks(*((b"tEXt", b"k%d\0x" % n) for n in range(5000))))
    assert len(picture.notes) == 33
    assert len(picture.metadata.texts) == png_text.MOST
    assert picture.notes[0] == f"the text 'k{png_text.MOST}' was dropped"
    assert picture.notes[-1] == "more kinds of data were dropped than are listed here"


def test_comments_of_a_gif_are_told_once() -> None:
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "GIF")
    data = buffer.getvalue()
    at = data.index(b",")
    header = gif.read_header(data[:at] + b"!\xfe\x01x\0" * 1000 + data[at:])
    assert header.notes == ("a comment was dropped",)


def tiny_gif(screen: int, frame: int) -> bytes:
    """A whole picture of one pixel, whatever its frame's size is said to be."""
    sizes = struct.pack("<HHBBB", screen, screen, 0, 0, 0)
    return b"GIF89a" + sizes + b"," + struct.pack("<4HB", 0, 0, frame, frame, 0) + b"\2\2D\1\0;"


@pytest.mark.parametrize(
    ("frame", "message"), [(1, "far larger than its first frame"), (20_000, "truncated GIF")]
)
def test_a_gif_of_next_to_no_bytes(
    frame: int, message: str, within: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told before anything of that size is made."""
    monkeypatch.delattr(GifImagePlugin, "GifImageFile")
    with pytest.raises(BrokenPicture, match=message):
        imaging.open(tiny_gif(20_000, frame))
    within(4)


def test_a_large_gif_of_one_colour_is_no_bomb(within: Callable[[int], None]) -> None:
    """Codes as long as there can be, and no more memory than twice what the pixels take."""
    image = Image.new("P", (4000, 3000))
    image.putpalette((10, 200, 30, 1, 2, 3))
    buffer = io.BytesIO()
    image.save(buffer, "GIF")
    assert len(buffer.getvalue()) < 12_000_000 / 1000
    tracemalloc.reset_peak()
    picture = imaging.open(buffer.getvalue())
    within(2 * 3 * 4000 * 3000 >> 20)
    assert (picture.pixels == (10, 200, 30)).all()


def test_a_small_first_frame_of_a_gif_is_no_bomb() -> None:
    alpha = imaging.open(tiny_gif(300, 1)).alpha
    assert alpha is not None
    assert np.count_nonzero(alpha) == 1
