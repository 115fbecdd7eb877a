"""Whatever is handed in, the answer is a picture or one of our errors, and nothing on stderr."""

import contextlib
import importlib.util
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import made
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from hyperfocal import imaging
from hyperfocal.errors import (
    BrokenPicture,
    InputError,
    InputMissing,
    TooLarge,
    UnknownFormat,
    UsageError,
)
from hyperfocal.settings import Settings

HEIF = importlib.util.find_spec("pillow_heif") is not None
FORMATS = [name for name in imaging.WRITABLE if name != "heic" or HEIF]


def files():
    """A file of every format, with everything in it that a file can have."""
    full = {"icc": made.wide_rgb_profile(), "metadata": made.metadata()}
    out = {name: imaging.encode(made.picture(3, **full), name) for name in FORMATS}
    out["progressive"] = made.filed(made.photo(), "JPEG", progressive=True)
    out["deep"] = imaging.encode(made.picture(3, np.uint16, True), "png")
    out["float"] = imaging.encode(made.picture(3, np.float32), "tiff")
    sink = io.BytesIO()
    tifffile.imwrite(sink, made.photo(), compression="jpeg", tile=(32, 32))
    out["tiles"] = sink.getvalue()
    frames = [Image.fromarray(made.photo()), Image.fromarray(255 - made.photo())]
    for name in ("WEBP", "AVIF", "GIF"):
        out[f"animated {name}"] = made.filed(
            frames[0], name, save_all=True, append_images=frames[1:]
        )
    return out


FILES = files()


def test_empty():
    for source in (b"", io.BytesIO()):
        with pytest.raises(BrokenPicture, match=r"empty \(0 bytes\)"):
            imaging.open(source)


def test_empty_file(tmp_path):
    path = tmp_path / "nothing.jpg"
    path.touch()
    with pytest.raises(BrokenPicture, match=r"nothing.jpg: the file is empty"):
        imaging.open(path)
    with pytest.raises(BrokenPicture, match=r"nothing.jpg: the file is empty"):
        imaging.inspect(path)


def test_missing_and_unreadable(tmp_path):
    with pytest.raises(InputMissing, match=r"gone.png: no such file"):
        imaging.open(tmp_path / "gone.png")
    with pytest.raises(InputMissing, match="is a folder"):
        imaging.open(tmp_path)
    with pytest.raises(InputMissing, match="cannot be read"):
        imaging.open("a\0b.png")


def test_no_permission(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    path.write_bytes(FILES["png"])
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # root may read everything

        def refuse(self, *args, **kwargs):
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "open", refuse)
    else:
        path.chmod(0)
    with pytest.raises(InputMissing, match="no permission"):
        imaging.open(path)


def test_what_is_no_source():
    with pytest.raises(UsageError, match="not int"):
        imaging.open(17)
    with pytest.raises(UsageError, match="binary mode"):
        imaging.open(io.StringIO("text"))


@pytest.mark.parametrize(
    "data", [b"x", b"%PDF-1.7", b"<svg xmlns='http://www.w3.org/2000/svg'/>", bytes(1000),
             b"BM and then nothing of the kind", b"\0\0\0\x18ftypmp42\0\0\0\0isommp42",
             b"\xff\xd8\xfe", b"RIFF\x10\0\0\0WAVEfmt "]
)  # fmt: skip
def test_unknown_formats(data):
    with pytest.raises(UnknownFormat, match="JPEG, PNG, TIFF, WebP, AVIF, HEIC, BMP, GIF"):
        imaging.open(data)


@pytest.mark.parametrize("name", FILES)
def test_truncated_anywhere_is_an_error(name, capfd):
    """Never a picture with a grey half."""
    data = FILES[name]
    for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97):
        cut = data[: max(1, int(len(data) * share))]
        # A first frame may be whole when the last is cut, and TIFF's metadata comes last.
        if name.startswith("animated") or (name == "tiff" and share > 0.9):
            try:
                assert any("first of" in n or "beyond" in n for n in imaging.open(cut).notes)
            except InputError:
                continue
        else:
            with pytest.raises((BrokenPicture, UnknownFormat)):
                imaging.open(cut)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["jpeg", "progressive"])
def test_a_jpeg_that_lacks_only_its_end_marker_is_whole_and_says_so(name):
    data = FILES[name]
    for less in (1, 2):
        got = imaging.open(data[:-less])
        assert np.array_equal(got.pixels, imaging.open(data).pixels)
        assert any("lacks its end marker" in note for note in got.notes)
    for less in (3, 4, 10):
        with pytest.raises(BrokenPicture, match="end of the picture is missing"):
            imaging.open(data[:-less])


