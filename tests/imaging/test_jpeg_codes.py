"""Codes of JPEG that are damaged, wherever they are stored, and kinds that few decoders know."""

import io
import struct

import imagecodecs
import made
import numpy as np
import pytest
import simplejpeg
import tifffile
from PIL import Image

from hyperfocal import imaging
from hyperfocal.errors import BrokenPicture

UNTOLD = "the JPEG samples its colours in an unusual way: not all damage can be told"
DEEP = made.photo(dtype=np.uint16) >> 4


def ending_early(codes):
    """JPEG data of the same length, of which the last third is missing."""
    at = len(codes) * 2 // 3
    return codes[:at] + b"\xff\xd9" + bytes(len(codes) - at - 2)


# TIFF


def stripped(**options):
    sink = io.BytesIO()
    tifffile.imwrite(sink, made.photo(), photometric="rgb", compression="jpeg", **options)
    return sink.getvalue()


def of_libtiff():
    """With the tables in a field of their own."""
    return made.filed(made.photo(), "TIFF", compression="jpeg", quality=90)


KINDS = {
    "strips": lambda: stripped(rowsperstrip=16),
    "tiles": lambda: stripped(tile=(32, 32)),
    "tables apart": of_libtiff,
}


def parts(data):
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        return list(zip(page.dataoffsets, page.databytecounts, strict=True)), page.jpegtables


@pytest.mark.parametrize("kind", KINDS)
def test_codes_in_a_tiff_that_end_early(kind):
    data = KINDS[kind]()
    assert imaging.open(data).notes == ()
    found, tables = parts(data)
    assert (tables is not None) == (kind == "tables apart")
    start, length = found[len(found) // 2]
    broken = data[:start] + ending_early(data[start : start + length]) + data[start + length :]
    with pytest.raises(BrokenPicture, match=r"corrupt TIFF.*premature end of data"):
        imaging.open(broken)


@pytest.mark.parametrize("kind", KINDS)
def test_codes_in_a_tiff_without_their_end_marker_are_whole(kind):
    data = KINDS[kind]()
    for start, length in parts(data)[0]:
        end = data.rindex(b"\xff\xd9", start, start + length)
        data = data[:end] + b"\0\0" + data[end + 2 :]
    wanted = imaging.open(KINDS[kind]()).pixels
    assert np.array_equal(imaging.open(data).pixels, wanted)


def test_a_part_of_a_tiff_that_claims_to_be_far_larger():
    data = bytearray(stripped(rowsperstrip=16))
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 65500, 65500)
    with pytest.raises(BrokenPicture, match="far larger than the picture"):
        imaging.open(bytes(data))


def pointing(data, places):
    """The same TIFF file; each of its parts lies where, and is as long as, ``places`` says."""
    out, (first,) = bytearray(data), struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    for at in range(first + 2, first + 2 + 12 * count, 12):
        tag, kind, number, where = struct.unpack_from("<HHII", data, at)
        if tag in (273, 279, 324, 325):
            values = [place[tag in (279, 325)] for place in places]
            # Lengths are shorts where they fit.
            struct.pack_into(f"<{number}{'H' if kind == 3 else 'I'}", out, where, *values)
    return bytes(out)


@pytest.fixture
def decoded(monkeypatch):
    """How often a part has been decoded to be checked."""
    sizes, real = [], simplejpeg.decode_jpeg

    def decode(data, *given, **options):
        sizes.append(len(data))
        return real(data, *given, **options)

    monkeypatch.setattr(simplejpeg, "decode_jpeg", decode)
    return sizes


def test_tiles_that_claim_to_be_far_larger_are_not_decoded(decoded):
    """The last one alone, so that others come before it."""
    data = stripped(tile=(16, 16))
    large = made.filed(np.zeros((400, 400, 3), np.uint8), "JPEG")
    *places, _ = parts(data)[0]
    with pytest.raises(BrokenPicture, match="far larger than the picture"):
        imaging.open(pointing(data, [*places, (len(data), len(large))]) + large)
    assert decoded == []


