"""Colour that files declare by numbers: kept as a profile that says the same."""

import io
import struct
import zlib
from dataclasses import replace

import imagecodecs
import made
import numpy as np
import pytest
from PIL import Image, ImageCms

import hyperfocal
from hyperfocal import imaging
from hyperfocal.imaging import code_points, profile

RGB = made.photo()
SRGB_CURVE, PQ, HLG = 13, 16, 18
DISPLAY_P3, BT2020 = 12, 9


def to_srgb(pixels, icc):
    image = ImageCms.profileToProfile(
        Image.fromarray(pixels),
        ImageCms.ImageCmsProfile(io.BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        # By no table of its own, which is too coarse for dark levels of linear grey.
        flags=ImageCms.Flags.NOOPTIMIZE,
    )
    return np.asarray(image)


def avif(primaries, transfer, pixels=RGB):
    return imagecodecs.avif_encode(
        pixels, 100, pixelformat="444", speed=9, primaries=primaries, transfer=transfer
    )


def heic(primaries, transfer):
    heif = pytest.importorskip("pillow_heif")
    sink = io.BytesIO()
    heif.encode("RGB", (83, 61), RGB.tobytes(), sink, quality=100, chroma=444,
                color_primaries=primaries, transfer_characteristics=transfer)  # fmt: skip
    return sink.getvalue()


def png(primaries, transfer, pixels=RGB, **options):
    data = made.filed(pixels, "PNG", **options)
    body = b"cICP" + bytes((primaries, transfer, 0, 1))
    chunk = struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:33] + chunk + data[33:]


FILES = {"avif": avif, "heic": heic, "png": png}


def test_display_p3_has_its_published_colours():
    """Under D50, as Apple's own profile states them."""
    icc = code_points.profile(DISPLAY_P3, SRGB_CURVE)
    assert profile.describe(icc) == "Display P3"
    found = ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile
    for colour, wanted in (
        (found.red_colorant, (0.51512, 0.24120, -0.00105)),
        (found.green_colorant, (0.29198, 0.69225, 0.04189)),
        (found.blue_colorant, (0.15710, 0.06657, 0.78407)),
    ):
        assert colour[0] == pytest.approx(wanted, abs=2e-5)


def test_the_profile_of_srgb_changes_nothing():
    every = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert np.array_equal(to_srgb(every, code_points.profile(1, SRGB_CURVE)), every)


@pytest.mark.parametrize(("transfer", "gamma"), [(4, 2.2), (5, 2.8), (8, 1.0)])
def test_gammas(transfer, gamma):
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    light = (ramp / 255) ** gamma
    wanted = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    assert np.abs(to_srgb(ramp, code_points.profile(1, transfer)) - wanted).max() < 1.01


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gamma_alone_tells_the_tones(channels):
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None], 4, axis=0)
    ramp = ramp if channels == 1 else np.repeat(ramp[..., None], 3, axis=2)
    got = imaging.open(made.with_chunk(made.filed(ramp, "PNG"), b"gAMA", ">I", 100_000))
    light = ramp / 255.0
    wanted = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    seen = to_srgb(got.pixels, got.icc)
    seen = seen[..., 0] if channels == 1 and seen.ndim == 3 else seen
    assert np.abs(seen - wanted).max() < 1.01


@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("primaries", [DISPLAY_P3, BT2020])
def test_wide_colour_does_not_shift(format, primaries):
    got = imaging.open(FILES[format](primaries, SRGB_CURVE))
    assert got.icc == code_points.profile(primaries, SRGB_CURVE)
    assert made.psnr(got.pixels, RGB) > 40
    assert not any("code points" in note for note in got.notes)
    larger = hyperfocal.upscale(got, scale=2, model="bicubic")
    for out in ("jpeg", "avif", "png"):
        assert imaging.open(imaging.encode(larger, out)).icc == got.icc


@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("points", [(1, SRGB_CURVE), (1, 1), (2, 2)])
def test_what_means_srgb_gets_no_profile(format, points):
    got = imaging.open(FILES[format](*points))
    assert got.icc is None
    assert got.notes == ()


