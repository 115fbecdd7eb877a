"""Arrays and Pillow images in and out."""

import io

import made
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from hyperfocal import imaging
from hyperfocal.errors import ArrayError
from hyperfocal.imaging import exif, ifd


@settings(max_examples=60)
@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.uint16, np.dtype(">u2")]),
        st.one_of(
            st.tuples(st.integers(1, 9), st.integers(1, 9)),
            st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([3, 4])),
        ),
    )
)
def test_integers_come_back(array):
    got = imaging.to_array(imaging.from_array(array))
    assert got.dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(got, array)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_float32(dtype):
    array = made.photo(dtype=np.float32).astype(dtype)
    got = imaging.from_array(array)
    assert got.pixels.dtype == np.float32
    assert np.array_equal(got.pixels, array.astype(np.float32))


def test_views_of_any_layout():
    array = made.photo(channels=4)
    for view in (array[::-1, ::2], array.transpose(1, 0, 2), np.asfortranarray(array)):
        assert np.array_equal(imaging.to_array(imaging.from_array(view)), view)


def test_grey_with_alpha_comes_out_as_four_channels():
    given_ = made.picture(1, alpha=True)
    got = imaging.to_array(given_)
    assert got.shape == (61, 83, 4)
    assert all(np.array_equal(got[..., c], given_.pixels) for c in range(3))
    assert np.array_equal(got[..., 3], given_.alpha)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 2), np.uint8), "no picture"),
        (np.zeros((4, 4, 1), np.uint8), "no picture"),
        (np.zeros((2, 4, 4, 3), np.uint8), "no picture"),
        (np.zeros(4, np.uint8), "no picture"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.zeros((4, 4), np.int32), "int32 are not taken"),
        (np.zeros((4, 4), bool), "bool are not taken"),
        (np.zeros((4, 4), complex), "complex128 are not taken"),
        (np.array([["a", "b"]]), "are not taken"),
        (np.full((4, 4), 255.0), "from 255 to 255"),
        (np.full((4, 4), -0.1), r"\[0, 1\]"),
        (np.full((4, 4), np.nan), "NaN"),
        (np.full((4, 4), np.inf), "infinite"),
        (np.ma.masked_equal(np.arange(16, dtype=np.uint8).reshape(4, 4), 3), "masked samples"),
    ],
)
def test_what_is_no_picture(array, message):
    with pytest.raises(ArrayError, match=message):
        imaging.from_array(array)


def test_a_masked_array_that_masks_nothing_is_a_picture():
    array = np.arange(16, dtype=np.uint8).reshape(4, 4)
    got = imaging.from_array(np.ma.MaskedArray(array))
    np.testing.assert_array_equal(imaging.to_array(got), array)


# Pillow


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX",
                                  "YCbCr", "HSV", "I;16", "I", "F", "CMYK"])  # fmt: skip
def test_every_mode_of_pillow(mode):
    rgba = Image.fromarray(made.photo(channels=4))
    rgba.putalpha(rgba.getchannel("A").point(lambda v: max(v, 100)))
    deep = made.photo(channels=1, dtype=np.uint16)
    if mode == "I;16":
        image, wanted = Image.fromarray(deep), deep
    elif mode == "I":
        image, wanted = Image.fromarray(deep.astype(np.int32)), deep
    elif mode == "F":
        image = Image.fromarray(deep.astype(np.float32) / 65535)
        wanted = np.asarray(image)
    else:
        source = rgba.convert("LA") if mode in ("La", "PA") else rgba
        image = (
            source.convert("RGB").convert(mode) if mode in ("HSV", "P") else source.convert(mode)
        )
        plain = {"1": "L", "L": "L", "LA": "LA", "La": "LA", "RGBA": "RGBA", "RGBa": "RGBA",
                 "PA": "RGBA"}.get(mode, "RGB")  # fmt: skip
        wanted = np.asarray(image.convert(plain))
    got = imaging.from_pil(image)
    values = [got.pixels if got.pixels.ndim == 3 else got.pixels[..., None]]
    if got.alpha is not None:
        values.append(got.alpha[..., None])
    assert np.array_equal(np.concatenate(values, axis=2), wanted.reshape(61, 83, -1))


def test_palettes_and_keys_with_transparency():
    image = Image.fromarray(made.photo()).quantize(16)
    image.info["transparency"] = 3
    got = imaging.from_pil(image)
    assert np.array_equal(got.alpha == 0, np.asarray(image) == 3)
    grey = Image.fromarray(made.photo(channels=1))
    grey.info["transparency"] = 90
    assert np.array_equal(imaging.from_pil(grey).alpha == 0, np.asarray(grey) == 90)


