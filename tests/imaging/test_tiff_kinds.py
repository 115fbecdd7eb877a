"""TIFF files whose first page is not the picture, or whose samples mean something unusual."""

import io
import struct
import warnings

import made
import numpy as np
import pytest
import tifffile
from PIL import Image

from hyperfocal import imaging
from hyperfocal.errors import ArrayError, BrokenPicture, UnknownFormat
from hyperfocal.imaging import exif, ifd
from hyperfocal.imaging.header import UNUSED_ALPHA
from hyperfocal.imaging.tiff_pages import is_camera_raw

RGB = made.photo()
SMALL = np.ascontiguousarray(RGB[::4, ::4])
SENSOR = made.photo(channels=1, dtype=np.uint16)
ALPHA = made.photo(channels=1, seed=5)
DNG_VERSION = (50706, "B", 4, b"\1\4\0\0", True)
FILTERS = [(33421, "H", 2, (2, 2), True), (33422, "B", 4, b"\0\1\1\2", True)]


def tiff(*pages):
    """Pages of pixels and tifffile's options for them."""
    sink = io.BytesIO()
    with tifffile.TiffWriter(sink) as writer:
        for pixels, options in pages:
            writer.write(pixels, metadata=None, **options)
    return sink.getvalue()


def entry(data, tag):
    """Where the first directory's 12 bytes for ``tag`` lie."""
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    places = range(first + 2, first + 2 + 12 * count, 12)
    return next(at for at in places if struct.unpack_from("<H", data, at) == (tag,))


def without(data, tag):
    """The same file with a field that is nothing but padding in place of ``tag``."""
    out = bytearray(data)
    struct.pack_into("<H", out, entry(out, tag), 59932)
    return bytes(out)


def raw_files():
    preview = {"photometric": "rgb", "subfiletype": 1}
    sensor = {"photometric": 32803, "extratags": FILTERS}
    canon = bytearray(tiff((RGB, {"photometric": "rgb"})))
    # A directory may lie anywhere: moved to the end, it makes room for Canon's mark.
    (first,) = struct.unpack_from("<I", canon, 4)
    count = struct.unpack_from("<H", canon, first)[0]
    moved = bytes(canon[first : first + 6 + 12 * count])
    struct.pack_into("<I", canon, 4, len(canon))
    canon[8:12] = b"CR\2\0"
    return {
        "DNG": tiff(
            (SMALL, {**preview, "subifds": 1, "extratags": [DNG_VERSION]}), (SENSOR, sensor)
        ),
        "linear DNG": tiff(
            (SMALL, {**preview, "subifds": 1, "extratags": [DNG_VERSION]}),
            (RGB, {"photometric": 34892}),
        ),
        "NEF and ARW": tiff((SMALL, {**preview, "subifds": 1}), (SENSOR, sensor)),
        "PEF": tiff((SENSOR, sensor), (SMALL, preview)),
        "preview, then sensor": tiff((SMALL, preview), (SENSOR, sensor)),
        "DNG whose SubIFD is cut": tiff((SMALL, {**preview, "extratags": [DNG_VERSION]})),
        "CR2": bytes(canon) + moved,
    }


@pytest.mark.parametrize("name", raw_files())
def test_camera_raw_files_are_no_pictures(tmp_path, name):
    """Their preview must not pass for the photograph."""
    path = tmp_path / "a.raw"
    path.write_bytes(raw_files()[name])
    with pytest.raises(UnknownFormat, match=r"a\.raw: a camera raw file: develop it first"):
        imaging.open(path)
    with pytest.raises(UnknownFormat, match="develop it first"):
        imaging.inspect(path)
    assert is_camera_raw(path)


@pytest.mark.parametrize("tags", [[], [DNG_VERSION]])
def test_a_whole_picture_with_smaller_ones_below_it_is_a_picture(tmp_path, tags):
    data = tiff(
        (RGB, {"photometric": "rgb", "subifds": 2, "extratags": tags}),
        (RGB[::2, ::2], {"photometric": "rgb", "subfiletype": 1}),
        (SMALL, {"photometric": "rgb", "subfiletype": 1}),
    )
    got = imaging.open(data)
    assert np.array_equal(got.pixels, RGB)
    missed = ("data for developing a raw picture (DNG) were dropped",)
    assert got.notes == (missed if tags else ())
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    assert not is_camera_raw(path)


def test_what_is_cut_or_no_tiff_is_no_raw_file(tmp_path):
    path = tmp_path / "a"
    for data in (b"II*\0", b"II*\0\xff\xff\0\0", b"text"):
        path.write_bytes(data)
        assert not is_camera_raw(path)