@pytest.mark.parametrize("out", FILES)
@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_what_no_profile_can_say_is_declared_again(format, transfer, out):
    if out == "heic":
        pytest.importorskip("pillow_heif")
    got = imaging.open(FILES[format](BT2020, transfer))
    assert (got.icc, got.code_points, got.notes) == (None, (BT2020, transfer), ())
    larger = hyperfocal.upscale(got, scale=2, model="bicubic")
    assert imaging.conversions(larger, out) == ()
    data = imaging.encode(larger, out)
    assert imaging.open(data).code_points == (BT2020, transfer)
    assert imaging.inspect(data).profile == f"BT.2020, {'PQ' if transfer == PQ else 'HLG'}"
    assert made.psnr(imaging.open(data).pixels, larger.pixels) > 38
    if out == "avif":
        # A box that libavif has written: colour primaries, transfer function.
        assert b"nclx" + struct.pack(">HH", BT2020, transfer) in data


# BT.2408, table 1: light of a grey card, a bright grey and white in cd/m2, and the signals.
OF_BT2408 = [(26, 0.38, 0.38), (162, 0.56, 0.71), (203, 0.58, 0.75)]


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_looks_right_without_it(transfer, grey):
    icc = code_points.shown((BT2020, transfer), grey=grey)
    for light, *signals in OF_BT2408:
        signal = round(signals[transfer == HLG] * 255)
        pixels = np.full((4, 4) if grey else (4, 4, 3), signal, np.uint8)
        linear = min(light / 203, 1)
        wanted = 255 * (1.055 * linear ** (1 / 2.4) - 0.055)
        # The table gives whole percents.
        assert np.abs(to_srgb(pixels, icc).astype(int) - wanted).max() < 7
    highlight = np.full((4, 4) if grey else (4, 4, 3), 250, np.uint8)
    assert to_srgb(highlight, icc).min() == 255
    black = np.zeros((4, 4) if grey else (4, 4, 3), np.uint8)
    assert to_srgb(black, icc).max() == 0


@pytest.mark.parametrize("out", ["jpeg", "tiff", "webp"])
@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_what_a_format_cannot_declare_is_shown_by_a_profile(transfer, out):
    got = imaging.open(png(BT2020, transfer))
    name = "PQ" if transfer == PQ else "HLG"
    wanted = f"cannot declare the colour (BT.2020, {name}): a profile shows it"
    assert any(wanted in note for note in imaging.conversions(got, out))
    written = imaging.open(imaging.encode(got, out, quality=95))
    assert profile.describe(written.icc) == f"BT.2020, {name} without HDR"
    assert made.psnr(written.pixels, got.pixels) > 30
    # Readers of ICC.1:2022 find there what it was: primaries, transfer, no matrix, full range.
    assert b"cicp" + bytes(4) + bytes((BT2020, transfer, 0, 1)) in written.icc


def test_greys_of_hdr_become_srgb_where_a_format_has_no_grey():
    got = imaging.open(png(BT2020, PQ, pixels=np.full((32, 32), 148, np.uint8)))
    assert got.is_grey
    written = imaging.open(imaging.encode(got, "webp", quality=95))
    # White of 203 cd/m2 is 58 % of PQ.
    assert written.icc is None
    assert written.pixels.min() > 250


def test_colour_that_no_profile_can_show_is_taken_as_srgb():
    got = replace(imaging.open(png(BT2020, PQ)), code_points=(4, PQ))
    wanted = "cannot declare the colour (primaries 4, PQ): it is taken as sRGB"
    assert any(wanted in note for note in imaging.conversions(got, "jpeg"))
    assert imaging.open(imaging.encode(got, "jpeg")).icc is None


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("out", FILES)
def test_grey_of_hdr_is_declared_again(out, alpha):
    if out == "heic":
        pytest.importorskip("pillow_heif")
    grey = replace(made.picture(1, alpha=alpha), code_points=(BT2020, PQ))
    assert imaging.conversions(grey, out) == ()
    got = imaging.open(imaging.encode(grey, out))
    assert (got.is_grey, got.alpha is not None) == (True, alpha)
    assert (got.code_points, got.icc, got.notes) == ((BT2020, PQ), None, ())


@pytest.mark.parametrize("out", ["avif", "heic"])
def test_a_profile_gives_way_to_what_it_would_contradict(out):
    if out == "heic":
        pytest.importorskip("pillow_heif")
    both = replace(made.picture(3, icc=made.wide_rgb_profile()), code_points=(BT2020, PQ))
    got = imaging.open(imaging.encode(both, out))
    assert (got.code_points, got.icc) == ((BT2020, PQ), None)


@pytest.mark.parametrize("bits", [8, 10])
def test_an_avif_with_a_profile_declares_nothing_else(bits):
    wide = made.picture(3, icc=made.wide_rgb_profile())
    data = imaging.encode(wide, "avif", bit_depth=bits)
    assert b"colrnclx" + struct.pack(">HH", 2, 2) in data
    plain = imaging.encode(made.picture(3), "avif", bit_depth=bits)
    assert b"colrnclx" + struct.pack(">HH", 1, SRGB_CURVE) in plain


