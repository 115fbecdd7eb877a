"""GeoTIFF (OGC 19-008r4): the place on Earth is kept, true of the raster that is written."""

import io
import struct
from dataclasses import replace

import made
import numpy as np
import pytest
import tifffile
from PIL import Image

import hyperfocal
from hyperfocal import imaging
from hyperfocal.server.pool.asked import cropped

SCALE, TIEPOINTS, MATRIX, KEYS, NUMBERS, TEXTS = 33550, 33922, 34264, 34735, 34736, 34737
AREA, POINT = 1, 2
ELLIPSOID = (6378137.0, 298.257223563)
NAME = b"Somewhere / UTM zone 32N|\0"
SPACED = {SCALE: (0.5, 0.25, 1.0), TIEPOINTS: (3.0, 5.0, 0.0, 500000.0, 4100000.0, 7.0)}
TURNED = {MATRIX: (0.3, 0.1, 0, 5e5, 0.1, -0.3, 0, 4e6, 0, 0, 2.0, 9.0, 0, 0, 0, 1)}
SEVERAL = {TIEPOINTS: (0, 0, 0, 10, 20, 0, 83, 0, 0, 12, 21, 0, 83, 61, 0, 13, 18, 0)}


def keys(raster=AREA):
    """The version, how many keys follow, and these: kind of model and raster, two by reference."""
    kind = () if raster is None else (1025, 0, 1, raster)
    rest = (2057, NUMBERS, 1, 0, 3073, TEXTS, len(NAME) - 1, 0)
    return (1, 1, 0, 3 + bool(kind), 1024, 0, 1, 1, *kind, *rest)


def geotiff(place, raster=AREA, *, pixels=None, more=(), **options):
    """A file by tifffile. ``place``: doubles by tag; ``raster``: what pixels are, None: unsaid."""
    tags = [(tag, "d", len(values), values, True) for tag, values in place.items()]
    directory = keys(raster)
    tags += [
        (KEYS, "H", len(directory), directory, True),
        (NUMBERS, "d", 2, ELLIPSOID, True),
        (TEXTS, "s", len(NAME), NAME, True),
        *more,
    ]
    sink = io.BytesIO()
    pixels = made.photo() if pixels is None else pixels
    tifffile.imwrite(sink, pixels, photometric="rgb", metadata=None, extratags=tags, **options)
    return sink.getvalue()


def tag_values(data):
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages[0].tags
        return {tag: tags[tag].value for tag in range(33550, 34738) if tag in tags}


def enlarged(data, height, width, **options):
    """The file that would be written of a result of that size."""
    picture = imaging.open(data)
    assert picture.notes == ()
    pixels = np.zeros((height, width, 3), np.uint8)
    return imaging.encode(replace(picture, pixels=pixels), "tiff", **options)


def located(tags, column, row):
    """The place in the model of a place in the raster, by the standard's formulas."""
    if MATRIX in tags:
        matrix = np.reshape(tags[MATRIX], (4, 4))
        return matrix @ (column, row, 0, 1)
    (i, j, _, x, y, _), (across, down, _) = tags[TIEPOINTS][:6], tags[SCALE]
    return np.array([x + (column - i) * across, y - (row - j) * down])


def test_areas_keep_their_corners():
    got = tag_values(enlarged(geotiff(SPACED), 122, 166))
    assert got[SCALE] == (0.25, 0.125, 1.0)
    assert got[TIEPOINTS] == (6.0, 10.0, 0.0, 500000.0, 4100000.0, 7.0)


def test_points_are_tied_half_a_pixel_in():
    """The middle of a pixel that becomes two by two lies at the corner of all four."""
    got = tag_values(enlarged(geotiff(SPACED, POINT), 122, 166))
    assert got[SCALE] == (0.25, 0.125, 1.0)
    assert got[TIEPOINTS] == (6.5, 10.5, 0.0, 500000.0, 4100000.0, 7.0)


@pytest.mark.parametrize("size", [(122, 166), (100, 137), (488, 664)])
@pytest.mark.parametrize("place", [SPACED, TURNED], ids=["spaced", "turned"])
@pytest.mark.parametrize("raster", [AREA, POINT, None, 0])
def test_the_edges_of_the_picture_stay_where_they_are(place, raster, size):
    data = geotiff(place, raster)
    before, after = tag_values(data), tag_values(enlarged(data, *size))
    edge = -0.5 if raster == POINT else 0.0
    for down in (0, 0.3, 1):
        for across in (0, 0.6, 1):
            one = located(before, across * 83 + edge, down * 61 + edge)
            other = located(after, across * size[1] + edge, down * size[0] + edge)
            assert np.allclose(one, other, rtol=0, atol=1e-6)
    assert after[KEYS] == keys(raster)
    assert after[NUMBERS] == ELLIPSOID
    assert after[TEXTS].encode() == NAME.rstrip(b"\0")


@pytest.mark.parametrize("place", [SPACED, TURNED], ids=["spaced", "turned"])
@pytest.mark.parametrize("raster", [AREA, POINT])
def test_a_part_of_the_picture_stays_where_it_is(place, raster):
    data = geotiff(place, raster)
    part = cropped(imaging.open(data), (30, 7, 20, 40))
    larger = replace(part, pixels=np.zeros((80, 60, 3), np.uint8))
    before, after = tag_values(data), tag_values(imaging.encode(larger, "tiff"))
    edge = -0.5 if raster == POINT else 0.0
    for column, row in ((0, 0), (1, 0), (0, 1), (0.25, 0.75)):
        one = located(before, 30 + column * 20 + edge, 7 + row * 40 + edge)
        other = located(after, column * 60 + edge, row * 80 + edge)
        assert np.allclose(one, other, rtol=0, atol=1e-6)


