"""What a header says, without decoding."""

import io

import imagecodecs
import made
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from hyperfocal import imaging
from hyperfocal.settings import Settings


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp", "avif"])
def test_facts(format, tmp_path):
    given_ = made.picture(3, icc=made.wide_rgb_profile(), metadata=made.metadata())
    path = tmp_path / "a"
    imaging.save(given_, path, format=format)
    facts = imaging.inspect(path)
    assert facts == imaging.Facts(
        format=format,
        width=83,
        height=61,
        frames=1,
        mode="rgb",
        bit_depth=8,
        has_alpha=False,
        profile="Wide",
        orientation=1,
        dpi=(300.0, 150.0),
        has_exif=True,
        has_xmp=True,
        has_iptc=format in ("jpeg", "png", "tiff"),
        bytes=path.stat().st_size,
    )


def test_modes_and_depths():
    image = Image.fromarray(made.photo())
    cases = [
        (made.filed(image.convert("1"), "PNG"), "1 bit", 1, False),
        (made.filed(image.convert("L"), "PNG"), "grey", 8, False),
        (made.filed(image.quantize(8), "PNG", transparency=2), "palette", 8, True),
        (made.filed(image.convert("CMYK"), "JPEG"), "cmyk", 8, False),
        (made.filed(image.quantize(8), "GIF"), "palette", 8, False),
        (made.filed(image.convert("1"), "BMP"), "1 bit", 8, False),
        (imaging.encode(made.picture(3, np.uint16, True), "png"), "rgb", 16, True),
        (imaging.encode(made.picture(1, np.float32), "tiff"), "grey", 32, False),
        (imaging.encode(made.picture(3, alpha=True), "webp"), "rgb", 8, True),
        (imaging.encode(made.picture(3, alpha=True), "avif"), "rgb", 8, True),
        (imaging.encode(made.picture(3, alpha=True), "bmp"), "rgb", 8, True),
    ]
    for data, mode, bits, alpha in cases:
        facts = imaging.inspect(data)
        assert (facts.mode, facts.has_alpha) == (mode, alpha)
        if mode != "1 bit":
            assert facts.bit_depth == bits


def test_no_pixel_is_decoded(monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("decoded")

    files = {f: imaging.encode(made.picture(3), f) for f in imaging.WRITABLE if f != "heic"}
    monkeypatch.setattr(simplejpeg, "decode_jpeg", forbidden)
    for name in ("png_decode", "spng_decode", "webp_decode", "avif_decode"):
        monkeypatch.setattr(imagecodecs, name, forbidden)
    monkeypatch.setattr(Image.Image, "load", forbidden)
    for data in files.values():
        assert imaging.inspect(data).width == 83


def test_inspecting_has_no_limit_on_pixels():
    data = imaging.encode(made.picture(3), "png")
    assert imaging.inspect(io.BytesIO(data), settings=Settings(max_pixels=1)).height == 61