@pytest.mark.parametrize("mode", ["1", "I;16", "I"])
def test_a_colour_key_in_grey_of_one_or_sixteen_bits(mode):
    deep = np.round(made.photo(channels=1, dtype=np.uint16) / 4096).astype(np.uint16) * 4096
    image = Image.fromarray(deep)
    image, key = (image, 4096 * 5) if mode != "1" else (Image.fromarray(deep > 30000), 255)
    data = made.filed(image, "PNG", transparency=1 if mode == "1" else key)
    opened = Image.open(io.BytesIO(data))
    if mode == "I":
        opened = opened.convert("I")
    assert (opened.mode, opened.info["transparency"]) == (mode, key)
    got, of_file = imaging.from_pil(opened), imaging.open(data)
    assert 0 < np.count_nonzero(got.alpha == 0) < got.alpha.size
    assert np.array_equal(got.alpha == 0, got.pixels == key)
    assert got.alpha.dtype == of_file.alpha.dtype
    assert np.array_equal(got.alpha, of_file.alpha)
    assert np.array_equal(got.pixels, of_file.pixels)


@pytest.mark.parametrize("key", [b"\0\1", "rubbish", (1, 2, 3), 70_000, -1])
def test_a_key_that_no_sample_can_be(key):
    image = Image.fromarray(made.photo(channels=1, dtype=np.uint16))
    image.info["transparency"] = key
    alpha = imaging.from_pil(image).alpha
    assert alpha is None or alpha.all()


def test_orientation_profile_and_resolution_of_an_image():
    image = Image.fromarray(made.photo())
    image.info.update(
        exif=exif.PREFIX + made.exif_block(orientation=6),
        icc_profile=made.wide_rgb_profile(),
        dpi=(300, 300),
        xmp=made.XMP,
    )
    got = imaging.from_pil(image)
    assert np.array_equal(got.pixels, np.rot90(made.photo(), -1))
    assert got.icc == made.wide_rgb_profile()
    assert got.metadata.dpi == (300.0, 300.0)
    assert made.parsed(got.metadata.exif).integer(274) == 1
    back = imaging.to_pil(got)
    assert back.info["icc_profile"] == got.icc
    assert back.getexif()[271] == "Maker"
    assert back.getexif()[274] == 1
    image.info.update(exif=b"rubbish", dpi=("a", None))
    got = imaging.from_pil(image)
    assert got.metadata.exif is None
    assert got.metadata.dpi is None
    assert got.notes == (exif.DAMAGED,)


def adobe_rgb_block(index=b"R03\0"):
    """EXIF of an optional file of DCF 2.0, or of a usual one."""
    related, photo, main = ifd.Directory(), ifd.Directory(), ifd.Directory()
    related.fields[1] = ifd.Field(ifd.ASCII, index)
    photo.put(0xA001, ifd.SHORT, 65535)
    photo.fields[ifd.INTEROP_IFD] = ifd.Field(ifd.LONG, inside=related)
    main.fields[ifd.EXIF_IFD] = ifd.Field(ifd.LONG, inside=photo)
    return exif.PREFIX + ifd.block(main)


def test_an_image_whose_exif_says_adobe_rgb():
    def opened(format, **options):
        data = made.filed(made.photo(), format, **options)
        return imaging.from_pil(Image.open(io.BytesIO(data))), imaging.open(data)

    got, of_file = opened("JPEG", exif=adobe_rgb_block())
    assert got.icc == of_file.icc is not None
    assert opened("JPEG", exif=adobe_rgb_block(b"R98\0"))[0].icc is None
    # Where the file says something else, and in other formats, it is no more than by path.
    wide = made.wide_rgb_profile()
    assert opened("JPEG", exif=adobe_rgb_block(), icc_profile=wide)[0].icc == wide
    got, of_file = opened("PNG", exif=adobe_rgb_block())
    assert got.icc == of_file.icc is None
    grey = made.filed(made.photo(channels=1), "JPEG", exif=adobe_rgb_block())
    assert imaging.from_pil(Image.open(io.BytesIO(grey))).icc is None


@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
def test_an_image_that_was_worked_on_gets_no_profile_by_a_guess(format):
    """Pillow no longer says of what format it was, and only a camera's JPEG means it so."""
    data = made.filed(made.photo(), format, exif=adobe_rgb_block())
    image = Image.open(io.BytesIO(data)).resize((40, 30))
    assert image.format is None
    got = imaging.from_pil(image)
    assert got.icc is None
    assert "EXIF says Adobe RGB" in "".join(got.notes)
    # Where there is a profile, it is handed on.
    got = imaging.open(data)
    again = imaging.from_pil(imaging.to_pil(got).resize((40, 30)))
    assert again.icc == got.icc
    assert (got.icc is not None) == (format == "JPEG")