def test_a_thumbnail_before_the_picture_is_passed_over():
    block = [(271, "s", 0, "Maker", True), (274, "H", 1, 6, True)]
    data = tiff(
        (SMALL, {"photometric": "rgb", "subfiletype": 1, "extratags": block}),
        (RGB, {"photometric": "rgb", "compression": "zlib", "predictor": True}),
    )
    facts = imaging.inspect(data)
    assert (facts.width, facts.height, facts.frames) == (83, 61, 1)
    got = imaging.open(data)
    assert np.array_equal(got.pixels, RGB)
    assert got.notes == ()
    assert made.parsed(got.metadata.exif).fields[271].data == b"Maker\0"


def test_only_whole_pages_are_frames():
    reduced = {"photometric": "rgb", "subfiletype": 1}
    whole = {"photometric": "rgb"}
    got = imaging.open(tiff((SMALL, reduced), (RGB, whole), (SMALL, reduced), (RGB, whole)))
    assert np.array_equal(got.pixels, RGB)
    assert "only the first of 2 frames was read" in got.notes


def test_a_thumbnail_above_the_picture_is_passed_over():
    data = tiff(
        (SMALL, {"photometric": "rgb", "subfiletype": 1, "subifds": 1}),
        (RGB, {"photometric": "rgb"}),
    )
    assert np.array_equal(imaging.open(data).pixels, RGB)


def test_a_thumbnail_alone_is_what_there_is():
    data = tiff((SMALL, {"photometric": "rgb", "subfiletype": 1}))
    assert np.array_equal(imaging.open(data).pixels, SMALL)


def test_a_thumbnail_whose_picture_cannot_be_found():
    data = tiff(
        (SMALL, {"photometric": "rgb", "subfiletype": 1, "subifds": 1}),
        (RGB, {"photometric": "rgb"}),
    )
    data = bytearray(data)
    struct.pack_into("<I", data, entry(data, 330) + 8, len(data) - 3)
    with pytest.raises(UnknownFormat, match="only a reduced copy"):
        imaging.open(bytes(data))


# YCbCr


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
def test_ycbcr_becomes_rgb(compression):
    image = Image.fromarray(RGB).convert("YCbCr")
    got = imaging.open(made.filed(image, "TIFF", compression=compression))
    assert np.abs(got.pixels.astype(int) - np.asarray(image.convert("RGB"))).max() <= 1


def ycbcr(pixels, luma, reference, **options):
    shares = [part for share in luma for part in (round(share * 10000), 10000)]
    codes = [part for code in reference for part in (code, 1)]
    tags = [
        (530, "H", 2, (1, 1), True),
        (529, "2I", 3, tuple(shares), True),
        (532, "2I", 6, tuple(codes), True),
    ]
    return tiff((pixels, {"photometric": "ycbcr", "extratags": tags, **options}))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", [False, True])
def test_ycbcr_by_its_own_coefficients_and_reference(bits, planar):
    """Video levels and the coefficients of ITU-R BT.709."""
    red, _, blue = luma = (0.2126, 0.7152, 0.0722)
    step = 1 << (bits - 8)
    wanted = RGB / 255.0
    y = wanted @ luma
    cb, cr = (wanted[..., 2] - y) / (2 - 2 * blue), (wanted[..., 0] - y) / (2 - 2 * red)
    codes = np.dstack([16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr]) * step
    codes = np.round(codes).astype(np.uint8 if bits == 8 else np.uint16)
    reference = [code * step for code in (16, 235, 128, 240, 128, 240)]
    options = {"planarconfig": "separate"} if planar else {}
    stored = np.moveaxis(codes, 2, 0) if planar else codes
    got = imaging.open(ycbcr(stored, luma, reference, **options))
    assert got.bit_depth == bits
    # Colour spans 127 codes of 8 bits, not 127.5, which is TIFF's own rounding.
    assert np.abs(got.pixels / got.full_scale - wanted).max() < 0.012


def test_ycbcr_with_impossible_fields_is_taken_by_the_defaults():
    image = Image.fromarray(RGB).convert("YCbCr")
    got = imaging.open(ycbcr(np.asarray(image), (0.3, 0.0, 0.7), (9, 9, 128, 255, 128, 255)))
    assert np.abs(got.pixels.astype(int) - np.asarray(image.convert("RGB"))).max() <= 1