def test_a_jpeg_that_ends_between_two_scans():
    """Every code that is there is whole, but the finest steps of the picture are missing."""
    data = FILES["progressive"]
    scans = [at for at in range(len(data)) if data.startswith(b"\xff\xda", at)]
    assert len(scans) > 3
    for at in scans[1:]:
        tables = data.rfind(b"\xff\xc4", 0, at)
        with pytest.raises(BrokenPicture, match="end of the picture is missing"):
            imaging.open(data[:tables])


def test_a_jpeg_without_its_end_whose_codes_say_nothing_of_missing_rows():
    """Arithmetic codes go on for ever: where they end cannot be told."""
    data = bytearray(FILES["jpeg"][:-2])
    data[data.index(b"\xff\xc0") + 1] = 0xC9
    with pytest.raises(BrokenPicture, match="end of the picture is missing"):
        imaging.open(bytes(data))


def test_a_png_without_its_end_is_whole_and_says_so():
    data = FILES["png"]
    for less in (1, 4, 12):
        got = imaging.open(data[:-less])
        assert np.array_equal(got.pixels, imaging.open(data).pixels)
        assert any("lacks its end" in note for note in got.notes)


def test_a_png_that_ends_between_two_parts_of_the_picture():
    sink = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400), np.uint8)).save(
        sink, "PNG"
    )
    data = sink.getvalue()
    second = data.index(b"IDAT", data.index(b"IDAT") + 4) - 4
    with pytest.raises(BrokenPicture):
        imaging.open(data[:second])


@pytest.mark.parametrize(
    ("colour", "kinds", "reason"),
    [
        (0, ["IHDR", "IEND"], "the picture itself is missing"),
        (2, ["IHDR", "IEND"], "the picture itself is missing"),
        (6, ["IHDR"], "the picture itself is missing"),
        (3, ["IHDR", "PLTE", "IEND"], "the picture itself is missing"),
        (3, ["IHDR", "IDAT", "IEND"], "the palette is missing"),
        (3, ["IHDR", "IDAT", "PLTE", "IEND"], "the palette is missing"),
        (0, ["IHDR", "IHDR", "IDAT", "IEND"], "it has two headers"),
    ],
)
def test_a_png_that_lacks_what_it_needs_is_refused_in_our_words(colour, kinds, reason):
    """libpng's come from memory that holds anything."""
    bodies = {
        "IHDR": struct.pack(">IIBBBBB", 10, 10, 8, colour, 0, 0, 0),
        "PLTE": bytes(range(30)),
        "IDAT": zlib.compress((b"\0" + bytes(range(10))) * 10),
        "IEND": b"",
    }
    data = b"\x89PNG\r\n\x1a\n"
    for kind in kinds:
        body = kind.encode() + bodies[kind]
        data += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    with pytest.raises(BrokenPicture, match=rf"corrupt PNG: {reason}$"):
        imaging.open(data)


def tiff_in_parts(**options):
    """A TIFF of several parts; tifffile's fields of where they lie, how long and how high."""
    pixels = made.photo()
    if options.get("planarconfig") == "separate":
        pixels = np.moveaxis(pixels, 2, 0)
    sink = io.BytesIO()
    tifffile.imwrite(sink, pixels, photometric="rgb", metadata=None, **options)
    part = "Tile" if "tile" in options else "Strip"
    with tifffile.TiffFile(io.BytesIO(sink.getvalue())) as file:
        tags = file.pages[0].tags
        fields = [tags[name] for name in (f"{part}Offsets", f"{part}ByteCounts", "ImageLength")]
    return sink.getvalue(), fields


def with_value(data, tag, value, index=0):
    """The same file with one value of a field of tifffile's changed."""
    out = bytearray(data)
    code = {3: "<H", 4: "<I", 16: "<Q"}[int(tag.dtype)]
    struct.pack_into(code, out, tag.valueoffset + index * struct.calcsize(code), value)
    return bytes(out)


@pytest.mark.parametrize(
    "options",
    [
        {"rowsperstrip": 10},
        {"rowsperstrip": 10, "compression": "zlib"},
        {"rowsperstrip": 16, "compression": "jpeg"},
        {"rowsperstrip": 10, "planarconfig": "separate", "compression": "lzw"},
        {"tile": (32, 32), "compression": "zlib"},
        {"tile": (32, 32), "planarconfig": "separate"},
        {"rowsperstrip": 10, "bigtiff": True},
    ],
    ids=str,
)
def test_a_tiff_that_lacks_a_part_is_never_filled_up_with_black(options):
    whole, (offsets, lengths, height) = tiff_in_parts(**options)
    assert imaging.open(whole).pixels.shape == (61, 83, 3)
    few = bytearray(whole)
    big = "bigtiff" in options
    for tag in (offsets, lengths):
        struct.pack_into("<Q" if big else "<I", few, tag.offset + 4, tag.count - 1)
    for broken in (
        with_value(whole, offsets, 0, 1),
        with_value(whole, lengths, 0, 1),
        with_value(with_value(whole, offsets, 0, 1), lengths, 0, 1),
        with_value(whole, height, 600),
        bytes(few),
    ):
        with pytest.raises(BrokenPicture, match="part of the picture is missing"):
            imaging.open(broken)


