"""What is written comes back, and other libraries read the same."""

import io
import struct
import subprocess
import sys

import imagecodecs
import made
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from hyperfocal import imaging

LOSSLESS = ("png", "tiff", "bmp", "webp")
KINDS = {"grey": (1, False), "rgb": (3, False), "rgba": (3, True), "grey and alpha": (1, True)}


@pytest.mark.parametrize("format", LOSSLESS)
@pytest.mark.parametrize("kind", KINDS)
def test_lossless_formats_give_back_every_sample(format, kind):
    channels, alpha = KINDS[kind]
    given_ = made.picture(channels, alpha=alpha)
    got = imaging.open(imaging.encode(given_, format))
    assert got.source == format
    assert got.lossless
    assert got.pixels.dtype == np.uint8
    if got.is_grey == given_.is_grey:
        assert np.array_equal(got.pixels, given_.pixels)
    else:
        assert np.array_equal(got.pixels, np.repeat(given_.pixels[..., None], 3, axis=2))
    assert (got.alpha is not None) == alpha
    if alpha:
        assert np.array_equal(got.alpha, given_.alpha)


@pytest.mark.parametrize("format", ["png", "tiff"])
@pytest.mark.parametrize("kind", KINDS)
def test_sixteen_bits_stay_sixteen_bits(format, kind):
    channels, alpha = KINDS[kind]
    given_ = made.picture(channels, np.uint16, alpha)
    got = imaging.open(imaging.encode(given_, format))
    assert np.array_equal(imaging.to_array(got), imaging.to_array(given_))
    assert got.pixels.dtype == np.uint16


