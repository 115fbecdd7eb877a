"""Pictures of 10 and 12 bits, which AVIF and HEIC have and numpy has not."""

import io
from dataclasses import replace

import imagecodecs
import made
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import hyperfocal
from hyperfocal import imaging
from hyperfocal.imaging import bmff_write
from hyperfocal.imaging.depth import convert, widen

KINDS = {"grey": (1, False), "rgb": (3, False), "rgba": (3, True), "grey and alpha": (1, True)}
DEEP = ["avif", "heic"]


@pytest.fixture(autouse=True)
def _heif(request):
    if "heic" in str(getattr(request.node, "callspec", "")):
        pytest.importorskip("pillow_heif")


def deep(bits, channels=3, alpha=False, **more):
    """A picture as a file of so many bits would give it."""
    picture = made.picture(channels, np.uint16, alpha, significant_bits=bits, **more)
    rounded = widen(convert(picture.pixels, bits), bits)
    return replace(
        picture,
        pixels=rounded,
        alpha=None if picture.alpha is None else widen(convert(picture.alpha, bits), bits),
    )


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_depths_in_between_are_rounded(bits, dtype):
    full, top = np.iinfo(dtype).max, (1 << bits) - 1
    every = np.arange(full + 1, dtype=dtype)
    got = convert(every, bits)
    assert got.dtype == np.uint16
    assert np.array_equal(got, np.floor(every / full * top + 0.5))
    if dtype == np.uint8:
        assert np.array_equal(convert(widen(got, bits), 8), every)
    values = np.arange(top + 1, dtype=np.uint16)
    assert np.array_equal(convert(widen(values, bits), bits), values)


@given(st.floats(-2, 3, width=32), st.sampled_from([10, 12]))
def test_float_is_rounded_and_clipped(value, bits):
    top = (1 << bits) - 1
    got = int(convert(np.array([value], np.float32), bits)[0])
    assert abs(got - min(max(value, 0), 1) * top) <= 0.5 + 1e-3


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", DEEP)
def test_as_many_bits_as_the_file_had(format, kind, bits):
    channels, alpha = KINDS[kind]
    picture = deep(bits, channels, alpha)
    assert imaging.conversions(picture, format) == ()
    data = imaging.encode(picture, format, quality=95)
    assert imaging.inspect(data).bit_depth == bits
    got = imaging.open(data)
    assert (got.significant_bits, got.pixels.dtype) == (bits, np.uint16)
    assert (got.is_grey, got.alpha is not None) == (channels == 1, alpha)
    for mine, theirs in ((got.pixels, picture.pixels), (got.alpha, picture.alpha)):
        if theirs is None:
            continue
        assert np.abs(mine.astype(int) - theirs).mean() < 0.012 * 65535
        # More than 8 bits would hold, and nothing but what the depth has.
        assert np.unique(mine).size > 256
        assert np.array_equal(widen(convert(mine, bits), bits), mine)


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("format", DEEP)
def test_white_and_black_stay(format, bits):
    pixels = np.zeros((64, 64, 3), np.uint16)
    pixels[:, 32:] = 65535
    got = imaging.open(imaging.encode(imaging.Picture(pixels, significant_bits=bits), format))
    assert got.pixels[:, :24].max() < 65535 * 0.004
    assert got.pixels[:, 40:].min() > 65535 * 0.996


def test_half_floats_stay_floats():
    sink = io.BytesIO()
    half = (made.photo(dtype=np.float32) * 1.5).astype(np.float16)
    tifffile.imwrite(sink, half, photometric="rgb")
    got = imaging.open(sink.getvalue())
    assert (got.significant_bits, got.pixels.dtype) == (None, np.float32)
    again = imaging.open(imaging.encode(got, "tiff"))
    assert np.array_equal(again.pixels, got.pixels)
    assert "reduced from float to 16 bits a sample" in imaging.conversions(got, "png")