def test_every_tiepoint_of_a_part_is_moved():
    part = cropped(imaging.open(geotiff(SEVERAL)), (3, 1, 20, 40))
    got = tag_values(imaging.encode(part, "tiff"))
    assert got[TIEPOINTS] == (-3, -1, 0, 10, 20, 0, 80, -1, 0, 12, 21, 0, 80, 60, 0, 13, 18, 0)


def test_every_one_of_several_tiepoints_is_moved():
    got = tag_values(enlarged(geotiff(SEVERAL), 122, 249))
    assert got[TIEPOINTS] == (0, 0, 0, 10, 20, 0, 249, 0, 0, 12, 21, 0, 249, 122, 0, 13, 18, 0)


@pytest.mark.parametrize("options", [{"byteorder": ">"}, {"bigtiff": True}], ids=["big", "bigtiff"])
def test_whatever_the_kind_of_file(options):
    got = tag_values(enlarged(geotiff(SPACED, POINT, **options), 61, 83))
    assert {tag: got[tag] for tag in SPACED} == SPACED
    assert got[KEYS] == keys(POINT)


def test_an_enlargement_is_where_the_photograph_was():
    got = tag_values(hyperfocal.upscale(geotiff(SPACED), model="bicubic-x2"))
    assert got[SCALE] == (0.25, 0.125, 1.0)
    assert got[TIEPOINTS][:2] == (6.0, 10.0)


def test_other_formats_drop_it_and_say_so():
    picture = imaging.open(geotiff(SPACED))
    assert imaging.conversions(picture, "tiff") == ()
    for form in ("png", "jpeg"):
        said = imaging.conversions(picture, form)
        assert any("cannot carry georeferencing (GeoTIFF): it was dropped" in one for one in said)


def test_stripping_drops_it_without_a_word():
    data = geotiff(SPACED)
    assert tag_values(enlarged(data, 61, 83, strip_metadata=True)) == {}
    assert imaging.conversions(imaging.open(data), "png", strip_metadata=True) == ()


def test_a_picture_that_is_turned_upright_loses_it_and_says_so():
    data = geotiff(SPACED, more=[(274, "H", 1, 6, True)])
    got = imaging.open(data)
    assert got.metadata.geo is None
    assert any("because the picture was turned upright" in note for note in got.notes)


@pytest.mark.parametrize(
    ("place", "raster"),
    [
        ({SCALE: (0.5, 0.25)}, AREA),
        ({TIEPOINTS: (0.0, 0.0, 0.0, 1.0, 2.0)}, AREA),
        ({MATRIX: (1.0,) * 15}, AREA),
        ({SCALE: (0.5, float("nan"), 0.0)}, AREA),
        (SPACED, 32767),
    ],
    ids=["scale", "tiepoint", "matrix", "nan", "type of its own"],
)
def test_what_cannot_be_kept_true_is_dropped_and_said(place, raster):
    got = imaging.open(geotiff(place, raster))
    assert got.metadata.geo is None
    assert got.notes == ("georeferencing (GeoTIFF) cannot be understood and was dropped",)


def test_keys_that_are_cut_short_are_damaged():
    data = geotiff(SPACED)
    start = data.index(struct.pack("<4H", 1, 1, 0, 4))
    data = data[: start + 6] + struct.pack("<H", 40) + data[start + 8 :]
    assert "cannot be understood" in imaging.open(data).notes[0]


def test_keys_without_a_place_are_kept_as_they_are():
    got = tag_values(enlarged(geotiff({}, 32767), 122, 166))
    assert got[KEYS] == keys(32767)


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ((42112, "s", 0, b"<GDALMetadata/>", True), "GDAL's metadata were dropped"),
        ((42113, "s", 0, b"-9999", True), "no data was dropped"),
        ((50844, "d", 92, (1.0,) * 92, True), "(RPC) were dropped"),
    ],
    ids=["metadata", "no data", "rpc"],
)
def test_what_is_not_kept_of_a_raster_is_told(tag, words):
    data = geotiff(SPACED, more=[tag])
    got = imaging.open(data)
    (note,) = got.notes
    assert words in note
    assert got.metadata.geo is not None
    assert note in imaging.from_pil(Image.open(io.BytesIO(data))).notes


OF_PILLOW = "georeferencing (GeoTIFF) of a Pillow image was dropped"


@pytest.mark.parametrize(
    ("place", "raster", "notes"),
    [
        (SPACED, AREA, (OF_PILLOW,)),
        (TURNED, POINT, (OF_PILLOW,)),
        ({}, AREA, (OF_PILLOW,)),
        (SPACED, 32767, ("georeferencing (GeoTIFF) cannot be understood and was dropped",)),
    ],
    ids=["spaced", "turned", "keys", "type of its own"],
)
def test_a_pillow_image_loses_it_and_says_so(place, raster, notes):
    """Programs turn and cut such images, and Pillow leaves the fields as they were."""
    image = Image.open(io.BytesIO(geotiff(place, raster)))
    assert imaging.from_pil(image).notes == notes
    plain = io.BytesIO()
    tifffile.imwrite(plain, made.photo(), photometric="rgb", metadata=None)
    assert imaging.from_pil(Image.open(plain)).notes == ()