def test_depth_is_told_by_the_type_and_not_by_the_largest_value():
    dark = made.picture(3, np.uint16)
    dark = imaging.Picture(dark.pixels // 400)
    assert dark.pixels.max() < 256
    for format in ("png", "tiff"):
        got = imaging.open(imaging.encode(dark, format))
        assert got.pixels.dtype == np.uint16
        assert np.array_equal(got.pixels, dark.pixels)


@pytest.mark.parametrize("kind", KINDS)
def test_float_tiff_keeps_every_value(kind):
    channels, alpha = KINDS[kind]
    given_ = made.picture(channels, np.float32, alpha)
    given_.pixels[0, 0] = -0.25
    given_.pixels[1, 1] = 17.5
    data = imaging.encode(given_, "tiff")
    assert np.array_equal(imaging.to_array(imaging.open(data)), imaging.to_array(given_))


@pytest.mark.parametrize("format", ["jpeg", "avif", "webp", "heic"])
@pytest.mark.parametrize("kind", ["grey", "rgb"])
def test_lossy_formats_come_close(format, kind):
    if format == "heic":
        pytest.importorskip("pillow_heif")
    given_ = made.picture(KINDS[kind][0])
    data = imaging.encode(given_, format, quality=95)
    got = imaging.open(data)
    assert got.source == format
    assert not got.lossless
    mine, theirs = (imaging.to_array(p).reshape(61, 83, -1) for p in (got, given_))
    assert made.psnr(mine, theirs) > 36
    worse = imaging.encode(given_, format, quality=30)
    assert len(worse) < len(data)


@pytest.mark.parametrize("format", ["avif", "webp", "heic"])
def test_lossy_formats_with_alpha(format):
    if format == "heic":
        pytest.importorskip("pillow_heif")
    given_ = made.picture(3, alpha=True)
    got = imaging.open(imaging.encode(given_, format, quality=95))
    assert made.psnr(got.alpha, given_.alpha) > 36


def test_gif_has_the_colours_that_fit():
    grey = made.picture(1)
    assert np.array_equal(imaging.open(imaging.encode(grey, "gif")).pixels, grey.pixels)
    got = imaging.open(imaging.encode(made.picture(3), "gif"))
    assert made.psnr(got.pixels, made.picture(3).pixels) > 25


@pytest.mark.parametrize("levels", [2, 7, 256])
@pytest.mark.parametrize("alpha", [False, True])
def test_greys_in_a_gif_stay_grey_and_nothing_else_is_said(levels, alpha):
    """Whether its palette has all of them in order, as other programs tell grey, or not."""
    ramp = np.linspace(0, 255, levels).astype(np.uint8)
    pixels = np.resize(ramp, (16, 32))
    clear = np.where(pixels > 99, np.uint8(255), np.uint8(0)) if alpha else None
    given_ = imaging.Picture(pixels, clear)
    got = imaging.open(imaging.encode(given_, "gif"))
    assert got.is_grey
    shown = pixels > 99 if alpha else slice(None)
    assert np.array_equal(got.pixels[shown], pixels[shown])
    assert not any("grey" in note for note in imaging.conversions(given_, "gif"))


def test_256_greys_and_transparency_in_a_gif_share_the_lightest():
    pixels = np.resize(np.arange(256, dtype=np.uint8), (17, 256))
    alpha = np.full(pixels.shape, 255, np.uint8)
    alpha[0] = 0
    got = imaging.open(imaging.encode(imaging.Picture(pixels, alpha), "gif"))
    assert np.array_equal(got.alpha, alpha)
    assert np.array_equal(got.pixels[1:], np.minimum(pixels[1:], 254))


def test_a_gif_with_a_coloured_palette_is_no_grey():
    assert not imaging.open(imaging.encode(made.picture(3), "gif")).is_grey


def test_gif_alpha_is_all_or_nothing():
    given_ = made.picture(3, alpha=True)
    got = imaging.open(imaging.encode(given_, "gif"))
    assert np.array_equal(got.alpha == 0, given_.alpha < 128)
    assert set(np.unique(got.alpha)) == {0, 255}
    opaque = got.alpha == 255
    assert made.psnr(got.pixels[opaque], given_.pixels[opaque]) > 25


def test_webp_is_lossless_when_the_source_was():
    given_ = made.picture(3)
    assert np.array_equal(imaging.open(imaging.encode(given_, "webp")).pixels, given_.pixels)
    photo = imaging.open(imaging.encode(given_, "jpeg"))
    again = imaging.open(imaging.encode(photo, "webp"))
    assert not np.array_equal(again.pixels, photo.pixels)
    assert not again.lossless


# Other libraries as readers.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", ["png", "webp", "bmp", "tiff"])
def test_pillow_reads_the_same(format, kind):
    channels, alpha = KINDS[kind]
    given_ = made.picture(channels, alpha=alpha)
    image = Image.open(io.BytesIO(imaging.encode(given_, format)))
    wanted = imaging.to_pil(given_).convert("RGBA")
    assert np.array_equal(np.asarray(image.convert("RGBA")), np.asarray(wanted))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("kind", KINDS)
def test_tifffile_reads_the_same(dtype, kind):
    channels, alpha = KINDS[kind]
    given_ = made.picture(channels, dtype, alpha)
    got = tifffile.imread(io.BytesIO(imaging.encode(given_, "tiff")))
    colour = given_.pixels if channels == 3 else given_.pixels[..., None]
    planes = [colour] if given_.alpha is None else [colour, given_.alpha[..., None]]
    assert got.dtype == dtype
    assert np.array_equal(got.reshape(61, 83, -1), np.concatenate(planes, axis=2))


def test_libtiff_reads_what_has_many_strips():
    tall = imaging.Picture(made.photo(2111, 301))
    data = imaging.encode(tall, "tiff")
    assert np.array_equal(imagecodecs.tiff_decode(data), tall.pixels)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), tall.pixels)


def test_beyond_four_gigabytes_tiff_becomes_bigtiff(monkeypatch):
    from hyperfocal.imaging import write_tiff

    monkeypatch.setattr(write_tiff, "_BIG", 1000)
    given_ = made.picture(3, np.uint16, metadata=made.metadata())
    data = imaging.encode(given_, "tiff")
    assert data[:4] == b"II+\0"
    assert np.array_equal(tifffile.imread(io.BytesIO(data)), given_.pixels)
    got = imaging.open(data)
    assert np.array_equal(got.pixels, given_.pixels)
    assert got.metadata.xmp == made.XMP
    assert made.parsed(got.metadata.exif).fields[271].data == b"Maker\0"