def test_another_library_reads_the_same_samples():
    picture = deep(10)
    values = imagecodecs.avif_decode(imaging.encode(picture, "avif", quality=100))
    assert np.array_equal(values, convert(picture.pixels, 10))


@pytest.mark.parametrize("format", DEEP)
def test_what_has_no_place_of_its_own_gets_the_next_deeper_one(format):
    picture = deep(10)
    for kept in ("png", "tiff"):
        assert imaging.conversions(picture, kept) == ()
        got = imaging.open(imaging.encode(picture, kept))
        assert np.array_equal(got.pixels, picture.pixels)
    assert "reduced from 10 bits to 8 bits a sample" in imaging.conversions(picture, "jpeg")
    plain = made.picture(3, np.uint16)
    assert "reduced from 16 bits to 12 bits a sample" in imaging.conversions(plain, format)
    assert imaging.inspect(imaging.encode(plain, format)).bit_depth == 12
    assert imaging.inspect(imaging.encode(plain, format, bit_depth=10)).bit_depth == 10
    assert imaging.inspect(imaging.encode(plain, format, bit_depth=8)).bit_depth == 8


def test_a_restored_picture_has_the_bits_of_its_file(tmp_path):
    (tmp_path / "in.avif").write_bytes(imaging.encode(deep(10), "avif"))
    hyperfocal.upscale(tmp_path / "in.avif", tmp_path / "out.avif", model="bicubic", scale=2)
    facts = imaging.inspect(tmp_path / "out.avif")
    assert (facts.bit_depth, facts.width) == (10, 2 * 83)
    hyperfocal.upscale(tmp_path / "in.avif", tmp_path / "out.png", model="bicubic", scale=2)
    assert imaging.inspect(tmp_path / "out.png").bit_depth == 16


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", DEEP)
def test_what_describes_a_deep_picture_is_kept(format, kind):
    channels, alpha = KINDS[kind]
    icc = made.wide_rgb_profile() if channels == 3 else made.grey_profile()
    picture = deep(10, channels, alpha, icc=icc, metadata=made.metadata())
    data = imaging.encode(picture, format)
    got = imaging.open(data)
    assert got.icc == icc
    assert got.metadata.xmp == made.XMP
    assert got.metadata.dpi == (300.0, 150.0)
    assert made.parsed(got.metadata.exif).fields[271].data == b"Maker\0"
    assert got.notes == ()


@pytest.mark.parametrize("kind", KINDS)
def test_another_library_finds_what_describes_an_avif(kind):
    channels, alpha = KINDS[kind]
    icc = made.wide_rgb_profile() if channels == 3 else made.grey_profile()
    picture = deep(10, channels, alpha, icc=icc, metadata=made.metadata())
    data = imaging.encode(picture, "avif")
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.info["icc_profile"] == icc
    assert image.info["xmp"] == made.XMP
    assert image.getexif()[271] == "Maker"
    assert image.has_transparency_data == alpha
    mine = np.asarray(image.convert("RGB")).astype(int)
    theirs = convert(picture.pixels, 8).reshape(61, 83, -1)
    assert np.abs(mine - theirs).mean() < 4


def test_a_file_laid_out_in_another_way_is_not_taken():
    whole = imaging.encode(made.picture(3), "avif")
    assert bmff_write.attach(whole) == whole
    at = whole.index(b"iloc")
    with pytest.raises(ValueError, match="unusual"):
        bmff_write.attach(whole[: at + 4] + b"\1" + whole[at + 5 :], xmp=b"<x/>")
    begin = whole.index(b"meta") - 4
    end = begin + int.from_bytes(whole[begin : begin + 4], "big")
    with pytest.raises(ValueError, match="laid out"):
        bmff_write.attach(whole[:begin] + whole[end:] + whole[begin:end], xmp=b"<x/>")
    with pytest.raises(ValueError, match="size"):
        bmff_write.attach(whole[:-3], xmp=b"<x/>")
