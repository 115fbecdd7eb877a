"""Every orientation, in every format that states one, against Pillow."""

import io

import made
import numpy as np
import pytest
from PIL import Image, ImageOps

from hyperfocal import imaging
from hyperfocal.imaging import bmff, exif, orient

RGB = made.photo(48, 72)


def block(orientation, order="<"):
    return made.exif_block(orientation=orientation, order=order)


def upright(array, orientation):
    image = Image.fromarray(array)
    image.getexif()[274] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_is_what_pillow_does(orientation):
    assert np.array_equal(orient.upright(RGB, orientation), upright(RGB, orientation))
    assert orient.upright(RGB[..., 0], orientation).flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG", "AVIF"])
def test_orientation_is_applied_and_reset(format, orientation):
    exact = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98}, "AVIF": {"quality": 98}}
    # Pillow writes the block into a JPEG as it is given.
    prefix = exif.PREFIX if format == "JPEG" else b""
    data = made.filed(RGB, format, exif=prefix + block(orientation), **exact.get(format, {}))
    stored = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    got = imaging.open(data)
    wanted = upright(stored, orientation)
    assert got.pixels.shape == wanted.shape
    assert made.psnr(got.pixels, wanted) > 40
    facts = imaging.inspect(data)
    assert facts.orientation == orientation
    assert (facts.width, facts.height) == (got.width, got.height)
    if got.metadata.exif is not None:
        assert made.parsed(got.metadata.exif).integer(274, 1) == 1
    again = imaging.open(imaging.encode(got, format.lower()))
    assert again.pixels.shape == got.pixels.shape


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiff_orientation(orientation):
    sink = io.BytesIO()
    Image.fromarray(RGB).save(sink, "TIFF", tiffinfo={274: orientation})
    got = imaging.open(sink.getvalue())
    assert np.array_equal(got.pixels, upright(RGB, orientation))


def test_alpha_turns_too():
    rgba = np.dstack([RGB, made.photo(48, 72, channels=1, seed=3)])
    got = imaging.open(made.filed(rgba, "PNG", exif=block(6)))
    assert np.array_equal(imaging.to_array(got), upright(rgba, 6))


def test_big_endian_blocks():
    got = imaging.open(made.filed(RGB, "PNG", exif=block(8, ">")))
    assert np.array_equal(got.pixels, upright(RGB, 8))
    assert got.metadata.exif[:2] == b"MM"
    assert made.parsed(got.metadata.exif).integer(274) == 1


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_impossible_orientation_is_upright(value):
    assert np.array_equal(imaging.open(made.filed(RGB, "PNG", exif=block(value))).pixels, RGB)


def test_heic_is_turned_once():
    """libheif applies the file's own turn; obeying EXIF as well would turn it twice."""
    heif = pytest.importorskip("pillow_heif")
    sink = io.BytesIO()
    heif.encode("RGB", (72, 48), RGB.tobytes(), sink, quality=98, chroma=444,
                exif=exif.PREFIX + block(6))  # fmt: skip
    assert b"irot" in sink.getvalue()
    got = imaging.open(sink.getvalue())
    assert made.psnr(got.pixels, upright(RGB, 6)) > 38
    assert made.parsed(got.metadata.exif).integer(274) == 1


def test_turn_and_mirror_boxes():
    """ISO/IEC 23008-12, 6.5.10 and 6.5.12: the turn is anticlockwise and comes first."""
    for turns in range(4):
        for mirror in (None, 0, 1):
            array = np.rot90(RGB, turns)
            if mirror is not None:
                array = array[:, ::-1] if mirror else array[::-1]
            number = bmff.Contents(turns=turns, mirror=mirror).orientation
            assert np.array_equal(orient.upright(RGB, number), array)