@settings(max_examples=40)
@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.one_of(
            st.tuples(st.integers(1, 40), st.integers(1, 40)),
            st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([3, 4])),
        ),
        # Few distinct values make filters and matches matter; noise alone would not compress.
        elements=st.integers(0, 255),
    )
)
def test_png_of_any_shape_is_what_libpng_reads(array):
    data = imaging.encode(imaging.from_array(array), "png")
    assert np.array_equal(imagecodecs.png_decode(data), array)
    assert np.array_equal(imaging.to_array(imaging.open(data)), array)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_in_many_stripes(dtype):
    """Several stripes, each with a filter of its own choice, joined in one stream."""
    parts = [
        made.photo(900, 601, dtype=dtype),
        np.random.default_rng(0).integers(0, 255, (900, 601, 3)).astype(dtype),
        np.tile(made.photo(1, 601, dtype=dtype), (900, 1, 1)),
    ]
    array = np.concatenate(parts)
    data = imaging.encode(imaging.from_array(array), "png")
    assert data.count(b"IDAT") > 3
    assert np.array_equal(imagecodecs.png_decode(data), array)
    if dtype == np.uint8:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), array)


@settings(max_examples=60)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_the_sum_of_two_runs(one, other):
    import zlib

    from hyperfocal.imaging.write_png import adler_of_both

    both = adler_of_both(zlib.adler32(one), zlib.adler32(other), len(other))
    assert both == zlib.adler32(one + other)


@pytest.mark.parametrize("quality", [60, 95])
@pytest.mark.parametrize("shape", [(2003, 1207, 3), (2003, 1207), (17, 9, 3), (1, 1, 3)])
def test_striped_jpeg_is_what_encoding_it_whole_gives(shape, quality):
    array = made.photo(*shape[:2], channels=3 if len(shape) == 3 else 1)
    data = imaging.encode(imaging.from_array(array), "jpeg", quality=quality)
    colour = {} if len(shape) == 2 else {"subsampling": "4:4:4" if quality >= 90 else "4:2:0"}
    whole = made.filed(array, "JPEG", quality=quality, **colour)
    if shape[0] > 1000:
        assert b"\xff\xdd\0\4" in data
    assert np.array_equal(
        np.asarray(Image.open(io.BytesIO(data))), np.asarray(Image.open(io.BytesIO(whole)))
    )
    assert np.array_equal(imaging.open(data).pixels, np.asarray(Image.open(io.BytesIO(whole))))


def test_more_stripes_than_restart_numbers():
    """There are eight restart markers, used in turn."""
    from hyperfocal.imaging import write_jpeg

    array = made.photo(3000, 700)
    before = write_jpeg._STRIPE
    try:
        write_jpeg._STRIPE = 1 << 17
        data = imaging.encode(imaging.from_array(array), "jpeg")
    finally:
        write_jpeg._STRIPE = before
    assert data.count(b"\xff\xd7") >= 2
    whole = made.filed(array, "JPEG", quality=95, subsampling="4:4:4")
    assert np.array_equal(imaging.open(data).pixels, np.asarray(Image.open(io.BytesIO(whole))))


def test_sixteen_to_eight_bits_is_rounded():
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    got = imaging.open(imaging.encode(imaging.from_array(every), "png", bit_depth=8)).pixels
    assert np.array_equal(got, np.round(every / 257).astype(np.uint8))


def test_eight_to_sixteen_bits_and_back_is_exact():
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    deep = imaging.open(imaging.encode(imaging.from_array(every), "png", bit_depth=16)).pixels
    assert deep.dtype == np.uint16
    assert np.array_equal(deep, every.astype(np.uint16) * 257)


