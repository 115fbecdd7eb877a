"""Files of every kind that other programs write."""

import io
import struct
import subprocess
import sys
import zlib

import imagecodecs
import made
import numpy as np
import pytest
import tifffile
from PIL import GifImagePlugin, Image

from hyperfocal import imaging
from hyperfocal.errors import BrokenPicture, UnknownFormat

RGB = made.photo()
GREY = made.photo(channels=1)
RGBA = np.dstack([RGB, made.photo(channels=1, seed=5)])


def tiff(array, **options):
    sink = io.BytesIO()
    tifffile.imwrite(sink, array, **options)
    return sink.getvalue()


# Formats are told by content.


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_a_wrong_suffix_does_not_matter(tmp_path, format):
    path = tmp_path / "picture.xyz"
    path.write_bytes(made.filed(RGB, format))
    wrong = path.rename(tmp_path / ("picture.png" if format != "PNG" else "picture.jpg"))
    assert imaging.open(wrong).source == format.lower()


def test_sniffing_needs_only_the_head():
    for format in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"):
        assert imaging.sniff(made.filed(RGB, format)[:64]) == format.lower()
    assert imaging.sniff(b"BM, said the letter, and went on for a while") is None
    assert imaging.sniff(b"") is None
    assert imaging.sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic\0\0") == "heic"
    assert imaging.sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif\0\0") == "avif"


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.JPG", "jpeg"), ("a.jfif", "jpeg"), ("a.tif", "tiff"), ("a.heic", "heic"), ("a.b", None)],
)
def test_suffixes(name, format):
    assert imaging.format_of_suffix(name) == format


def test_every_kind_of_source(tmp_path):
    data = made.filed(RGB, "PNG")
    path = tmp_path / "in.png"
    path.write_bytes(data)
    sources = [path, str(path), data, bytearray(data), memoryview(data), io.BytesIO(data)]
    for source in sources:
        assert np.array_equal(imaging.open(source).pixels, RGB)
    with path.open("rb") as file:
        assert np.array_equal(imaging.open(file).pixels, RGB)


def test_a_stream_that_gives_a_little_at_a_time():
    class Trickle(io.RawIOBase):
        def __init__(self, data):
            self.rest = data

        def read(self, size=-1):
            piece, self.rest = self.rest[: min(7, size)], self.rest[min(7, size) :]
            return piece

    assert np.array_equal(imaging.open(Trickle(made.filed(RGB, "PNG"))).pixels, RGB)


# PNG


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_png_palettes_of_few_bits(bits):
    image = Image.fromarray(RGB).quantize(1 << bits)
    got = imaging.open(made.filed(image, "PNG", bits=bits))
    assert np.array_equal(got.pixels, np.asarray(image.convert("RGB")))
    assert got.alpha is None


def test_png_of_one_bit():
    image = Image.fromarray(GREY).convert("1")
    got = imaging.open(made.filed(image, "PNG"))
    assert np.array_equal(got.pixels, np.asarray(image.convert("L")))