DISPLAY_P3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
SRGB = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


@pytest.mark.parametrize(
    ("channels", "chunks", "has_profile", "notes"),
    [
        (3, {b"cHRM": DISPLAY_P3}, True, ()),
        (3, {b"cHRM": DISPLAY_P3, b"gAMA": (55556,)}, True, ()),
        (3, {b"cHRM": SRGB, b"gAMA": (100_000,)}, True, ()),
        (3, {b"cHRM": SRGB, b"gAMA": (45455,)}, False, ()),
        (3, {b"gAMA": (100_000,)}, True, ()),
        (3, {b"gAMA": (45455,)}, False, ()),
        (1, {b"gAMA": (100_000,), b"cHRM": DISPLAY_P3}, True, ()),
        (1, {b"gAMA": (45455,)}, False, ()),
        (3, {b"gAMA": (2_000_000,)}, False, ("a damaged gAMA chunk was dropped",)),
        (1, {b"cHRM": DISPLAY_P3}, False, ()),
        (3, {b"cHRM": (0,) * 8}, False, ("a damaged cHRM chunk was dropped",)),
    ],
)  # fmt: skip
def test_an_image_of_a_png_with_primaries_and_gamma(channels, chunks, has_profile, notes):
    data = made.filed(made.photo(channels=channels), "PNG")
    for kind, values in chunks.items():
        data = made.with_chunk(data, kind, f">{len(values)}I", *values)
    got, of_file = imaging.from_pil(Image.open(io.BytesIO(data))), imaging.open(data)
    assert got.icc == of_file.icc
    assert (got.icc is not None) == has_profile
    assert got.notes == of_file.notes == notes
    # sRGB's own chunk goes before both.
    data = made.with_chunk(data, b"sRGB", ">B", 0)
    assert imaging.from_pil(Image.open(io.BytesIO(data))).icc is None


def test_an_image_with_primaries_that_are_none():
    image = Image.fromarray(made.photo())
    for values in ((), (0.3, 0.3), "rubbish", 5):
        image.info.update(chromaticity=values, gamma="rubbish")
        got = imaging.from_pil(image)
        assert got.icc is None
        assert len(got.notes) == 1


# By Pillow.
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "block", [b"rubbish", b"II*\0", b"II*\0\x08\0\0\0\xff\xff", b"II*\0\xff\xff\xff\xff"]
)
def test_a_cmyk_image_of_damaged_exif(block):
    data = made.filed(
        Image.fromarray(made.photo(channels=4), "CMYK"), "JPEG", exif=exif.PREFIX + block
    )
    image = Image.open(io.BytesIO(data))
    for worked_on in (image, image.copy(), image.resize((40, 30))):
        got = imaging.from_pil(worked_on)
        assert got.metadata.exif is None
        assert got.notes.count(exif.DAMAGED) == 1


def test_a_cmyk_image_with_a_profile():
    image = Image.fromarray(made.photo(channels=4), "CMYK")
    plain = imaging.from_pil(image)
    image.info["icc_profile"] = made.cmyk_profile()
    through = imaging.from_pil(image)
    assert through.icc is None
    assert made.psnr(plain.pixels, through.pixels) < 30


@pytest.mark.parametrize(
    ("given_", "mode"),
    [
        (made.picture(1), "L"),
        (made.picture(3), "RGB"),
        (made.picture(1, alpha=True), "LA"),
        (made.picture(3, alpha=True), "RGBA"),
        (made.picture(1, np.uint16), "I;16"),
        (made.picture(1, np.float32), "F"),
        (made.picture(3, np.uint16), "RGB"),
        (made.picture(3, np.float32, True), "RGBA"),
    ],
)
def test_modes_that_come_out(given_, mode):
    image = imaging.to_pil(given_)
    assert image.mode == mode
    assert image.size == (83, 61)
    got = imaging.from_pil(image)
    scale = np.abs(got.pixels / got.full_scale - given_.pixels / given_.full_scale).max()
    assert scale <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("LAB", (4, 4)), "mode LAB"),
        (Image.fromarray(np.full((4, 4), 70_000, np.int32)), "mode I must hold"),
        (Image.fromarray(np.full((4, 4), 2.0, np.float32)), "mode F must hold"),
        (Image.new("RGB", (0, 4)), "no pixels"),
    ],
)
def test_images_that_are_no_pictures(image, message):
    with pytest.raises(ArrayError, match=message):
        imaging.from_pil(image)
