"""Of AVIF and HEIC: the part that is to be seen, alpha that colour holds already, and how large."""

import io
import struct

import made
import numpy as np
import pytest

from hyperfocal import imaging
from hyperfocal.errors import OutputRefused, TooLarge
from hyperfocal.imaging import bmff, bmff_write
from hyperfocal.settings import Settings

ODD = "a clean aperture that is not of whole pixels in the picture was ignored"
# The encoder itself loses a little.
CLOSE = 6


def with_property(data, kind, body):
    """An AVIF file, and one more property of its primary picture."""
    boxes = dict(bmff_write._split(data))
    meta = boxes[b"meta"]

    def extended(shift):
        parts = dict(bmff_write._split(meta, 4))
        (primary,) = struct.unpack_from(">H", parts[b"pitm"], 4)
        parts[b"iloc"] = bmff_write._located(parts[b"iloc"], [], shift, 0)
        inner = dict(bmff_write._split(parts[b"iprp"]))
        number = 1 + sum(1 for _ in bmff_write._split(inner[b"ipco"]))
        uses, at = inner[b"ipma"], 8
        out = uses[:at]
        while at < len(uses):
            item, count = struct.unpack_from(">HB", uses, at)
            used = uses[at + 3 : at + 3 + count] + bytes([0x80 | number]) * (item == primary)
            out += struct.pack(">HB", item, len(used)) + used
            at += 3 + count
        inner[b"ipco"] += bmff_write._box(kind, body)
        inner[b"ipma"] = out
        parts[b"iprp"] = b"".join(bmff_write._box(*one) for one in inner.items())
        return meta[:4] + b"".join(bmff_write._box(*one) for one in parts.items())

    boxes[b"meta"] = extended(len(extended(0)) - len(meta))
    return b"".join(bmff_write._box(*one) for one in boxes.items())


def aperture(*numbers):
    """Numerators and denominators: width, height, right and down of the middle."""
    return b"clap", struct.pack(">IIIIiIiI", *numbers)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_only_the_clean_aperture_of_an_avif_is_read(channels, alpha):
    whole = imaging.encode(made.picture(channels, alpha=alpha), "avif")
    # 83 x 61: columns 10 to 50 and rows 21 to 61.
    data = with_property(whole, *aperture(40, 1, 80, 2, -23, 2, 21, 2))
    facts = imaging.inspect(data)
    assert (facts.width, facts.height) == (40, 40)
    got, all_of_it = imaging.open(data), imaging.open(whole)
    assert np.array_equal(got.pixels, all_of_it.pixels[21:61, 10:50])
    if alpha:
        assert np.array_equal(got.alpha, all_of_it.alpha[21:61, 10:50])
    assert got.notes == ()


def test_the_aperture_comes_before_the_turn():
    whole = imaging.encode(made.picture(3), "avif")
    data = with_property(whole, *aperture(40, 1, 61, 1, -43, 2, 0, 1))
    got = imaging.open(with_property(data, b"irot", b"\x01"))
    assert np.array_equal(got.pixels, np.rot90(imaging.open(whole).pixels[:, :40]))


@pytest.mark.parametrize(
    "numbers",
    [
        (40, 1, 40, 1, 0, 1, 0, 1),
        (81, 2, 61, 1, 0, 1, 0, 1),
        (83, 1, 61, 1, 1, 1, 0, 1),
        (83, 1, 61, 1, 0, 1, -1, 1),
        (85, 1, 61, 1, 0, 1, 0, 1),
        (1, 0, 61, 1, 0, 1, 0, 1),
    ],
)
def test_an_aperture_that_cannot_be_cut_out_is_told(numbers):
    """The first would begin in the middle of a pixel."""
    whole = imaging.encode(made.picture(3), "avif")
    got = imaging.open(with_property(whole, *aperture(*numbers)))
    assert np.array_equal(got.pixels, imaging.open(whole).pixels)
    assert got.notes == (ODD,)


def test_an_aperture_that_is_cut_short_is_none():
    """The decoder refuses the file, but not for our part."""
    data = with_property(imaging.encode(made.picture(3), "avif"), b"clap", bytes(20))
    found = bmff.read(data)
    assert (found.width, found.aperture, found.odd_aperture) == (83, None, True)


