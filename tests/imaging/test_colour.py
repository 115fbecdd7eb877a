"""Colour profiles and CMYK."""

import io

import made
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from hyperfocal import imaging
from hyperfocal.imaging import profile

INK = made.photo(channels=4)


def through_lcms(ink, icc):
    image = ImageCms.profileToProfile(
        Image.fromarray(ink, "CMYK"),
        ImageCms.ImageCmsProfile(io.BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return np.asarray(image)


def cmyk_files(icc):
    options = {"icc_profile": icc} if icc else {}
    jpeg = made.filed(Image.fromarray(INK, "CMYK"), "JPEG", quality=100, subsampling=0, **options)
    sink = io.BytesIO()
    tags = [(34675, 7, len(icc), icc, True)] if icc else None
    tifffile.imwrite(sink, INK, photometric="separated", extratags=tags)
    return {"jpeg": jpeg, "tiff": sink.getvalue()}


@pytest.mark.parametrize("format", ["jpeg", "tiff"])
def test_cmyk_goes_through_its_profile(format):
    icc = made.cmyk_profile()
    data = cmyk_files(icc)[format]
    assert imaging.inspect(data).mode == "cmyk"
    assert imaging.inspect(data).profile == "Ink"
    got = imaging.open(data)
    assert got.icc is None
    assert made.psnr(got.pixels, through_lcms(INK, icc)) > (40 if format == "jpeg" else 200)
    plain = np.asarray(Image.fromarray(INK, "CMYK").convert("RGB"))
    assert made.psnr(got.pixels, plain) < 25
    assert "CMYK was converted to sRGB through its colour profile" in got.notes


@pytest.mark.parametrize("format", ["jpeg", "tiff"])
def test_cmyk_without_a_profile_is_converted_plainly_and_says_so(format):
    got = imaging.open(cmyk_files(None)[format])
    plain = np.asarray(Image.fromarray(INK, "CMYK").convert("RGB"))
    assert made.psnr(got.pixels, plain) > (40 if format == "jpeg" else 200)
    assert any("plain formula" in note for note in got.notes)


def test_a_cmyk_profile_that_cannot_be_used():
    broken = bytearray(made.cmyk_profile())
    broken[200:] = bytes(len(broken) - 200)
    got = imaging.open(cmyk_files(bytes(broken))["jpeg"])
    assert any("plain formula" in note for note in got.notes)


@pytest.mark.parametrize("profiled", [False, True])
def test_cmyk_tiff_of_sixteen_bits(profiled):
    icc = made.cmyk_profile() if profiled else None
    tags = [(34675, 7, len(icc), icc, True)] if icc else None
    sink = io.BytesIO()
    tifffile.imwrite(sink, INK.astype(np.uint16) * 257, photometric="separated", extratags=tags)
    got = imaging.open(sink.getvalue())
    assert got.pixels.dtype == np.uint16
    assert got.bit_depth == 16
    shallow = imaging.open(cmyk_files(icc)["tiff"])
    assert np.abs(got.pixels / 257.0 - shallow.pixels).max() < 1.5
    assert got.notes == shallow.notes
    assert len(np.unique(got.pixels)) > 2 * len(np.unique(shallow.pixels))


def test_cmyk_tiff_of_sixteen_bits_without_a_profile_by_the_formula():
    ink = np.random.default_rng(3).integers(0, 65536, (9, 11, 4), dtype=np.uint16)
    sink = io.BytesIO()
    tifffile.imwrite(sink, ink, photometric="separated")
    paper = 1.0 - ink / 65535.0
    want = paper[..., :3] * paper[..., 3:] * 65535.0
    assert np.abs(imaging.open(sink.getvalue()).pixels - want).max() <= 1.0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_premultiplied_ink_is_divided_by_its_alpha(dtype):
    full = 1 if dtype == np.float32 else np.iinfo(dtype).max
    ink = np.full((8, 9, 5), full // 4 if full > 1 else 0.25, dtype)
    ink[..., 4] = full // 2 if full > 1 else 0.5
    sink = io.BytesIO()
    tifffile.imwrite(sink, ink, photometric="separated", extrasamples=["assocalpha"])
    got = imaging.open(sink.getvalue())
    # Half the ink three times over, and half the paper is left by black.
    assert np.abs(got.pixels / got.full_scale - 0.25).max() < 0.02
    assert np.abs(got.alpha / got.full_scale - 0.5).max() < 0.01


@pytest.mark.parametrize("format", ["png", "tiff", "webp", "bmp"])
def test_wide_colour_is_carried_and_samples_are_untouched(format):
    given_ = made.picture(3, icc=made.wide_rgb_profile())
    got = imaging.open(imaging.encode(given_, format))
    assert got.icc == given_.icc
    assert np.array_equal(got.pixels, given_.pixels)
    assert imaging.conversions(given_, format) == ()


def test_what_cannot_carry_a_profile_gets_srgb():
    given_ = made.picture(3, icc=made.wide_rgb_profile())
    wanted = profile.to_srgb(given_.pixels, given_.icc)
    assert made.psnr(wanted, given_.pixels) < 40
    got = imaging.open(imaging.encode(given_, "gif"))
    assert made.psnr(got.pixels, wanted) > made.psnr(got.pixels, given_.pixels)
    assert any("converted to sRGB" in note for note in imaging.conversions(given_, "gif"))


def test_grey_in_a_format_without_profiles_gets_srgb():
    given_ = made.picture(1, icc=made.grey_profile())
    got = imaging.open(imaging.encode(given_, "gif"))
    assert np.array_equal(got.pixels, profile.to_srgb(given_.pixels, given_.icc)[..., 0])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_profile_with_nothing_behind_its_header_is_told_as_damaged(channels):
    icc = made.grey_profile() if channels == 1 else made.wide_rgb_profile()
    given_ = made.picture(channels, icc=icc[:132] + b"\xff" * (len(icc) - 132))
    with pytest.raises((OSError, ImageCms.PyCMSError)):
        ImageCms.profileToProfile(
            Image.fromarray(given_.pixels),
            ImageCms.ImageCmsProfile(io.BytesIO(given_.icc)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    notes = imaging.conversions(given_, "gif")
    told = "the colour profile is damaged: it was dropped, and sRGB is taken instead"
    assert told in notes
    assert not any("converted to sRGB" in note for note in notes)
    plain = made.picture(channels)
    assert imaging.encode(given_, "gif") == imaging.encode(plain, "gif")
    # Where it is carried nothing is lost, whatever it is worth.
    assert imaging.open(imaging.encode(given_, "png")).icc == given_.icc


def test_grey_with_a_grey_profile():
    given_ = made.picture(1, icc=made.grey_profile())
    for format in ("png", "tiff", "jpeg", "bmp", "avif"):
        got = imaging.open(imaging.encode(given_, format))
        assert got.is_grey
        assert got.icc == given_.icc
    # WebP has no grey, so the profile would not fit.
    got = imaging.open(imaging.encode(given_, "webp"))
    assert got.icc is None
    assert np.array_equal(got.pixels, profile.to_srgb(given_.pixels, given_.icc))
    assert any("converted to sRGB" in note for note in imaging.conversions(given_, "webp"))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "AVIF"])
def test_grey_with_an_rgb_profile_becomes_rgb(format):
    grey = made.photo(channels=1)
    extra = {"subsampling": "4:0:0", "quality": 98} if format == "AVIF" else {}
    got = imaging.open(made.filed(grey, format, icc_profile=made.wide_rgb_profile(), **extra))
    assert got.pixels.shape == (61, 83, 3)
    assert got.icc == made.wide_rgb_profile()
    assert made.psnr(got.pixels[..., 1], grey) > 30


def test_profiles_that_do_not_fit_are_dropped_with_a_note():
    for icc, reason in ((made.grey_profile(), "is for grey"), (b"nonsense" * 40, "cannot be read")):
        got = imaging.open(made.filed(made.photo(), "PNG", icc_profile=icc))
        assert got.icc is None
        assert any(reason in note for note in got.notes)


def test_a_gamma_changes_no_pixel():
    import struct
    import zlib

    data = made.filed(made.photo(), "PNG")
    body = b"gAMA" + struct.pack(">I", 100000)
    chunk = struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body))
    got = imaging.open(data[:33] + chunk + data[33:])
    assert np.array_equal(got.pixels, made.photo())
    assert profile.describe(got.icc) == "BT.709, gamma 1"
    assert got.notes == ()
    usual = body[:4] + struct.pack(">I", 45455)
    chunk = struct.pack(">I", 4) + usual + struct.pack(">I", zlib.crc32(usual))
    assert imaging.open(data[:33] + chunk + data[33:]).icc is None