def test_tiles_that_are_all_somewhat_larger_are_not_decoded(decoded):
    sink = io.BytesIO()
    wide = np.zeros((208, 208, 3), np.uint8)
    tifffile.imwrite(sink, wide, photometric="rgb", compression="jpeg", tile=(16, 16))
    data, large = sink.getvalue(), made.filed(wide[:140, :140], "JPEG")
    count = len(parts(data)[0])
    with pytest.raises(BrokenPicture, match="far larger than the picture"):
        imaging.open(pointing(data, [(len(data), len(large))] * count) + large)
    assert decoded == []


def test_a_part_that_tiles_share_is_checked_once(decoded):
    data = stripped(tile=(16, 16))
    first, *others = parts(data)[0]
    got = imaging.open(pointing(data, [first] * (1 + len(others))))
    assert np.array_equal(got.pixels[:16, :16], got.pixels[16:32, 64:80])
    assert len(decoded) == 1


def test_parts_that_lie_over_each_other(decoded):
    data = stripped(tile=(16, 16))
    places = [(8 + number, len(data) - 100) for number in range(len(parts(data)[0]))]
    with pytest.raises(BrokenPicture, match="parts of the picture lie over each other"):
        imaging.open(pointing(data, places))
    assert decoded == []


def test_what_is_told_of_parts_is_told_once():
    """However many bytes are too many in each."""
    data = stripped(rowsperstrip=16)
    places, more = [], b""
    for number, (start, length) in enumerate(parts(data)[0]):
        codes = data[start : start + length]
        end = codes.rindex(b"\xff\xd9")
        longer = codes[:end] + bytes(40 + number) + codes[end:]
        places.append((len(data) + len(more), len(longer)))
        more += longer
    got = imaging.open(pointing(data, places) + more)
    assert np.array_equal(got.pixels, imaging.open(data).pixels)
    (note,) = got.notes
    assert "extraneous bytes" in note


# More than 8 bits


@pytest.mark.parametrize("pixels", [DEEP, DEEP[..., 0].copy()], ids=["colour", "grey"])
@pytest.mark.parametrize(
    "options",
    [{"bitspersample": 12}, {"bitspersample": 12, "lossless": True},
     {"bitspersample": 16, "lossless": True}],
    ids=["12 bit", "12 bit, lossless", "16 bit, lossless"],
)  # fmt: skip
def test_deep_codes_that_end_early(pixels, options):
    data = bytes(imagecodecs.jpeg8_encode(pixels, 90, **options))
    assert imaging.open(data).pixels.shape == pixels.shape
    with pytest.raises(BrokenPicture, match=r"corrupt JPEG.*premature end of data"):
        imaging.open(ending_early(data))