@pytest.mark.parametrize("rest", [b"\0\0", b"\t\1"])
def test_png_for_other_than_full_range_rgb_is_told(rest):
    data = bytearray(png(BT2020, PQ))
    at = data.index(b"cICP")
    data[at + 6 : at + 8] = rest
    data[at + 8 : at + 12] = struct.pack(">I", zlib.crc32(data[at : at + 8]))
    got = imaging.open(bytes(data))
    assert (got.icc, got.code_points) == (None, None)
    assert any("full-range" in note for note in got.notes)


@pytest.mark.parametrize("points", [(3, 13), (1, 200), (9, 0), (22, PQ)])
def test_numbers_without_a_meaning_are_told(points):
    got = imaging.open(png(*points))
    assert (got.icc, got.code_points) == (None, None)
    assert any("no known colour" in note for note in got.notes)


def test_code_points_of_png_come_before_its_profile():
    icc = made.grey_profile()
    assert imaging.open(png(1, SRGB_CURVE, icc_profile=icc)).icc is None
    icc = made.wide_rgb_profile()
    assert imaging.open(png(BT2020, SRGB_CURVE, icc_profile=icc)).icc != icc
    # It stays for formats that have nothing else.
    both = imaging.open(png(BT2020, PQ, icc_profile=icc))
    assert (both.icc, both.code_points) == (icc, (BT2020, PQ))
    assert any("as the profile says" in note for note in imaging.conversions(both, "jpeg"))
    assert imaging.open(imaging.encode(both, "jpeg")).icc == icc
    assert imaging.open(imaging.encode(both, "png")).code_points == (BT2020, PQ)
    assert imaging.open(imaging.encode(both, "avif")).code_points == (BT2020, PQ)
    # But where they say nothing it is what counts.
    assert imaging.open(png(2, 2, icc_profile=icc)).icc == icc


def test_grey_stays_grey():
    grey = imagecodecs.avif_encode(
        made.photo(channels=1), 95, pixelformat="400", primaries=12, transfer=13
    )
    assert imaging.open(grey).is_grey


RAMP = np.tile(np.arange(256, dtype=np.uint8), (4, 1))


@pytest.mark.parametrize("format", ["png", "avif"])
@pytest.mark.parametrize(("transfer", "gamma"), [(4, 2.2), (5, 2.8), (8, 1.0)])
@pytest.mark.parametrize("primaries", [1, 2, BT2020])
def test_grey_of_a_gamma_gets_a_profile_that_says_the_same(format, transfer, gamma, primaries):
    if format == "png":
        data = png(primaries, transfer, RAMP)
    else:
        data = imagecodecs.avif_encode(
            RAMP, 100, pixelformat="400", speed=9, primaries=primaries, transfer=transfer
        )
    got = imaging.open(data)
    assert (got.is_grey, got.code_points, got.notes) == (True, None, ())
    assert np.array_equal(got.pixels, RAMP)
    light = (RAMP / 255) ** gamma
    wanted = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    assert np.abs(to_srgb(RAMP, got.icc) - wanted[..., None]).max() < 1.01
    assert profile.describe(got.icc) == f"Grey, gamma {gamma:.3g}"
    assert imaging.open(imaging.encode(got, "tiff")).icc == got.icc
    # Where there are no profiles, it comes out as bright as it was.
    assert np.abs(imaging.open(imaging.encode(got, "gif")).pixels - wanted).max() < 1.01


@pytest.mark.parametrize("points", [(1, SRGB_CURVE), (1, 1), (2, 2), (BT2020, 14)])
def test_grey_of_the_usual_curve_gets_no_profile(points):
    got = imaging.open(png(*points, RAMP))
    assert (got.icc, got.code_points, got.notes) == (None, None, ())


@pytest.mark.parametrize("transfer", [7, 9, 17])
def test_grey_of_a_rare_curve_is_declared_again(transfer):
    got = imaging.open(png(1, transfer, RAMP))
    assert (got.icc, got.code_points) == (None, (1, transfer))
    assert imaging.open(imaging.encode(got, "png")).code_points == (1, transfer)
    assert any("cannot declare the colour" in note for note in imaging.conversions(got, "jpeg"))


def test_grey_of_no_known_curve_is_told():
    assert any("no known colour" in note for note in imaging.open(png(1, 200, RAMP)).notes)
