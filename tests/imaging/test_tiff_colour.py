"""Colour that fields of a TIFF declare: kept as a profile that says the same, or told."""

import io

import made
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from hyperfocal import imaging
from hyperfocal.imaging import code_points, profile, tiff_colour

D65 = (3127, 10000, 3290, 10000)
SRGB = (64, 100, 33, 100, 30, 100, 60, 100, 15, 100, 6, 100)
ADOBE = (64, 100, 33, 100, 21, 100, 71, 100, 15, 100, 6, 100)
P3 = (680, 1000, 320, 1000, 265, 1000, 690, 1000, 150, 1000, 60, 1000)
VALUES = np.linspace(0, 1, 256)


def curve(gamma=None, values=VALUES):
    """By value, how light it is: of a power, or of sRGB."""
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.rint((light if gamma is None else values**gamma) * 65535).astype(int).tolist()


def tiff(white=None, primaries=None, transfer=None, *, pixels=None, **options):
    tags = [(318, 5, 2, white, True), (319, 5, 6, primaries, True)]
    tags = [tag for tag in tags if tag[3] is not None]
    if transfer is not None:
        tags.append((301, 3, len(transfer), transfer, True))
    sink = io.BytesIO()
    pixels = made.photo() if pixels is None else pixels
    options = {"photometric": "minisblack" if pixels.ndim == 2 else "rgb", **options}
    tifffile.imwrite(sink, pixels, metadata=None, extratags=tags, **options)
    return sink.getvalue()


def both(data):
    """Of the file, and of a Pillow image that was opened from it."""
    return imaging.open(data), imaging.from_pil(Image.open(io.BytesIO(data)))


def in_srgb(icc):
    """What each grey of the profile is in sRGB, by Pillow's colour management."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    return profile.to_srgb(ramp, icc)[0, :, 0].astype(int)


@pytest.mark.parametrize("order", ["<", ">"])
def test_primaries_become_a_profile(order):
    data = tiff(D65, ADOBE, byteorder=order)
    for got in both(data):
        assert got.notes == ()
        assert np.array_equal(got.pixels, made.photo())
        found = ImageCms.ImageCmsProfile(io.BytesIO(got.icc)).profile
        usual = ImageCms.ImageCmsProfile(io.BytesIO(code_points.adobe_rgb())).profile
        for colour in ("red_colorant", "green_colorant", "blue_colorant"):
            assert getattr(found, colour)[0] == pytest.approx(getattr(usual, colour)[0], abs=1e-3)
        # By TIFF 6.0 where nothing is said of it.
        assert np.abs(in_srgb(got.icc) - in_srgb(code_points.adobe_rgb())).max() <= 1
    assert imaging.inspect(data).profile == "RGB as declared, gamma 2.2"
    for format in ("tiff", "jpeg", "png"):
        assert imaging.open(imaging.encode(got, format)).icc == got.icc


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize(
    ("gamma", "said"), [(None, ""), (1.0, ", gamma 1"), (1.8, ", gamma 1.8"), (2.2, ", gamma 2.2")]
)
def test_a_transfer_function_is_the_curve_of_the_profile(gamma, said, times):
    for got in both(tiff(D65, P3, curve(gamma) * times)):
        assert got.notes == ()
        assert profile.describe(got.icc) == "RGB as declared" + said


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_transfer_function_is_as_long_as_there_are_values(dtype):
    values = np.linspace(0, 1, np.iinfo(dtype).max + 1)
    data = tiff(D65, SRGB, curve(1.0, values), pixels=made.photo(dtype=dtype))
    assert imaging.inspect(data).profile == "RGB as declared, gamma 1"
    other = tiff(D65, SRGB, curve(1.0, values)[:-1], pixels=made.photo(dtype=dtype))
    got = imaging.open(other)
    assert (got.icc, got.notes) == (None, (tiff_colour.UNKNOWN_CURVE,))


def test_a_palette_has_the_primaries_of_its_colours():
    image = Image.fromarray(made.photo()).quantize(16)
    data = tiff(D65, P3, pixels=np.asarray(image), photometric="palette",
                colormap=np.zeros((3, 256), np.uint16))  # fmt: skip
    for got in both(data):
        assert profile.describe(got.icc) == "RGB as declared, gamma 2.2"


def test_a_white_point_is_that_of_daylight_where_none_is_stated():
    assert imaging.open(tiff(None, P3)).icc == imaging.open(tiff(D65, P3)).icc
    assert imaging.open(tiff((314, 1000, 351, 1000), P3)).icc != imaging.open(tiff(D65, P3)).icc


@pytest.mark.parametrize(
    "transfer", [None, curve(), curve(2.2), curve() * 3], ids=["none", "sRGB", "2.2", "three"]
)
@pytest.mark.parametrize("primaries", [SRGB, None])
def test_those_of_srgb_need_no_profile(primaries, transfer):
    for got in both(tiff(D65, primaries, transfer)):
        assert (got.icc, got.notes) == (None, ())


def test_a_profile_goes_first():
    icc = made.wide_rgb_profile()
    got = imaging.open(tiff(D65, ADOBE, [0] * 7, iccprofile=icc))
    assert (got.icc, got.notes) == (icc, ())


@pytest.mark.parametrize(
    ("white", "primaries", "transfer", "note"),
    [
        (D65, (0, 1) * 6, None, tiff_colour.DAMAGED),
        (D65, (1, 3) * 6, None, tiff_colour.DAMAGED),
        (D65, (1, 0) * 6, None, tiff_colour.DAMAGED),
        ((0, 0, 0, 0), ADOBE, None, tiff_colour.DAMAGED),
        ((3457, 10000, 3585, 10000), None, None, tiff_colour.LONE_WHITE),
        (None, None, curve(1.0)[::-1], tiff_colour.UNKNOWN_CURVE),
        (D65, SRGB, curve(1.8) + curve(1.0) + curve(1.8), tiff_colour.UNKNOWN_CURVE),
        (D65, SRGB, [0] * 256, tiff_colour.UNKNOWN_CURVE),
        (D65, SRGB, [5], tiff_colour.UNKNOWN_CURVE),
    ],
)
def test_what_cannot_be_understood_is_told(white, primaries, transfer, note):
    for got in both(tiff(white, primaries, transfer)):
        assert (got.icc, got.notes) == (None, (note,))


def test_primaries_stay_where_only_the_curve_is_unknown():
    for got in both(tiff(D65, P3, [0] * 256)):
        assert profile.describe(got.icc) == "RGB as declared, gamma 2.2"
        assert got.notes == (tiff_colour.UNKNOWN_CURVE,)


def test_of_grey_primaries_say_nothing():
    grey = made.photo(channels=1)
    for got in both(tiff((3457, 10000, 3585, 10000), ADOBE, curve(2.2), pixels=grey)):
        assert (got.is_grey, got.icc, got.notes) == (True, None, ())
    for got in both(tiff(transfer=curve(1.0), pixels=grey)):
        assert (profile.describe(got.icc), got.notes) == ("Grey, gamma 1", ())


def test_a_curve_alone_tells_the_tones():
    for got in both(tiff(transfer=curve(1.0))):
        assert (profile.describe(got.icc), got.notes) == ("BT.709, gamma 1", ())