def test_ycbcr_that_would_come_out_in_wrong_colours():
    data = made.filed(Image.fromarray(RGB).convert("YCbCr"), "TIFF")
    halved = bytearray(data)
    struct.pack_into("<HH", halved, entry(halved, 530) + 8, 2, 2)
    for stored in (bytes(halved), without(data, 530)):
        with pytest.raises(UnknownFormat, match="fewer colour samples is read only as JPEG"):
            imaging.open(stored)
    tags = [(530, "H", 2, (1, 1), True)]
    floats = tiff((RGB.astype(np.float32), {"photometric": "ycbcr", "extratags": tags}))
    with pytest.raises(UnknownFormat, match="8 or 16 bits"):
        imaging.open(floats)


def test_ycbcr_inside_jpeg_is_left_to_its_decoder():
    data = made.filed(Image.fromarray(RGB), "TIFF", compression="jpeg", quality=95)
    assert imaging.inspect(data).mode == "rgb"
    assert made.psnr(imaging.open(data).pixels, RGB) > 30


# Palettes and extra samples


def test_a_palette_of_eight_bits_in_a_map_of_sixteen():
    image = Image.fromarray(RGB).quantize(32)
    data = bytearray(made.filed(image, "TIFF"))
    count, at = struct.unpack_from("<II", data, entry(data, 320) + 4)
    table = np.frombuffer(bytes(data[at : at + 2 * count]), "<u2") >> 8
    data[at : at + 2 * count] = table.astype("<u2").tobytes()
    got = imaging.open(bytes(data))
    assert np.array_equal(got.pixels, np.asarray(image.convert("RGB")))


def test_a_fourth_sample_that_is_not_explained_is_alpha():
    rgba = np.dstack([RGB, ALPHA])
    data = without(tiff((rgba, {"photometric": "rgb", "extrasamples": ["unassalpha"]})), 338)
    assert imaging.inspect(data).has_alpha
    assert np.array_equal(imaging.to_array(imaging.open(data)), rgba)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_fourth_sample_that_nobody_explained_or_filled_does_not_make_the_picture_black(dtype):
    colour = made.photo(dtype=dtype)
    rgbx = np.dstack([colour, np.zeros((61, 83), dtype)])
    declared = tiff((rgbx, {"photometric": "rgb", "extrasamples": ["unassalpha"]}))
    got = imaging.open(without(declared, 338))
    assert got.alpha is None
    assert np.array_equal(got.pixels, colour)
    assert got.notes == (UNUSED_ALPHA,)
    # Where it is declared, it may be meant.
    got = imaging.open(declared)
    assert not got.alpha.any()
    assert got.notes == ("the picture is transparent everywhere: its alpha is 0",)


@pytest.mark.parametrize("format", ["png", "webp"])
def test_other_formats_keep_a_picture_that_is_transparent_everywhere(format):
    given = imaging.Picture(RGB, np.zeros((61, 83), np.uint8), lossless=True)
    got = imaging.open(imaging.encode(given, format))
    assert not got.alpha.any()
    assert got.notes == ("the picture is transparent everywhere: its alpha is 0",)


def palettes(bits, places, alpha=None):
    """A TIFF of few bits a sample, which tifffile does not write: its map, and its rows packed."""
    table = np.random.default_rng(0).integers(0, 256, (3, 1 << bits)) * 257
    samples = places[..., None] if alpha is None else np.dstack([places, alpha])
    rows = np.unpackbits(samples.astype(np.uint8)[..., None], axis=3)[..., 8 - bits :]
    packed = np.packbits(rows.reshape(len(rows), -1), axis=1)
    count = samples.shape[2]
    tags = [(320, "H", table.size, tuple(table.ravel().tolist()), True)]
    extra = {} if alpha is None else {"extrasamples": ["unassalpha"]}
    data = bytearray(
        tiff((np.zeros(samples.shape, np.uint8)[..., : 1 if alpha is None else 2].squeeze(),
              {"photometric": "minisblack", "extratags": tags, **extra}))
    )  # fmt: skip
    where = entry(data, 258)
    struct.pack_into("<HH", data, where + 8, *([bits] * count + [0])[:2])
    struct.pack_into("<H", data, entry(data, 262) + 8, 3)
    (start,) = struct.unpack_from("<I", data, entry(data, 273) + 8)
    data[start : start + packed.size] = packed.tobytes()
    at = entry(data, 279)
    struct.pack_into("<HII", data, at + 2, 4, 1, packed.size)
    return bytes(data), (table >> 8).T


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_palette_of_few_bits(bits):
    places = np.random.default_rng(1).integers(0, 1 << bits, (16, 24))
    data, table = palettes(bits, places)
    got = imaging.open(data)
    assert np.array_equal(got.pixels, table[places])
    assert got.alpha is None