def test_png_palette_with_transparency():
    image = Image.fromarray(RGB).quantize(64)
    alpha = bytes(range(0, 256, 4))
    got = imaging.open(made.filed(image, "PNG", transparency=alpha))
    wanted = np.asarray(image)
    assert np.array_equal(got.alpha, np.frombuffer(alpha, np.uint8)[wanted])
    assert np.array_equal(got.pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_png_colour_keys(mode):
    image = Image.fromarray(GREY if mode == "L" else RGB)
    key = image.getpixel((3, 4))
    got = imaging.open(made.filed(image, "PNG", transparency=key))
    hit = np.asarray(image) == key
    hit = hit if mode == "L" else hit.all(axis=2)
    assert np.array_equal(got.alpha == 0, hit)
    assert np.array_equal(got.pixels, np.asarray(image))


def test_png_grey_with_alpha_and_sixteen_bit_grey():
    two = np.dstack([GREY, RGBA[..., 3]])
    got = imaging.open(made.filed(Image.fromarray(two, "LA"), "PNG"))
    assert np.array_equal(got.pixels, GREY)
    assert np.array_equal(got.alpha, RGBA[..., 3])
    deep = made.photo(channels=1, dtype=np.uint16)
    assert np.array_equal(imaging.open(imagecodecs.png_encode(deep)).pixels, deep)
    deep = made.photo(channels=4, dtype=np.uint16)
    assert np.array_equal(imaging.to_array(imaging.open(imagecodecs.png_encode(deep))), deep)


def chunk(kind, body):
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check


def adam7(samples, bits, colour, more=b"", cut=0):
    """An interlaced file, assembled by hand: each pass is a small picture of its own."""
    rows = []
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                           (1, 0, 2, 2), (0, 1, 1, 2)):  # fmt: skip
        for row in samples[y0::dy, x0::dx]:
            if row.size:
                packed = np.packbits(row) if bits == 1 else row.astype(">u2" if bits > 8 else "u1")
                rows.append(b"\0" + packed.tobytes())
    height, width = samples.shape[:2]
    body = b"".join(rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 1))
        + more
        + chunk(b"IDAT", zlib.compress(body[: len(body) - cut]))
        + chunk(b"IEND", b"")
    )


DEEP = made.photo(channels=4, dtype=np.uint16)


@pytest.mark.parametrize(("height", "width"), [(61, 83), (3, 2), (1, 1)])
@pytest.mark.parametrize(
    ("samples", "bits", "colour"),
    [
        (RGB, 8, 2),
        (RGBA, 8, 6),
        (GREY > 127, 1, 0),
        (np.dstack([GREY, RGBA[..., 3]]), 8, 4),
        (DEEP[..., 0], 16, 0),
        (DEEP[..., :3], 16, 2),
        (DEEP, 16, 6),
    ],
)
def test_interlaced_png(samples, bits, colour, height, width):
    samples = samples[:height, :width]
    got = imaging.open(adam7(samples, bits, colour))
    wanted = samples * np.uint8(255) if bits == 1 else samples
    channels = got.pixels if got.alpha is None else np.dstack([got.pixels, got.alpha])
    assert channels.dtype == wanted.dtype
    assert np.array_equal(channels, wanted)


