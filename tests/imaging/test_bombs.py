"""Small files that claim to hold much: told, or read, in little memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from hyperfocal import imaging
from hyperfocal.errors import BrokenPicture, UnknownFormat


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