def test_samples_of_no_bits():
    data = bytearray(tiff((ALPHA, {"photometric": "minisblack"})))
    struct.pack_into("<H", data, entry(data, 258) + 8, 0)
    with pytest.raises(BrokenPicture, match="have no bits"):
        imaging.open(bytes(data))


def test_a_palette_of_four_bits_with_alpha():
    places = np.random.default_rng(1).integers(0, 16, (16, 24))
    alpha = np.random.default_rng(2).integers(0, 16, (16, 24))
    data, table = palettes(4, places, alpha)
    got = imaging.open(data)
    assert np.array_equal(got.pixels, table[places])
    assert np.array_equal(got.alpha, alpha * 17)


def test_other_samples_that_are_not_explained_are_dropped_and_said():
    two = np.dstack([ALPHA, ALPHA])
    data = without(tiff((two, {"photometric": "minisblack", "extrasamples": ["unspecified"]})), 338)
    assert not imaging.inspect(data).has_alpha
    got = imaging.open(data)
    assert np.array_equal(got.pixels, ALPHA)
    assert got.notes == ("extra channels were dropped",)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_premultiplied_colour_where_alpha_is_none_is_black(dtype):
    """Divided by next to nothing it would be a million, or white."""
    alpha = made.photo(channels=1, dtype=dtype, seed=5)
    alpha[:5] = 0
    given = np.dstack([made.photo(dtype=dtype), alpha])
    got = imaging.open(tiff((given, {"photometric": "rgb", "extrasamples": ["assocalpha"]})))
    assert np.array_equal(got.alpha, alpha)
    assert np.all(got.pixels[:5] == 0)
    assert np.all(got.pixels[5:].max(axis=(1, 2)) > 0)


@pytest.mark.parametrize("value", [-1.797e308, 1e39, -np.finfo(np.float64).max])
def test_doubles_that_are_too_large_for_floats_are_the_largest(value):
    """A value for no data is often the smallest double."""
    values = made.photo(channels=1).astype(np.float64) / 255
    values[:5] = value
    sink = io.BytesIO()
    tifffile.imwrite(sink, values, photometric="minisblack", metadata=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = imaging.open(sink.getvalue())
    assert np.all(got.pixels[:5] == np.sign(value) * np.finfo(np.float32).max)
    assert np.array_equal(got.pixels[5:], values[5:].astype(np.float32))
    assert got.notes[0] == "64-bit float was reduced to 32 bits"


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_doubles_that_are_no_numbers_are_told(value):
    values = np.full((8, 8), value)
    sink = io.BytesIO()
    tifffile.imwrite(sink, values, photometric="minisblack", metadata=None)
    with pytest.raises(BrokenPicture, match="not finite numbers"):
        imaging.open(sink.getvalue())


# By Pillow, of two values where there is to be one.
@pytest.mark.filterwarnings("ignore:Metadata Warning")
@pytest.mark.parametrize("kind", [1, 3, 4])
@pytest.mark.parametrize(("inks", "is_read"), [((1,), True), ((2,), False), ((2, 2), False)])
def test_inks_that_are_not_those_of_cmyk_are_refused(inks, is_read, kind):
    """Their colours are anyone's: InkNames has words for them, and no more."""
    tags = [(332, kind, len(inks), inks if len(inks) > 1 else inks[0], True), (334, 3, 1, 4, True)]
    data = tiff((made.photo(channels=4), {"photometric": "separated", "extratags": tags}))
    image = Image.open(io.BytesIO(data))
    assert image.mode == "CMYK"
    if is_read:
        assert np.array_equal(imaging.open(data).pixels, imaging.from_pil(image).pixels)
    else:
        with pytest.raises(ArrayError, match="inks other than those of CMYK"):
            imaging.from_pil(image)
        for look in (imaging.open, imaging.inspect):
            with pytest.raises(UnknownFormat, match="inks other than those of CMYK"):
                look(data)


def test_inks_in_exif_of_a_jpeg_say_nothing_of_its_pixels():
    main = ifd.Directory()
    main.put(332, ifd.SHORT, 2)
    image = Image.fromarray(made.photo(channels=4), "CMYK")
    data = made.filed(image, "JPEG", exif=exif.PREFIX + ifd.block(main))
    got = imaging.from_pil(Image.open(io.BytesIO(data)))
    assert made.psnr(got.pixels, imaging.open(data).pixels) > 40
