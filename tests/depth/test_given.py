"""Depth maps that people give: what is taken, and what is refused and how."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from hyperfocal import Picture, imaging
from hyperfocal.depth import check_belongs, given, read_map
from hyperfocal.errors import ArrayError, InputError, InputMissing, UsageError
from hyperfocal.imaging.picture import fits_picture

RAMP = np.arange(12).reshape(3, 4)


def png(array):
    data = io.BytesIO()
    Image.fromarray(array).save(data, "png")
    return data.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64, ">f4"])
def test_arrays_of_numbers(dtype):
    found = read_map(RAMP.astype(dtype))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, RAMP)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_files_of_either_depth(tmp_path, dtype):
    path = tmp_path / "map.png"
    path.write_bytes(png(RAMP.astype(dtype)))
    for source in (path, str(path), path.read_bytes(), Picture(RAMP.astype(dtype))):
        np.testing.assert_array_equal(read_map(source), RAMP)


def test_a_colour_file_whose_channels_are_alike():
    alike = np.repeat(RAMP.astype(np.uint8)[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(read_map(png(alike)), RAMP)


@pytest.mark.parametrize("quality", [50, 80])
def test_grey_that_a_lossy_codec_tints(quality):
    ramp = np.repeat(np.linspace(0, 255, 80).astype(np.uint8)[None], 60, axis=0)
    data = io.BytesIO()
    Image.fromarray(ramp).convert("RGB").save(data, "webp", quality=quality)
    assert np.ptp(imaging.open(data.getvalue()).pixels, axis=2).max() == 1
    found = read_map(data.getvalue())
    assert found.shape == (60, 80)
    assert np.abs(found - ramp).max() < 12


def test_integers_that_would_be_reduced_are_refused(tmp_path):
    path = tmp_path / "map.tif"
    # Millimetres: of these 16 bits would keep nothing.
    tifffile.imwrite(path, np.arange(400, 400 + 1200, dtype=np.uint32).reshape(30, 40))
    with pytest.raises(UsageError, match="32-bit integers is not read; store them as floats"):
        read_map(path)
    tifffile.imwrite(path, np.arange(1200, dtype=np.float32).reshape(30, 40))
    assert read_map(path).max() == 1199


def test_colour_is_refused():
    colour = np.repeat(RAMP.astype(np.uint8)[:, :, None], 3, axis=2)
    colour[1, 2, 0] = 99
    with pytest.raises(UsageError, match="has colour"):
        read_map(png(colour))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_numbers_that_are_not_finite(value):
    plane = RAMP.astype(np.float64)
    plane[1, 1] = value
    with pytest.raises(ArrayError, match="finite"):
        read_map(plane)


def test_a_large_map_is_thinned(monkeypatch):
    monkeypatch.setattr(given, "_PIXELS", 1200)
    ramp = np.arange(300 * 400, dtype=np.uint32).reshape(300, 400)
    found = read_map(ramp)
    assert found.shape == (30, 40)
    assert found.dtype == np.float32
    # Of each ten rows and columns the one in the middle.
    np.testing.assert_array_equal(found, ramp[5::10, 5::10])
    assert read_map(ramp[:30, :40].copy()).shape == (30, 40)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_found_where_they_would_be_left_out(value, monkeypatch):
    monkeypatch.setattr(given, "_PIXELS", 1200)
    plane = np.zeros((300, 400), np.float32)
    plane[0, 0] = value
    with pytest.raises(ArrayError, match="finite"):
        read_map(plane)


@pytest.mark.parametrize("shape", [(3, 4, 3), (12,), (0, 4)])
def test_arrays_of_other_shapes(shape):
    with pytest.raises(ArrayError, match="depth map must be"):
        read_map(np.zeros(shape))


@pytest.mark.parametrize("dtype", [np.complex64, np.bool_, "U3", object])
def test_arrays_of_other_kinds(dtype):
    with pytest.raises(UsageError, match="numbers"):
        read_map(np.zeros((3, 4)).astype(dtype))


@pytest.mark.parametrize("source", [5, True, [[1, 2]], object()])
def test_other_things(source):
    with pytest.raises(UsageError, match="is no depth map"):
        read_map(source)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputMissing):
        read_map(tmp_path / "none.png")
    with pytest.raises(InputError):
        read_map(b"no picture")


@pytest.mark.parametrize("shape", [(300, 400), (30, 40), (75, 101), (3, 4), (1, 1)])
def test_maps_of_the_same_proportions(shape):
    check_belongs(shape, 600, 800)


@pytest.mark.parametrize("width", range(380, 421))
def test_a_map_and_a_picture_that_are_turned_fit_as_before(width):
    assert fits_picture((300, width), 600, 800) == fits_picture((width, 300), 800, 600)


@pytest.mark.parametrize("shape", [(400, 300), (300, 420), (600, 600)])
def test_maps_of_other_proportions(shape):
    with pytest.raises(UsageError, match=rf"{shape[1]}x{shape[0]}.*800x600"):
        check_belongs(shape, 600, 800)
    with pytest.raises(UsageError, match=rf"{shape[1]}x{shape[0]}.*800x600"):
        read_map(np.zeros(shape, np.float32), size=(600, 800))


def test_the_size_that_is_told_is_that_of_the_file(monkeypatch):
    monkeypatch.setattr(given, "_PIXELS", 1200)
    with pytest.raises(UsageError, match=r"400x400.*800x600"):
        read_map(np.zeros((400, 400), np.uint8), size=(600, 800))


@pytest.mark.parametrize(
    ("plane", "says"),
    [
        (np.zeros((2, 2)), "float32 array, not float64"),
        ([[1.0]], "float32 array, not list"),
        (np.zeros((2, 2, 1), np.float32), r"\(h, w\)"),
        (np.full((2, 2), np.nan, np.float32), "finite"),
    ],
)
def test_a_picture_takes_no_other_map(plane, says):
    with pytest.raises(ArrayError, match=says):
        Picture(np.zeros((4, 4), np.uint8), depth_map=plane)