def test_a_tiff_in_one_strip_without_a_number_of_rows_is_whole():
    """2**32 - 1 is the default of RowsPerStrip: however many rows there are."""
    for compression in ("raw", "tiff_lzw", "tiff_deflate"):
        data = made.filed(made.photo(), "TIFF", compression=compression)
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            rows = file.pages[0].tags["RowsPerStrip"]
            if file.pages[0].tags["StripOffsets"].count > 1:
                continue
        out = bytearray(data)
        struct.pack_into("<HII", out, rows.offset + 2, 4, 1, 2**32 - 1)
        assert np.array_equal(imaging.open(bytes(out)).pixels, made.photo())


def jpeg_with_restarts():
    sink = io.BytesIO()
    pixels = np.tile(made.photo(), (3, 1, 1))
    Image.fromarray(pixels).save(sink, "JPEG", restart_marker_rows=1)
    return sink.getvalue()


def test_a_jpeg_whose_codes_end_early():
    data = jpeg_with_restarts()
    at = data.index(b"\xff\xd1")
    with pytest.raises(BrokenPicture, match=r"corrupt JPEG.*premature end of data"):
        imaging.open(data[: at - 40] + data[at:])


def test_a_jpeg_that_lacks_a_stretch():
    data = jpeg_with_restarts()
    with pytest.raises(BrokenPicture, match=r"corrupt JPEG.*instead of RST"):
        imaging.open(data[: data.index(b"\xff\xd1")] + data[data.index(b"\xff\xd4") :])


def test_bytes_too_many_in_a_jpeg_cost_nothing_but_are_told():
    data = jpeg_with_restarts()
    at = data.index(b"\xff\xd9")
    got = imaging.open(data[:at] + bytes(400) + data[at:])
    assert np.array_equal(got.pixels, imaging.open(data).pixels)
    assert any("extraneous bytes" in note for note in got.notes)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_anywhere_is_a_picture_or_one_of_our_errors(name, data):
    spoiled = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 6))):
        near = data.draw(st.booleans())
        last = min(len(spoiled), 600) - 1 if near else len(spoiled) - 1
        spoiled[data.draw(st.integers(0, last))] = data.draw(
            st.one_of(st.sampled_from([0, 1, 127, 128, 254, 255]), st.integers(0, 255))
        )
    with contextlib.suppress(InputError):
        imaging.open(bytes(spoiled), settings=Settings(max_pixels=2_000_000))


@settings(max_examples=60)
@given(st.sampled_from([f[:16] for f in FILES.values()]), st.binary(max_size=200))
@example(b"\x89PNG\r\n\x1a\n", b"\0\0\0\x0dIHDR" + b"\0" * 30)
@example(b"II*\0\x08\0\0\0", b"\0\0")
@example(b"GIF89a", b"\x01\0\x01\0\0\0\0")
def test_a_good_beginning_and_rubbish(head, tail):
    with pytest.raises(InputError):
        imaging.open(head + tail)


# Limits


def png_header(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
        + b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    )  # fmt: skip


def bombs():
    big = 60_000
    gif = b"GIF89a" + struct.pack("<HHBBB", big, big, 0, 0, 0)
    gif += b"," + struct.pack("<HHHHB", 0, 0, big, big, 0) + b"\2\2\x4c\1\0;"
    tiff = bytearray(FILES["tiff"])
    for tag in (256, 257):
        at = tiff.index(struct.pack("<HHI", tag, 4, 1))
        struct.pack_into("<I", tiff, at + 8, big)
    bmp = bytearray(FILES["bmp"])
    struct.pack_into("<ii", bmp, 18, big, big)
    jpeg = bytearray(FILES["jpeg"])
    struct.pack_into(">HH", jpeg, jpeg.index(b"\xff\xc0") + 5, big, big)
    avif = bytearray(FILES["avif"])
    struct.pack_into(">II", avif, avif.index(b"ispe") + 8, big, big)
    webp = b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\xff" * 2 + bytes(8)
    return {
        "png": png_header(big, big),
        "gif": gif,
        "tiff": bytes(tiff),
        "bmp": bytes(bmp),
        "jpeg": bytes(jpeg),
        "avif": bytes(avif),
        "webp": webp,
    }


