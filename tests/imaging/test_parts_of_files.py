"""Parts of files that few programs write: kept, or said to be dropped."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import made
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from hyperfocal import imaging
from hyperfocal.errors import UnknownFormat
from hyperfocal.imaging import avif, profile


def with_segments(*segments: tuple[int, bytes]) -> bytes:
    """A JPEG with these before all others."""
    data = made.filed(made.photo(), "JPEG")
    parts = [struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body for kind, body in segments]
    return data[:2] + b"".join(parts) + data[2:]


def fields(*entries: bytes, at: int = 8) -> bytes:
    """A little-endian directory."""
    return struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)


@pytest.mark.parametrize("kind", [1, 3, 4])
@pytest.mark.parametrize("number", [1, 2])
def test_an_orientation_is_obeyed_once_however_it_is_stored(kind, number):
    code = {1: "B", 3: "H", 4: "I"}[kind]
    value = struct.pack(f"<{number}{code}", *[6] * number)
    if len(value) > 4:
        value = struct.pack("<I", 8 + 2 + 12 + 4) + value
    block = b"II*\0\x08\0\0\0" + fields(
        struct.pack("<HHI", 0x0112, kind, number) + value[:4].ljust(4, b"\0")
    )
    data = with_segments((0xE1, b"Exif\0\0" + block + value[4:]))
    picture = imaging.open(data)
    assert picture.pixels.shape[:2] == made.photo().shape[1::-1]
    again = Image.open(io.BytesIO(imaging.encode(picture, "png")))
    assert again.getexif().get(0x0112, 1) == 1
    assert imaging.open(imaging.encode(picture, "jpeg")).pixels.shape == picture.pixels.shape


def test_optional_files_of_dcf_are_adobe_rgb():
    photo = fields(
        struct.pack("<HHIHH", 0xA001, 3, 1, 65535, 0), struct.pack("<HHII", 0xA005, 4, 1, 56)
    )
    block = b"II*\0\x08\0\0\0" + fields(struct.pack("<HHII", 0x8769, 4, 1, 26)) + photo
    block += fields(struct.pack("<HHI4s", 1, 2, 4, b"R03\0"))
    picture = imaging.open(with_segments((0xE1, b"Exif\0\0" + block)))
    assert profile.describe(picture.icc) == "Compatible with Adobe RGB (1998), gamma 2.2"
    # The colours stay what they are where EXIF goes.
    assert imaging.open(imaging.encode(picture, "png", strip_metadata=True)).icc == picture.icc
    green = replace(picture, pixels=np.full((8, 8, 3), (60, 200, 60), np.uint8))
    shown = imaging.open(imaging.encode(green, "gif")).pixels[0, 0]
    # In sRGB there is less red in it.
    assert shown[0] < 30
    usual = imaging.open(with_segments((0xE1, b"Exif\0\0" + block.replace(b"R03", b"R98"))))
    assert usual.icc is None


@pytest.mark.parametrize(
    ("segment", "told"),
    [
        ((0xEB, b"JP\0\1\0\0\0\1jumb"), "content credentials (JUMBF) were dropped"),
        ((0xE1, b"FLIR\0\1\0\0"), "data of another program (FLIR) were dropped"),
        ((0xE5, b"\x01\x02"), "data of another program (APP5) were dropped"),
        ((0xE0, b"JFXX\0\x10thumbnail"), None),
        ((0xEC, b"Ducky\0\1\0\4\0\0\0\x50\0\0"), None),
    ],
)
def test_segments_of_other_programs(segment, told):
    assert imaging.open(with_segments(segment)).notes == ((told,) if told else ())
    assert imaging.open(with_segments(segment, segment)).notes == ((told,) if told else ())


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (b"mDCV", "the mastering display of an HDR picture (mDCV) was dropped"),
        (b"cLLI", "the light level of an HDR picture (cLLI) was dropped"),
        (b"caBX", "content credentials (caBX) was dropped"),
        (b"prVW", "a prVW chunk was dropped"),
        (b"tIME", None),
        (b"sBIT", None),
    ],
)
def test_chunks_of_other_programs(kind, told):
    data = made.with_chunk(made.filed(made.photo(), "PNG"), kind, ">7B", *range(7))
    assert imaging.open(data).notes == ((told,) if told else ())


def test_tags_of_photographs_in_the_first_directory_of_a_tiff_are_kept():
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[18249], info[36867] = 75, "2026:01:02 03:04:05"
    info[33434] = TiffImagePlugin.IFDRational(1, 250)
    info.tagtype[37724], info[37724] = 7, b"Adobe Photoshop Document Data Block\0"
    buffer = io.BytesIO()
    Image.fromarray(made.photo()).save(buffer, "TIFF", tiffinfo=info)
    picture = imaging.open(buffer.getvalue())
    assert picture.notes == ("Photoshop's layers were dropped",)
    tags = Image.open(io.BytesIO(imaging.encode(picture, "tiff"))).tag_v2
    assert (tags[18249], tags[36867], float(tags[33434])) == (75, "2026:01:02 03:04:05", 0.004)


@pytest.mark.parametrize("order", ["<", ">"])
def test_integers_of_24_bits_are_refused(order):
    entries = [(256, 8), (257, 1), (258, 24), (259, 1), (262, 1), (277, 1), (278, 1), (279, 24)]
    entries.append((273, 8 + 2 + 12 * 9 + 4))
    table = b"".join(
        struct.pack(order + "HHIHH", tag, 3, 1, value, 0) for tag, value in sorted(entries)
    )
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, 9)
    with pytest.raises(UnknownFormat, match="24 bits a sample"):
        imaging.open(head + table + bytes(4) + bytes(24))


def test_a_resolution_that_exif_states_otherwise_is_the_files_own():
    block = made.exif_block(dpi=(72, 72))
    data = made.filed(made.photo(), "JPEG", dpi=(300, 300), exif=b"Exif\0\0" + block)
    picture = imaging.open(data)
    assert picture.metadata.dpi == (300, 300)
    for format in ("webp", "avif", "png", "jpeg"):
        assert imaging.open(imaging.encode(picture, format)).metadata.dpi == (300, 300)


def test_no_resolution_is_infinite():
    image = Image.new("RGB", (8, 8))
    image.info["dpi"] = (float("inf"), 72)
    assert imaging.from_pil(image).metadata.dpi is None


def test_iptc_that_pillow_has_read_is_kept():
    iptc = b"\x1c\x02x\0\5hello"
    given = replace(made.picture(3), metadata=imaging.Metadata(iptc=iptc))
    with Image.open(io.BytesIO(imaging.encode(given, "jpeg"))) as image:
        assert imaging.from_pil(image).metadata.iptc == iptc


def test_a_profile_too_long_for_jpeg_is_converted():
    icc = made.wide_rgb_profile()
    long = replace(made.picture(3), icc=icc + bytes(255 * 65_519 - len(icc)))
    assert imaging.open(imaging.encode(long, "jpeg")).icc == long.icc
    longer = replace(long, icc=long.icc + b"\0")
    assert "JPEG cannot carry the colour profile: converted to sRGB" in imaging.conversions(
        longer, "jpeg"
    )
    assert imaging.open(imaging.encode(longer, "jpeg")).icc is None


def test_pictures_of_a_heic_beside_the_first_are_told():
    heif = pytest.importorskip("pillow_heif")
    file = heif.HeifFile()
    for number in range(2):
        file.add_from_pillow(Image.fromarray(made.photo(seed=number)))
    buffer = io.BytesIO()
    file.save(buffer)
    assert "only the first of 2 frames was read" in imaging.open(buffer.getvalue()).notes


def test_a_gain_map_of_an_avif_is_told():
    data = made.filed(made.photo(), "AVIF")
    at = data.index(b"iinf")
    count_at = at + 8
    entry = struct.pack(">I4sIHH4s", 21, b"infe", 2 << 24, 99, 0, b"tmap") + b"\0"
    grown = bytearray(data[: at + 10] + entry + data[at + 10 :])
    struct.pack_into(">H", grown, count_at, struct.unpack_from(">H", data, count_at)[0] + 1)
    for kind in (b"iinf", b"meta"):
        place = grown.index(kind) - 4
        struct.pack_into(">I", grown, place, struct.unpack_from(">I", grown, place)[0] + len(entry))
    found = avif.read_header(bytes(grown))
    assert found.notes == ("a gain map (HDR) was dropped",)
    assert avif.read_header(data).notes == ()
