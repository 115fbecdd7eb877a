"""BMP files as their headers say: palettes of every length, pictures by runs, unused alpha."""

import struct

import made
import numpy as np
import pytest

from hyperfocal import imaging
from hyperfocal.errors import BrokenPicture, UnknownFormat
from hyperfocal.imaging.header import UNUSED_ALPHA

BLACK_AND_WHITE = [(0, 0, 0), (255, 255, 255)]
COLOURS = [(level, 255 - level, level // 2) for level in range(256)]
INDICES = (np.indices((13, 18)).sum(0) // 3 % 2).astype(np.uint8)


def bmp(stored, size, bits, palette, compression=0, top_down=False):
    """A file with a header of version 3; ``stored``: its rows or runs."""
    width, height = size
    table = b"".join(bytes((b, g, r, 0)) for r, g, b in palette)
    start = 54 + len(table)
    info = struct.pack("<IiiHHIIiiII", 40, width, -height if top_down else height, 1, bits,
                       compression, len(stored), 0, 0, len(palette), 0)  # fmt: skip
    return struct.pack("<2sIHHI", b"BM", start + len(stored), 0, 0, start) + info + table + stored


def rows(indices, bits, top_down=False):
    """Rows as the file has them."""
    if bits == 4:
        even = np.pad(indices, ((0, 0), (0, indices.shape[1] % 2)))
        packed = even[:, ::2] << 4 | even[:, 1::2]
    else:
        packed = np.packbits(indices, axis=1) if bits == 1 else indices
    packed = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 4)))
    return (packed if top_down else packed[::-1]).tobytes()


@pytest.mark.parametrize("top_down", [False, True])
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_a_palette_of_black_and_white(bits, top_down):
    data = bmp(rows(INDICES, bits, top_down), (18, 13), bits, BLACK_AND_WHITE, top_down=top_down)
    assert imaging.inspect(data).mode == ("1 bit" if bits == 1 else "grey")
    assert np.array_equal(imaging.open(data).pixels, INDICES * 255)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_palette_of_levels_of_grey_that_are_their_places(bits):
    indices = (np.arange(13 * 18).reshape(13, 18) % 16).astype(np.uint8)
    palette = [(level,) * 3 for level in range(16)]
    got = imaging.open(bmp(rows(indices, bits), (18, 13), bits, palette))
    assert np.array_equal(got.pixels, indices)


@pytest.mark.parametrize("colours", [1, 2, 3, 200])
def test_places_beyond_the_palette_are_black(colours):
    data = bmp(rows(INDICES * 255, 8), (18, 13), 8, COLOURS[:colours])
    wanted = np.where(INDICES[..., None], 0, np.array(COLOURS[0]))
    assert np.array_equal(imaging.open(data).pixels, wanted)


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_rows_that_are_missing(bits):
    data = bmp(rows(INDICES, bits), (18, 13), bits, COLOURS[:2])
    whole = imaging.open(data).pixels
    # What fills the last row up to four bytes is no loss.
    assert np.array_equal(imaging.open(data[:-1]).pixels, whole)
    with pytest.raises(BrokenPicture, match="end of the picture is missing"):
        imaging.open(data[:-4])


def os2(stored, size, bits, palette):
    """A file of OS/2's first version, whose header does not count its colours."""
    table = b"".join(bytes((b, g, r)) for r, g, b in palette)
    start = 26 + len(table)
    head = struct.pack("<2sIHHI", b"BM", start + len(stored), 0, 0, start)
    return head + struct.pack("<IHHHH", 12, *size, 1, bits) + table + stored


def uncounted(*given):
    """A file whose header says that there are as many colours as there can be."""
    data = bmp(*given)
    return data[:46] + bytes(4) + data[50:]


@pytest.mark.parametrize("made_by", [os2, uncounted])
@pytest.mark.parametrize("bits", [4, 8])
def test_pixels_behind_a_short_palette_are_no_colours(made_by, bits):
    """A palette of grey stays one, and what lies beyond it is black."""
    indices = (np.arange(13 * 18).reshape(13, 18) % 5).astype(np.uint8)
    palette = [(level,) * 3 for level in (9, 80, 200)]
    data = made_by(rows(indices, bits), (18, 13), bits, palette)
    assert imaging.inspect(data).mode == "grey"
    wanted = np.array([9, 80, 200, 0, 0], np.uint8)[indices]
    assert np.array_equal(imaging.open(data).pixels, wanted)


def test_a_whole_palette_of_os2():
    data = os2(rows(INDICES + 254, 8), (18, 13), 8, COLOURS)
    assert np.array_equal(imaging.open(data).pixels, np.array(COLOURS)[INDICES + 254])


# By runs


def test_runs_literals_and_leaps():
    runs = b"\x03\x07\0\x03\x01\x02\x03\0\0\0\0\x02\x02\x01\x02\x09\0\0\x06\x05"
    got = imaging.open(bmp(runs, (6, 4), 8, COLOURS, compression=1))
    wanted = np.zeros((4, 6), np.uint8)
    wanted[3] = (7, 7, 7, 1, 2, 3)
    wanted[1, 2:4] = 9
    wanted[0] = 5
    assert np.array_equal(got.pixels, np.array(COLOURS)[wanted])
    assert got.notes == ()


def test_runs_of_two_indices():
    runs = b"\x05\x12\0\0\0\x05\x34\x56\x70\0\0\x01"
    got = imaging.open(bmp(runs, (5, 2), 4, COLOURS[:16], compression=2))
    wanted = np.array([(3, 4, 5, 6, 7), (1, 2, 1, 2, 1)])
    assert np.array_equal(got.pixels, np.array(COLOURS)[wanted])
    assert got.notes == ()