@pytest.mark.parametrize("name", bombs())
def test_declared_pixels_are_limited_before_decoding(name):
    data = bombs()[name]
    with pytest.raises(TooLarge, match=r"declares .* pixels, more than .*max_pixels"):
        imaging.open(data)
    assert imaging.inspect(data).width >= 60_000


@pytest.mark.parametrize("name", FORMATS)
def test_the_limit_on_pixels_is_exact(name):
    pixels = 61 * 83
    imaging.open(FILES[name], settings=Settings(max_pixels=pixels))
    with pytest.raises(TooLarge, match="83 x 61 = 5,063"):
        imaging.open(FILES[name], settings=Settings(max_pixels=pixels - 1))


def test_large_pictures_within_the_limit_are_no_bombs(monkeypatch):
    """Pillow's own limit is a global of the whole program; it neither applies nor changes."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for name in FORMATS:
        assert imaging.open(FILES[name]).pixels.shape == (61, 83, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_bytes_are_limited(tmp_path):
    data = FILES["png"]
    path = tmp_path / "a.png"
    path.write_bytes(data)
    for source in (path, data, io.BytesIO(data)):
        imaging.open(source, settings=Settings(max_bytes=len(data)))
        with pytest.raises(TooLarge, match="max_bytes"):
            imaging.open(
                io.BytesIO(data) if isinstance(source, io.BytesIO) else source,
                settings=Settings(max_bytes=len(data) - 1),
            )


def test_a_stream_without_end_is_read_no_further_than_the_limit():
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size=-1):
            self.given += size
            return bytes(size)

    stream = Endless()
    with pytest.raises(TooLarge):
        imaging.open(stream, settings=Settings(max_bytes=3_000_000))
    assert stream.given == 3_000_001


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs devices")  # noqa: PTH110
def test_a_device_without_end():
    with pytest.raises(TooLarge, match="/dev/zero"):
        imaging.open("/dev/zero", settings=Settings(max_bytes=3_000_000))


def test_frames_are_limited():
    frames = [Image.fromarray(np.full((4, 4), 30 * level, np.uint8)) for level in range(7)]
    sink = io.BytesIO()
    with tifffile.TiffWriter(sink) as writer:
        for frame in frames:
            writer.write(np.asarray(frame))
    made_files = {
        name: made.filed(frames[0], name, save_all=True, append_images=frames[1:])
        for name in ("GIF", "PNG", "WEBP", "AVIF")
    }
    made_files["TIFF"] = sink.getvalue()
    for data in made_files.values():
        assert imaging.inspect(data).frames == 7
        imaging.open(data, settings=Settings(max_frames=7))
        with pytest.raises(TooLarge, match="max_frames"):
            imaging.open(data, settings=Settings(max_frames=6))


def test_frames_without_end_are_counted_no_further(monkeypatch):
    from hyperfocal.imaging import gif

    monkeypatch.setattr(gif, "_MOST_FRAMES", 50)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x4c\1\0"
    data = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + frame * 1000 + b";"
    assert gif.read_header(data).frames == 51


def test_running_out_of_memory_is_too_large(monkeypatch):
    import simplejpeg

    def exhausted(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(simplejpeg, "decode_jpeg", exhausted)
    with pytest.raises(TooLarge, match="not enough memory"):
        imaging.open(FILES["jpeg"])


def test_any_other_exception_of_a_library_is_a_broken_picture(monkeypatch):
    import simplejpeg

    def strange(*args, **kwargs):
        raise ZeroDivisionError("in some library")

    monkeypatch.setattr(simplejpeg, "decode_jpeg", strange)
    with pytest.raises(BrokenPicture, match="in some library"):
        imaging.open(FILES["jpeg"])


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as Linux has them")
def test_a_large_picture_in_little_memory():
    """Room for half of what the picture needs: our error and a living process, not a crash."""
    code = """
import io, resource, sys, zlib, struct
import imagecodecs, numpy
from hyperfocal import imaging
from hyperfocal.errors import TooLarge
data = imaging.encode(imaging.from_array(numpy.zeros((6000, 6000, 3), numpy.uint8)), "jpeg")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000,) * 2)
try:
    imaging.open(data)
except TooLarge as error:
    print("too large:", error)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("too large: the picture given as bytes: not enough memory")
    assert found.stderr == ""


def test_names_in_messages(tmp_path):
    path = tmp_path / "Grüße 写真.jpg"
    path.write_bytes(FILES["jpeg"][:200])
    with pytest.raises(BrokenPicture, match=r"Grüße 写真.jpg: truncated"):
        imaging.open(path)
    with path.open("rb") as file, pytest.raises(BrokenPicture, match=r"Grüße 写真.jpg: truncated"):
        imaging.open(file)
