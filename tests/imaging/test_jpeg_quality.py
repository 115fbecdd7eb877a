"""Against what Pillow, and so the Independent JPEG Group's library, was told to use."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hyperfocal.imaging.jpeg_quality import estimate_jpeg_quality


def jpeg(**options):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "jpeg", **options)
    return sink.getvalue()


@pytest.mark.parametrize("quality", range(1, 101))
def test_every_quality_is_found(quality):
    assert estimate_jpeg_quality(jpeg(quality=quality)) == quality


def test_progressive_and_exif_do_not_matter():
    exif = Image.Exif()
    exif[0x010E] = "a description"
    assert estimate_jpeg_quality(jpeg(quality=77, progressive=True, exif=exif)) == 77


def test_other_tables_get_the_nearest():
    flat = estimate_jpeg_quality(jpeg(qtables=[[8] * 64, [8] * 64]))
    assert 80 <= flat <= 98


def test_what_is_no_jpeg():
    sink = io.BytesIO()
    Image.new("RGB", (8, 8)).save(sink, "png")
    assert estimate_jpeg_quality(sink.getvalue()) is None
    assert estimate_jpeg_quality(b"") is None


@settings(max_examples=100)
@given(st.data())
def test_damage_is_survived(data):
    whole = jpeg(quality=60)
    at = data.draw(st.integers(0, 700))
    value = data.draw(st.integers(0, 255))
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    if at < len(broken):
        broken[at] = value
    found = estimate_jpeg_quality(bytes(broken))
    assert found is None or 1 <= found <= 100
