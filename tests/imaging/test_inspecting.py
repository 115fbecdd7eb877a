"""What a header says, without decoding."""

import io

import imagecodecs
import made
import numpy as np
import pytest
import simplejpeg
import tifffile
from PIL import Image
from typer.testing import CliRunner

from hyperfocal import imaging
from hyperfocal.cli.app import build
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
        is_float=False,
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


@pytest.mark.parametrize(
    ("dtype", "bits", "is_float", "told"),
    [
        (np.uint16, 16, False, "grey 16 bit,"),
        (np.uint32, 32, False, "grey 32 bit,"),
        (np.uint64, 64, False, "grey 64 bit,"),
        (np.float16, 16, True, "grey 16 bit float,"),
        (np.float32, 32, True, "grey float,"),
        (np.float64, 64, True, "grey 64 bit float,"),
    ],
)
def test_integers_and_floats_of_one_length_are_told_apart(dtype, bits, is_float, told, tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((5, 4), dtype))
    facts = imaging.inspect(path)
    assert (facts.bit_depth, facts.is_float) == (bits, is_float)
    assert imaging.open(path).pixels.dtype == (np.float32 if is_float else np.uint16)
    assert told in CliRunner().invoke(build(), ["inspect", str(path)]).stdout


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