def small_apertures():
    """Pictures of 4 x 2 pixels within 283 x 261."""
    whole = imaging.Picture(made.photo(261, 283))
    yield "avif", with_property(imaging.encode(whole, "avif"), *aperture(4, 1, 2, 1, 1, 2, 1, 2))
    try:
        heic = imaging.encode(whole, "heic")
    except OutputRefused:
        return
    # Coded as 284 x 262 already.
    uneven, small = struct.pack(">4I", 283, 1, 261, 1), struct.pack(">8I", 4, 1, 2, 1, 0, 1, 0, 1)
    at = heic.index(b"clap" + uneven) + 4
    yield "heic", heic[:at] + small + heic[at + 32 :]


def test_the_limit_on_pixels_is_one_on_what_is_decoded():
    """Whatever part of it is to be seen."""
    for name, data in small_apertures():
        facts = imaging.inspect(data)
        assert (facts.width, facts.height) == (4, 2), name
        settings = Settings(max_pixels=70_000)
        for looked_at, options in ((imaging.open, {}), (imaging.inspect, {"limits": True})):
            with pytest.raises(TooLarge, match=r"declares 28[34] x 26[12] = .*max_pixels"):
                looked_at(data, settings=settings, **options)
        assert imaging.open(data, settings=Settings(max_pixels=80_000)).width == 4


def test_what_fills_up_the_last_blocks_does_not_count():
    found = bmff.Contents(width=128, height=64)
    assert found.coded(65, 1) is None
    assert found.coded(1, 65) is None
    assert found.coded(64, 64) == (128, 64)


def test_a_png_that_its_readers_would_refuse_is_not_written():
    assert imaging.check_fits("png", 1_000_000, 1).name == "png"
    with pytest.raises(OutputRefused, match=r"PNG holds at most 1000000 .*; choose TIFF"):
        imaging.check_fits("png", 1, 1_000_001)
    with pytest.raises(OutputRefused, match="choose TIFF"):
        imaging.check_fits("jpeg", 1_000_001, 1)


def test_the_longest_png_is_read():
    data = imaging.encode(imaging.Picture(np.zeros((1, 1_000_000), np.uint16)), "png")
    assert imaging.open(data).width == 1_000_000


@pytest.mark.parametrize(("size", "what"), [((32769, 1), "32768 pixels a side"),
                                            ((1, 32769), "32768 pixels a side"),
                                            ((32768, 8193), "268,435,456 pixels")])  # fmt: skip
def test_an_avif_that_its_readers_would_refuse_is_not_written(size, what):
    with pytest.raises(OutputRefused, match=f"AVIF holds at most {what}.*choose PNG or TIFF"):
        imaging.check_fits("avif", *size)


def test_the_longest_avif_is_read():
    picture = imaging.Picture(np.zeros((2, 32768), np.uint8))
    assert imaging.check_fits("avif", 32768, 8192).name == "avif"
    assert imaging.open(imaging.encode(picture, "avif")).width == 32768


@pytest.mark.parametrize(
    ("mode", "dtype"), [("RGBa", np.uint8), ("RGBa;16", np.uint16), ("La", np.uint8)]
)
def test_colour_of_a_heic_that_was_multiplied_with_alpha(mode, dtype):
    heif = pytest.importorskip("pillow_heif")
    full = np.iinfo(dtype).max
    samples = np.zeros((64, 64, 2 if mode == "La" else 4), dtype)
    samples[..., 0], samples[..., -1] = full // 4, full // 2
    samples[32:] = 0
    sink = io.BytesIO()
    heif.encode(mode, (64, 64), samples.tobytes(), sink, quality=100, chroma=444)
    facts = imaging.inspect(sink.getvalue())
    assert facts.has_alpha
    assert facts.mode == ("grey" if mode == "La" else "rgb")
    got = imaging.open(sink.getvalue())
    step = full / 255
    red = got.pixels if got.is_grey else got.pixels[..., 0]
    assert np.abs(red[:28] / step - 127.5).max() < CLOSE
    assert np.abs(got.alpha[:28] / step - 127.5).max() < CLOSE
    assert not red[36:].any()