def test_samples_of_no_bits():
    data = bytearray(made.filed(made.photo(), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 0
    with pytest.raises(BrokenPicture, match="have no bits"):
        imaging.inspect(bytes(data))


def test_bytes_too_many_in_deep_codes_are_told():
    data = bytes(imagecodecs.jpeg8_encode(DEEP, 90, bitspersample=12))
    end = data.rindex(b"\xff\xd9")
    got = imaging.open(data[:end] + bytes(400) + data[end:])
    assert np.array_equal(got.pixels, imaging.open(data).pixels)
    assert any("extraneous bytes" in note for note in got.notes)


def test_ink_of_twelve_bits():
    """Stored inverted, as of 8 bits: no ink is 4095."""
    ink = np.zeros((16, 16, 4), np.uint16)
    ink[:8] = 4095
    got = imaging.open(imagecodecs.jpeg8_encode(ink, 98, bitspersample=12))
    assert got.pixels[0].min() == 65535
    assert got.pixels[-1].max() == 0


# Sampling factors


def sampled(factors, width=48, height=32):
    """A file of one colour with these factors of Y, Cb and Cr, each block coded by hand.

    By the first tables of T.81, annex K: a difference of 40 in the first block, of 0 in all others.
    """
    data = bytearray(imagecodecs.jpeg8_encode(made.photo(height, width), 90, subsampling="444"))
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    across, down = (max(pair) for pair in zip(*(divmod(f, 16) for f in factors), strict=True))
    units = -(-width // (8 * across)) * -(-height // (8 * down))
    blocks = units * sum((f >> 4) * (f & 15) for f in factors)
    for number, factor in enumerate(factors):
        data[frame + 11 + 3 * number] = factor
        data[scan + 6 + 2 * number] = 0
    bits = "1110101000" + "1010" + "001010" * (blocks - 1)
    bits += "1" * (-len(bits) % 8)
    head = data[: scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")]
    return bytes(head) + int(bits, 2).to_bytes(len(bits) // 8, "big") + b"\xff\xd9"


UNUSUAL = [
    (0x21, 0x11, 0x21), (0x22, 0x11, 0x21), (0x31, 0x11, 0x11), (0x42, 0x11, 0x11),
    (0x22, 0x21, 0x11), (0x21, 0x21, 0x11), (0x12, 0x11, 0x12),
]  # fmt: skip


@pytest.mark.parametrize("factors", UNUSUAL)
def test_unusual_sampling_factors(factors):
    data = sampled(factors)
    got = imaging.open(data)
    assert np.array_equal(got.pixels, np.full((32, 48, 3), 143))
    assert np.array_equal(got.pixels, np.asarray(Image.open(io.BytesIO(data))))
    assert got.notes == (UNTOLD,)


def test_unusual_sampling_factors_without_an_end():
    with pytest.raises(BrokenPicture, match="end of the picture is missing"):
        imaging.open(sampled(UNUSUAL[0])[:-2])


@pytest.mark.parametrize("factors", UNUSUAL)
@pytest.mark.parametrize("less", [1, 2, 5])
def test_unusual_sampling_factors_and_codes_that_end_early(factors, less):
    data = sampled(factors)
    with pytest.raises(BrokenPicture, match="premature end"):
        imaging.open(data[: -2 - less] + data[-2:])


def test_unusual_sampling_factors_and_restart_markers():
    """Three units of the same codes, each after a restart."""
    one = sampled((0x31, 0x11, 0x11), 24, 8)
    start = one.index(b"\xff\xda") + 14
    codes = one[start:-2]
    frame = one.index(b"\xff\xc0")
    head = bytearray(one[:start])
    struct.pack_into(">H", head, frame + 7, 72)
    head[frame:frame] = b"\xff\xdd\0\x04\0\x01"
    whole = b"\xff\xd0".join((bytes(head) + codes, codes)) + b"\xff\xd1" + codes + b"\xff\xd9"
    got = imaging.open(whole)
    assert np.array_equal(got.pixels, np.full((8, 72, 3), 143))
    broken = whole.replace(codes + b"\xff\xd1", codes[:-1] + b"\xff\xd1")
    with pytest.raises(BrokenPicture, match="premature end"):
        imaging.open(broken)


def test_arithmetic_codes_with_unusual_sampling_factors():
    """Their encoder leaves out zeros at the end, which their decoder takes to follow."""
    data = sampled(UNUSUAL[0])
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    head = data[:frame] + b"\xff\xc9" + data[frame + 2 : scan + 14]
    whole = head + b"\x12\x34\x56\xff\xd9"
    wanted = imagecodecs.jpeg8_decode(whole)
    assert np.array_equal(imagecodecs.jpeg8_decode(head + b"\x12\x34\x56\0\0\xff\xd9"), wanted)
    got = imaging.open(whole)
    assert np.array_equal(got.pixels, wanted)
    assert got.notes == (UNTOLD,)


def test_usual_sampling_factors_are_told_of():
    data = sampled((0x22, 0x11, 0x11))
    assert imaging.open(data).notes == ()
    with pytest.raises(BrokenPicture, match="premature end"):
        imaging.open(data[:-6] + b"\xff\xd9")