def test_interlaced_png_with_a_palette_and_transparency():
    table = np.random.default_rng(0).integers(0, 256, (64, 4), np.uint8)
    more = chunk(b"PLTE", table[:, :3].tobytes()) + chunk(b"tRNS", table[:, 3].tobytes())
    got = imaging.open(adam7(GREY // 4, 8, 3, more))
    assert np.array_equal(np.dstack([got.pixels, got.alpha]), table[GREY // 4])


def test_interlaced_png_that_is_cut():
    with pytest.raises(BrokenPicture, match="PNG"):
        imaging.open(adam7(RGB, 8, 2, cut=1))


def test_animated_png_gives_its_first_frame():
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    got = imaging.open(made.filed(frames[0], "PNG", save_all=True, append_images=frames[1:]))
    assert np.array_equal(got.pixels, RGB)
    assert "only the first of 2 frames was read" in got.notes


def test_warnings_of_libraries_do_not_reach_stderr(tmp_path):
    """In a process of its own: pytest has handlers for everything that is logged."""
    for name, data in (("a", adam7(DEEP, 16, 6)), ("b", adam7(GREY > 127, 1, 0))):
        (tmp_path / name).write_bytes(data)
    code = f"import hyperfocal; [hyperfocal.open(f'{tmp_path}/{{name}}') for name in 'ab']"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


# JPEG


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": "4:2:0"},
                                     {"restart_marker_rows": 1}, {"optimize": True}])  # fmt: skip
def test_jpeg_is_what_pillow_reads(options):
    for array in (RGB, GREY):
        data = made.filed(array, "JPEG", **options)
        assert np.array_equal(imaging.open(data).pixels, np.asarray(Image.open(io.BytesIO(data))))


def test_jpeg_that_stores_rgb():
    data = made.filed(RGB, "JPEG", keep_rgb=True, quality=95)
    assert made.psnr(imaging.open(data).pixels, RGB) > 35


def test_jpeg_of_twelve_bits():
    deep = made.photo(dtype=np.uint16) >> 4
    got = imaging.open(imagecodecs.jpeg8_encode(deep, 98, bitspersample=12, subsampling="444"))
    assert got.pixels.dtype == np.uint16
    assert np.abs(got.pixels / 65535 - deep / 4095).max() < 0.03
    white = np.full((16, 16, 3), 4095, np.uint16)
    got = imaging.open(imagecodecs.jpeg8_encode(white, 98, bitspersample=12))
    assert got.pixels.min() == 65535


def test_jpeg_with_garbage_between_segments_and_behind():
    data = made.filed(RGB, "JPEG")
    with_padding = data[:2] + b"\xff\xff\xff" + data[2:] + b"trailing rubbish"
    assert np.array_equal(imaging.open(with_padding).pixels, imaging.open(data).pixels)


def test_mpo_gives_its_first_picture_and_says_so():
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    got = imaging.open(made.filed(frames[0], "MPO", save_all=True, append_images=frames[1:]))
    assert made.psnr(got.pixels, RGB) > 25
    assert any("further pictures" in note for note in got.notes)


# TIFF


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "lzw", "predictor": True},
        {"compression": "zlib", "predictor": True},
        {"compression": "packbits"},
        {"compression": "zstd"},
        {"tile": (16, 32)},
        {"byteorder": ">"},
        {"bigtiff": True, "byteorder": ">"},
        {"planarconfig": "separate"},
        {"rowsperstrip": 7},
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tiff_layouts(options, dtype):
    array = made.photo(dtype=dtype)
    stored = np.moveaxis(array, 2, 0) if "planarconfig" in options else array
    if options.get("compression") == "lzw" and dtype == np.float32:
        options = {"compression": "lzw"}
    got = imaging.open(tiff(stored, photometric="rgb", **options))
    assert got.pixels.dtype == dtype
    assert np.array_equal(got.pixels, array)


def test_tiff_with_jpeg_inside():
    got = imaging.open(tiff(RGB, compression="jpeg", photometric="rgb"))
    assert made.psnr(got.pixels, RGB) > 25
    assert not got.lossless


def test_tiff_white_is_zero_and_one_bit():
    assert np.array_equal(imaging.open(tiff(255 - GREY, photometric="miniswhite")).pixels, GREY)
    image = Image.fromarray(GREY).convert("1")
    for compression in ("raw", "group4"):
        data = made.filed(image, "TIFF", compression=compression)
        assert np.array_equal(imaging.open(data).pixels, np.asarray(image.convert("L")))


def test_tiff_palette():
    image = Image.fromarray(RGB).quantize(32)
    got = imaging.open(made.filed(image, "TIFF"))
    assert np.array_equal(got.pixels, np.asarray(image.convert("RGB")))


def test_tiff_half_and_double_floats():
    for dtype in (np.float16, np.float64):
        array = made.photo(dtype=np.float32).astype(dtype)
        got = imaging.open(tiff(array, photometric="rgb"))
        assert got.pixels.dtype == np.float32
        assert np.array_equal(got.pixels, array.astype(np.float32))


def test_tiff_of_32_bit_integers_is_reduced_and_says_so():
    array = made.photo(dtype=np.uint16).astype(np.uint32) << 16
    got = imaging.open(tiff(array, photometric="rgb"))
    assert np.array_equal(got.pixels, made.photo(dtype=np.uint16))
    assert "reduced from 32 to 16 bits a sample" in got.notes


def test_tiff_alpha_straight_and_premultiplied():
    got = imaging.open(tiff(RGBA, photometric="rgb", extrasamples=["unassalpha"]))
    assert np.array_equal(imaging.to_array(got), RGBA)
    alpha = np.maximum(RGBA[..., 3], 64)
    stored = np.dstack([np.round(RGB * (alpha[..., None] / 255)).astype(np.uint8), alpha])
    got = imaging.open(tiff(stored, photometric="rgb", extrasamples=["assocalpha"]))
    assert np.array_equal(got.alpha, alpha)
    assert np.abs(got.pixels.astype(int) - RGB).max() <= 2


def test_tiff_extra_channels_are_dropped_and_said():
    five = np.dstack([RGBA, GREY])
    data = tiff(five, photometric="rgb", extrasamples=["unassalpha", "unspecified"])
    got = imaging.open(data)
    assert np.array_equal(imaging.to_array(got), RGBA)
    assert "extra channels were dropped" in got.notes


def test_tiff_pages():
    sink = io.BytesIO()
    with tifffile.TiffWriter(sink) as writer:
        for array in (RGB, 255 - RGB, RGB):
            writer.write(array, photometric="rgb")
    got = imaging.open(sink.getvalue())
    assert np.array_equal(got.pixels, RGB)
    assert "only the first of 3 frames was read" in got.notes


@pytest.mark.parametrize(
    "data",
    [
        tiff(GREY.astype(np.int16), photometric="minisblack"),
        tiff(GREY.astype(np.complex64), photometric="minisblack"),
        tiff(RGB, photometric="cielab"),
    ],
)
def test_tiff_that_is_no_photograph(data):
    with pytest.raises(UnknownFormat, match="TIFF"):
        imaging.open(data)


def test_tiff_whose_samples_do_not_make_a_colour():
    data = bytearray(tiff(GREY, photometric="minisblack"))
    at = data.index((262).to_bytes(2, "little") + b"\3\0\1\0\0\0\1\0")
    data[at + 8] = 2
    with pytest.raises(BrokenPicture, match="samples a pixel"):
        imaging.open(bytes(data))


FLOATS = made.photo(dtype=np.float32)
GREY_FLOATS = np.ascontiguousarray(FLOATS[..., 1])
MASK = np.zeros(FLOATS.shape, np.float32)
MASK[20:25] = 200.0


@pytest.mark.parametrize(
    ("samples", "white"),
    [
        (FLOATS * 255, 255),
        (RGB.astype(np.float32), 255),
        (GREY_FLOATS * 65535, 65535),
        (MASK, 255),
        (FLOATS * 290 - 20, 255),
        (FLOATS, None),
        (FLOATS * 4, None),
        (np.where(FLOATS > 0.9, FLOATS * 200, FLOATS), None),
        (np.where(FLOATS > 0.5, np.float32(1), np.float32(0)), None),
        (FLOATS * 255 - 128, None),
        (FLOATS * 1e6, None),
        (RGB, None),
    ],
    ids=[
        "0 to 255", "whole", "0 to 65535", "mostly black", "overshooting", "0 to 1", "bright",
        "highlights", "mask", "signed", "other", "8 bit",
    ],
)  # fmt: skip
def test_floats_that_look_like_integers_are_told(samples, white):
    sink = io.BytesIO()
    kind = "rgb" if samples.ndim == 3 else "minisblack"
    tifffile.imwrite(sink, samples, photometric=kind, metadata=None)
    got = imaging.open(sink.getvalue())
    assert np.array_equal(got.pixels, samples)
    if white is None:
        assert got.notes == ()
    else:
        assert f"these look like 0 to {white}: divide them by {white}" in got.notes[0]


# CMYK is in test_colour. GIF, BMP, WebP, AVIF, HEIC:


def test_gif_transparency_and_frames():
    image = Image.fromarray(RGB).quantize(16)
    data = made.filed(image, "GIF", transparency=3, optimize=False)
    got = imaging.open(data)
    assert np.array_equal(got.alpha == 0, np.asarray(image) == 3)
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    got = imaging.open(made.filed(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert "only the first of 2 frames was read" in got.notes
    assert made.psnr(got.pixels, RGB) > 25


@pytest.mark.parametrize("key", [None, 3])
@pytest.mark.parametrize("mode", ["P", "L"])
def test_around_the_first_frame_of_a_gif_it_is_transparent(mode, key):
    image = Image.fromarray(RGB[:20, :30]).quantize(16) if mode == "P" else Image.new("L", (30, 20))
    options = {} if key is None else {"transparency": key}
    data = bytearray(made.filed(image, "GIF", optimize=False, **options))
    data[6:10] = struct.pack("<HH", 50, 40)
    at = data.index(b"," + struct.pack("<4H", 0, 0, 30, 20))
    data[at + 1 : at + 5] = struct.pack("<HH", 7, 11)
    got, facts = imaging.open(bytes(data)), imaging.inspect(bytes(data))
    assert (facts.width, facts.height, facts.has_alpha) == (50, 40, True)
    wanted = np.zeros((40, 50), np.uint8)
    wanted[11:31, 7:37] = np.where(np.asarray(image) == key, 0, 255)
    assert np.array_equal(got.alpha, wanted)
    inside = got.pixels[11:31, 7:37]
    assert np.array_equal(inside, np.asarray(image.convert("L" if mode == "L" else "RGB")))
    assert got.notes == ()


@pytest.mark.parametrize("strategy", list(GifImagePlugin.LoadingStrategy))
@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("screen", [(30, 20), (50, 40)])
@pytest.mark.parametrize("kind", ["colours", "grey", "no palette"])
def test_a_gif_is_what_it_is_however_pillow_is_set(strategy, keyed, screen, kind, monkeypatch):
    """The setting is one of the whole program, which may want others as colours."""
    image = Image.fromarray(RGB[:20, :30])
    image = image.quantize(16) if kind == "colours" else image.convert("L")
    options = {"transparency": image.getpixel((5, 5))} if keyed else {}
    more = {"save_all": True, "append_images": [image.rotate(180)]}
    data = made.filed(image, "GIF", optimize=False, **options, **more)
    if kind == "no palette":
        data = data[:10] + bytes((data[10] & 0x7F,)) + data[11:13] + data[13 + 768 :]
    data = data[:6] + struct.pack("<HH", *screen) + data[10:]
    wanted = imaging.open(data)
    assert (wanted.alpha is None) == (not keyed and screen == (30, 20))
    monkeypatch.setattr(GifImagePlugin, "LOADING_STRATEGY", strategy)
    got = imaging.open(data)
    assert np.array_equal(got.pixels, wanted.pixels)
    assert np.array_equal(got.alpha, wanted.alpha)
    assert got.notes == wanted.notes


def test_a_gif_has_the_colours_that_pillow_makes_of_its_palette():
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(indices, "P")
    image.putpalette(made.photo(16, 16).tobytes())
    data = made.filed(image, "GIF", optimize=False)
    # Indices beyond the palette, too.
    data = data[:10] + bytes((data[10] & ~7 | 3,)) + data[11 : 13 + 48] + data[13 + 768 :]
    opened = Image.open(io.BytesIO(data))
    assert np.array_equal(imaging.open(data).pixels, np.asarray(opened.convert("RGB")))


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("lossless", [True, False])
def test_an_animated_webp_is_as_lossless_as_its_first_frame(lossless, channels):
    frames = [Image.fromarray(made.photo(channels=channels, seed=seed)) for seed in (0, 1)]
    data = made.filed(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=lossless, exact=True
    )
    assert (data.count(b"VP8L") == 2) == lossless
    got = imaging.open(data)
    assert got.lossless == lossless
    assert np.array_equal(got.pixels, np.asarray(frames[0])[..., :3]) == lossless
    # As a result is written by default.
    again = imaging.open(imaging.encode(got, "webp"))
    assert np.array_equal(again.pixels, got.pixels) == lossless


def test_what_is_dropped_of_a_gif_is_told():
    image = Image.fromarray(RGB)
    data = made.filed(image, "GIF", comment=b"by hand", loop=0)
    assert b"NETSCAPE2.0" in data
    assert imaging.open(data).notes == ("a comment was dropped",)
    assert imaging.open(made.filed(image, "GIF", loop=0)).notes == ()
    for name, said in ((b"XMP DataXMP", "XMP"), (b"ICCRGBG1012", "a colour profile")):
        block = b"!\xff\x0b" + name + b"\x03abc\0"
        at = data.index(b"!\xfe")
        got = imaging.open(data[:at] + block + block + data[at:])
        assert got.notes == (f"{said} was dropped", "a comment was dropped")
    # One that is cut off at its label.
    assert imaging.inspect(data[:-1] + b"!\xff").width == RGB.shape[1]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp_kinds(mode):
    image = Image.fromarray(RGB).convert(mode)
    got = imaging.open(made.filed(image, "BMP"))
    wanted = np.asarray(image.convert("RGB" if mode in ("P", "RGB") else "L"))
    assert np.array_equal(got.pixels, wanted)


def test_webp_kinds():
    for array in (RGB, RGBA):
        lossless = made.filed(array, "WEBP", lossless=True, exact=True)
        got = imaging.open(lossless)
        assert got.lossless
        assert np.array_equal(imaging.to_array(got), array)
        lossy = made.filed(array, "WEBP", quality=80)
        assert not imaging.open(lossy).lossless
        wanted = np.asarray(Image.open(io.BytesIO(lossy)))
        assert np.array_equal(imaging.to_array(imaging.open(lossy)), wanted)


def test_animated_webp():
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    data = made.filed(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    got = imaging.open(data)
    assert np.array_equal(got.pixels, RGB)
    assert "only the first of 2 frames was read" in got.notes


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_avif_depths(bits):
    deep = made.photo(dtype=np.uint16) >> (16 - bits)
    source = deep.astype(np.uint8) if bits == 8 else deep
    data = imagecodecs.avif_encode(source, 95, bitspersample=bits, speed=9, pixelformat="444")
    got = imaging.open(data)
    assert got.pixels.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert imaging.inspect(data).bit_depth == bits
    assert np.abs(got.pixels / got.full_scale - deep / ((1 << bits) - 1)).mean() < 0.01
    white = np.full((32, 32, 3), (1 << bits) - 1, source.dtype)
    data = imagecodecs.avif_encode(white, 100, bitspersample=bits, speed=9, pixelformat="444")
    assert imaging.open(data).pixels.mean() / got.full_scale > 0.999


def test_avif_alpha_grey_and_frames():
    got = imaging.open(made.filed(RGBA, "AVIF", quality=95))
    assert made.psnr(got.alpha, RGBA[..., 3]) > 35
    got = imaging.open(made.filed(GREY, "AVIF", quality=95, subsampling="4:0:0"))
    assert got.is_grey
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    data = made.filed(frames[0], "AVIF", save_all=True, append_images=frames[1:])
    got = imaging.open(data)
    assert made.psnr(got.pixels, RGB) > 25
    assert "only the first of 2 frames was read" in got.notes


def test_heic_depths():
    heif = pytest.importorskip("pillow_heif")
    for bits, mode, source in ((8, "RGB", RGB), (10, "RGB;16", made.photo(dtype=np.uint16))):
        sink = io.BytesIO()
        heif.encode(mode, (83, 61), source.tobytes(), sink, quality=95, chroma=444)
        got = imaging.open(sink.getvalue())
        assert got.source == "heic"
        assert imaging.inspect(sink.getvalue()).bit_depth == bits
        full = np.iinfo(source.dtype).max
        assert np.abs(got.pixels / got.full_scale - source / full).mean() < 0.01
    white = np.full((64, 64, 3), 65535, np.uint16)
    sink = io.BytesIO()
    heif.encode("RGB;16", (64, 64), white.tobytes(), sink, quality=100, chroma=444)
    assert imaging.open(sink.getvalue()).pixels.max() == 65535


def test_heic_without_the_extra_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnknownFormat, match=r"hyperfocal\[heif\]"):
        imaging.open(b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(64))


def test_large_pictures_with_alpha_are_taken_apart_in_place():
    from hyperfocal.imaging import planes

    for channels in (2, 4):
        values = np.random.default_rng(0).integers(0, 255, (3001, 1501 * 4 // channels, channels))
        values = values.astype(np.uint8)
        assert values.nbytes > planes._SMALL
        wanted = values.copy()
        colour, alpha = planes.split_alpha(values)
        assert np.array_equal(alpha, wanted[..., -1])
        assert np.array_equal(colour.reshape(*alpha.shape, -1), wanted[..., :-1])
        assert np.shares_memory(colour, values)