def test_float_to_integers_is_clipped_and_rounded():
    values = np.array([[-1.0, 0.0, 0.5, 1.0, 3.0, np.nan, np.inf]], np.float32)
    given_ = imaging.Picture(values)
    assert imaging.open(imaging.encode(given_, "png", bit_depth=8)).pixels.tolist() == [
        [0, 0, 128, 255, 255, 0, 255]
    ]
    assert imaging.open(imaging.encode(given_, "png")).pixels.tolist() == [
        [0, 0, 32768, 65535, 65535, 0, 65535]
    ]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_jpeg_lays_alpha_over_white(dtype):
    pixels = np.zeros((16, 48, 3), dtype)
    alpha = np.zeros((16, 48), dtype)
    full = 1 if dtype == np.float32 else np.iinfo(dtype).max
    alpha[:, 16:32] = full / 2 if dtype == np.float32 else full // 2
    alpha[:, 32:] = full
    got = imaging.open(imaging.encode(imaging.Picture(pixels, alpha), "jpeg")).pixels
    assert np.abs(got[:, 4:12].astype(int) - 255).max() <= 1
    assert np.abs(got[:, 20:28].astype(int) - 128).max() <= 2
    assert got[:, 36:44].max() <= 1


def clipped(picture, format, **options):
    return [note for note in imaging.conversions(picture, format, **options) if "clipped" in note]


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif", "bmp", "gif"])
def test_samples_that_integers_cannot_hold_are_clipped_and_said(format):
    pixels = made.photo(height=301, dtype=np.float32)
    pixels[0, 0], pixels[300, 7, 1] = 1.0, 0.0
    for slightly in (0.0, 1e-6):
        assert clipped(imaging.Picture(pixels + np.float32(slightly)), format) == []
    pixels[300, 3, 2], pixels[7, 0, 0] = 7.5, -0.25
    want = ["samples from -0.25 to 7.5 were clipped to 0 to 1"]
    assert clipped(imaging.Picture(pixels), format) == want
    assert clipped(imaging.Picture(pixels), "tiff") == []
    assert clipped(imaging.Picture(pixels), "tiff", bit_depth=16) == want
    alpha = np.ones(pixels.shape[:2], np.float32)
    alpha[300], alpha[:8] = 0.0, 0.0
    assert clipped(imaging.Picture(pixels, alpha), format) == []


def test_transparency_that_gif_cannot_hold_is_told():
    partial = made.picture(3, alpha=True)
    told = "transparency is all or nothing in GIF: what was partial became one of these"
    assert told in imaging.conversions(partial, "gif")
    sharp = imaging.Picture(
        partial.pixels, np.where(partial.alpha > 127, np.uint8(255), np.uint8(0))
    )
    assert told not in imaging.conversions(sharp, "gif")
    assert told not in imaging.conversions(partial, "png")


def test_grey_that_becomes_rgb_is_told():
    for format in imaging.WRITABLE:
        if imaging.FORMATS[format].extra is not None:
            continue
        given = made.picture(1)
        becomes_rgb = not imaging.open(imaging.encode(given, format)).is_grey
        told = any("has no grey" in note for note in imaging.conversions(given, format))
        assert told == becomes_rgb


def test_bmp_is_a_version_5_bitmap():
    data = imaging.encode(made.picture(3), "bmp")
    assert struct.unpack_from("<I", data, 2)[0] == len(data)
    assert struct.unpack_from("<I", data, 14)[0] == 124


def test_many_threads_at_once():
    from concurrent.futures import ThreadPoolExecutor

    formats = ("png", "jpeg", "tiff", "webp", "bmp", "avif")
    pictures = [imaging.Picture(made.photo(64 + n, 80, seed=n), lossless=True) for n in range(24)]

    def there_and_back(number):
        got = imaging.open(imaging.encode(pictures[number], formats[number % len(formats)]))
        return made.psnr(got.pixels, pictures[number].pixels)

    with ThreadPoolExecutor(8) as pool:
        assert min(pool.map(there_and_back, range(24))) > 35


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, hyperfocal.imaging; hyperfocal.imaging.WRITABLE;"
        "print([m for m in ('PIL', 'imagecodecs', 'tifffile', 'isal') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