def test_a_row_takes_no_more_than_it_has_room_for():
    """And may be filled up to four bytes."""
    runs = b"\x08\x07\0\0\x05\x03\1\4\2\4\0\0\0\4\1\2\3\4\2\5\0\1"
    got = imaging.open(bmp(runs, (5, 3), 8, COLOURS, compression=1))
    wanted = np.array([(1, 2, 3, 4, 5), (3,) * 5, (7,) * 5])
    assert np.array_equal(got.pixels, np.array(COLOURS)[wanted])


@pytest.mark.parametrize("runs", [b"\x08\x07\1\7", b"\0\2\x09\0\1\7", b"\x09\x07\0\4\1\2\3\4"])
def test_a_row_that_goes_on_behind_its_end_is_refused_at_once(runs):
    """What follows would make the rows that are missing."""
    whole = runs + b"\0\0" + b"\5\3\0\0" * 3
    with pytest.raises(BrokenPicture, match="rows are not those of its size"):
        imaging.open(bmp(whole, (5, 3), 8, COLOURS, compression=1))


def test_literals_of_four_bits_that_are_cut_by_the_row():
    runs = b"\0\x07\x12\x34\x56\x70\0\0\x05\x89\0\1"
    got = imaging.open(bmp(runs, (5, 2), 4, COLOURS[:16], compression=2))
    wanted = np.array([(8, 9, 8, 9, 8), (1, 2, 3, 4, 5)])
    assert np.array_equal(got.pixels, np.array(COLOURS)[wanted])


def test_runs_that_end_before_the_last_row():
    data = bmp(b"\x10\x05\0\0" * 4 + b"\0\x01", (16, 16), 8, COLOURS, compression=1)
    got = imaging.open(data)
    assert np.all(got.pixels[12:] == COLOURS[5])
    assert np.all(got.pixels[:12] == COLOURS[0])
    assert got.notes == ("the BMP ends its picture early: the rest has the first colour of its"
                         " palette",)  # fmt: skip


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        (b"\x10\x05\0\0" * 4, "missing"),
        (b"\x10\x05\0\0" * 15 + b"\0\x10\1\2", "missing"),
        (b"\x10\x05\0\0" * 4 + b"\0\x02\1", "missing"),
        (b"\0\x01", "rows are not those of its size"),
        (b"\x10\x05" * 16 + b"\0\x01", "rows are not those of its size"),
    ],
)
def test_runs_that_make_no_picture(runs, reason):
    with pytest.raises(BrokenPicture, match=reason):
        imaging.open(bmp(runs, (16, 16), 8, COLOURS, compression=1))


# Alpha


def with_alpha(alpha):
    samples = np.dstack([made.photo(8, 8)[..., ::-1], alpha])
    head = struct.pack("<IiiHHIIiiII4I", 108, 8, 8, 1, 32, 3, 256, 0, 0, 0, 0, 0xFF0000, 0xFF00,
                       0xFF, 0xFF000000).ljust(108, b"\0")  # fmt: skip
    return struct.pack("<2sIHHI", b"BM", 378, 0, 0, 122) + head + samples[::-1].tobytes()


def test_an_alpha_that_nobody_wrote_does_not_make_the_picture_black():
    got = imaging.open(with_alpha(np.zeros((8, 8), np.uint8)))
    assert got.alpha is None
    assert np.array_equal(got.pixels, made.photo(8, 8))
    assert got.notes == (UNUSED_ALPHA,)


def test_an_alpha_with_anything_in_it_is_kept():
    alpha = np.zeros((8, 8), np.uint8)
    alpha[3, 3] = 1
    got = imaging.open(with_alpha(alpha))
    assert np.array_equal(got.alpha, alpha)
    assert got.notes == ()


# By masks, and a fourth byte


def masked(*masks, bits=16):
    """A file of 16 or 32 bits a pixel whose samples lie where the masks are."""
    stored = np.arange(18 * 13).astype(f"<u{bits // 8}").tobytes()
    data = bmp(stored, (18, 13), bits, [], compression=3)
    more = struct.pack("<3I", *masks)
    start = struct.pack("<I", 54 + len(more))
    return data[:10] + start + data[14:54] + more + data[54:]


@pytest.mark.parametrize(
    ("bits", "masks"),
    [(16, (0xF00, 0xF0, 0xF)), (16, (0x1F, 0x7E0, 0xF800)), (32, (0x3FF00000, 0xFFC00, 0x3FF))],
)
def test_masks_that_are_not_read_are_no_damage(bits, masks):
    for look in (imaging.open, imaging.inspect):
        with pytest.raises(UnknownFormat, match="these bit masks"):
            look(masked(*masks, bits=bits))


def test_usual_masks_are_read():
    assert imaging.open(masked(0xF800, 0x7E0, 0x1F)).pixels.shape == (13, 18, 3)


@pytest.mark.parametrize(("fourth", "is_told"), [(0, False), (255, False), (None, True)])
@pytest.mark.parametrize("top_down", [False, True])
@pytest.mark.parametrize("says_where", [True, False])
def test_a_fourth_byte_without_a_meaning(fourth, is_told, top_down, says_where):
    """Windows has it reserved, and viewers show such pictures without transparency."""
    rgba = made.photo(13, 18, channels=4)
    if fourth is not None:
        rgba[..., 3] = fourth
    stored = rgba[..., [2, 1, 0, 3]]
    data = bmp((stored if top_down else stored[::-1]).tobytes(), (18, 13), 32, [], 0, top_down)
    if not says_where:
        data = data[:10] + bytes(4) + data[14:]
    got = imaging.open(data)
    assert np.array_equal(got.pixels, rgba[..., :3])
    assert got.alpha is None
    said = "a fourth sample, which has no meaning in this kind of BMP, was dropped"
    assert got.notes == ((said,) if is_told else ())
