"""Parts of files that few programs write: kept, or said to be dropped."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import made
import numpy as np
import pytest
from PIL import Image

from hyperfocal import imaging
from hyperfocal.errors import UnknownFormat
from hyperfocal.imaging import profile


def fields(*entries: bytes) -> bytes:
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
    data = made.with_segments((0xE1, b"Exif\0\0" + block + value[4:]))
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
    picture = imaging.open(made.with_segments((0xE1, b"Exif\0\0" + block)))
    assert profile.describe(picture.icc) == "Compatible with Adobe RGB (1998), gamma 2.2"
    # The colours stay what they are where EXIF goes.
    assert imaging.open(imaging.encode(picture, "png", strip_metadata=True)).icc == picture.icc
    green = replace(picture, pixels=np.full((8, 8, 3), (60, 200, 60), np.uint8))
    shown = imaging.open(imaging.encode(green, "gif")).pixels[0, 0]
    # In sRGB there is less red in it.
    assert shown[0] < 30
    usual = imaging.open(made.with_segments((0xE1, b"Exif\0\0" + block.replace(b"R03", b"R98"))))
    assert usual.icc is None


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


def test_a_profile_too_long_for_jpeg_is_converted():
    icc = made.wide_rgb_profile()
    long = replace(made.picture(3), icc=icc + bytes(255 * 65_519 - len(icc)))
    assert imaging.open(imaging.encode(long, "jpeg")).icc == long.icc
    longer = replace(long, icc=long.icc + b"\0")
    assert "JPEG cannot carry the colour profile: converted to sRGB" in imaging.conversions(
        longer, "jpeg"
    )
    assert imaging.open(imaging.encode(longer, "jpeg")).icc is None
