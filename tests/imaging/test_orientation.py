"""Every orientation, in every format that states one, against Pillow."""

import io
from dataclasses import replace
from xml.etree import ElementTree

import made
import numpy as np
import pytest
from PIL import Image, ImageOps

from hyperfocal import imaging
from hyperfocal.imaging import bmff, exif, ifd, orient, xmp
from hyperfocal.server.pool.asked import cropped

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


def test_the_resolution_of_a_turned_heic():
    heif = pytest.importorskip("pillow_heif")
    sink = io.BytesIO()
    stated = made.exif_block(orientation=6, dpi=(300, 150))
    heif.encode("RGB", (72, 48), RGB.tobytes(), sink, quality=90, exif=exif.PREFIX + stated)
    data = sink.getvalue()
    assert imaging.inspect(data).dpi == imaging.open(data).metadata.dpi == (150.0, 300.0)


def test_turn_and_mirror_boxes():
    """ISO/IEC 23008-12, 6.5.10 and 6.5.12: the turn is anticlockwise and comes first."""
    for turns in range(4):
        for mirror in (None, 0, 1):
            array = np.rot90(RGB, turns)
            if mirror is not None:
                array = array[:, ::-1] if mirror else array[::-1]
            number = bmff.Contents(turns=turns, mirror=mirror).orientation
            assert np.array_equal(orient.upright(RGB, number), array)


# What the metadata say of places in the picture

AREA, DIMENSIONS = (
    "{http://ns.adobe.com/xmp/sType/Area#}",
    "{http://ns.adobe.com/xap/1.0/sType/Dimensions#}",
)
ATTRIBUTES = """<mwg-rs:AppliedToDimensions stDim:w="72" stDim:h="48" stDim:unit="pixel"/>
<mwg-rs:RegionList><rdf:Bag><rdf:li><rdf:Description mwg-rs:Name="Ann"><mwg-rs:Area
 stArea:x="0.25" stArea:y="0.75" stArea:w="0.25" stArea:h="0.125" stArea:unit="normalized"/>
</rdf:Description></rdf:li></rdf:Bag></mwg-rs:RegionList>"""
ELEMENTS = """<mwg-rs:AppliedToDimensions rdf:parseType="Resource"><stDim:h>48</stDim:h><stDim:w>
72</stDim:w><stDim:unit>pixel</stDim:unit></mwg-rs:AppliedToDimensions><mwg-rs:RegionList><rdf:Seq><rdf:li
 rdf:parseType="Resource"><mwg-rs:Area rdf:parseType="Resource"><stArea:h>0.125</stArea:h><stArea:w>
0.25</stArea:w><stArea:y>0.75</stArea:y><stArea:x>0.25</stArea:x></mwg-rs:Area></rdf:li></rdf:Seq>
</mwg-rs:RegionList>"""


def packet(regions):
    return f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"
 xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"><mwg-rs:Regions rdf:parseType="Resource">
{regions}</mwg-rs:Regions></rdf:Description></rdf:RDF></x:xmpmeta>""".encode()


def numbers(tree, prefix, names):
    """Of attributes and of elements."""
    said = {key: value for element in tree.iter() for key, value in element.attrib.items()}
    said |= {element.tag: element.text for element in tree.iter()}
    return [float(said[prefix + name]) for name in names]


def a_face():
    """Where the regions say that it is."""
    pixels = np.zeros((48, 72, 3), np.uint8)
    pixels[33:39, 9:27] = 255
    return pixels


def box_of(pixels):
    """Left, top, width, height."""
    rows, columns = np.nonzero(pixels[..., 0] > 128)
    left, top = columns.min(), rows.min()
    return [left, top, columns.max() - left + 1, rows.max() - top + 1]


@pytest.mark.parametrize("by_pillow", [False, True])
@pytest.mark.parametrize("regions", [ATTRIBUTES, ELEMENTS], ids=["attributes", "elements"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_regions_of_xmp_turn_with_the_picture(orientation, regions, by_pillow):
    data = made.filed(a_face(), "WEBP", exif=block(orientation), xmp=packet(regions), lossless=True)
    got = imaging.from_pil(Image.open(io.BytesIO(data))) if by_pillow else imaging.open(data)
    tree = ElementTree.fromstring(got.metadata.xmp)
    x, y, width, height = numbers(tree, AREA, "xywh")
    left, top, wide, high = box_of(got.pixels)
    assert (x * got.width, y * got.height) == pytest.approx((left + wide / 2, top + high / 2))
    assert (width * got.width, height * got.height) == pytest.approx((wide, high))
    assert numbers(tree, DIMENSIONS, "wh") == [got.width, got.height]
    assert got.notes == ()
    if orientation == 1:
        assert got.metadata.xmp == packet(regions)


@pytest.mark.parametrize(
    "regions",
    [
        ATTRIBUTES.replace("normalized", "pixel"),
        '<MPReg:Rectangle="0.1, 0.2, 0.3, 0.4"/>',
        "<Iptc4xmpExt:rbX>0.25</Iptc4xmpExt:rbX>",
    ],
)
def test_regions_that_stay_where_they_were_are_told(regions):
    given = packet(regions)
    notes = []
    assert b'stArea:x="0.25"' not in given or b'stArea:x="0.25"' in xmp.turned(given, 6, notes)
    xmp.turned(given, 6, notes)
    assert xmp.MISPLACED in notes
    upright_notes = []
    assert xmp.turned(given, 1, upright_notes) == given
    assert upright_notes == []


@pytest.mark.parametrize(
    "area",
    ['stArea:x="0,2" stArea:y="0,3" stArea:w="0,1" stArea:h="0,2"/>',
     'stArea:x="0.2" stArea:y="0.3" stArea:w="0,1" stArea:h="0.2"/>',
     'stArea:x="0.2" stArea:y="0.3" stArea:w="0.1"/>',
     'stArea:x="0.2"/>', 'stArea:x="" stArea:y="0.5"/>', 'stArea:x="0.2" stArea:y="1e"/>',
     'stArea:x="0.2" stArea:y="1e999"/>', 'stArea:x="0.2" stArea:y="0.3" stArea:h="-"/>',
     'rdf:parseType="Resource"><stArea:x rdf:datatype="d">0.2</stArea:x><stArea:y>0.3</stArea:y>'
     "</mwg-rs:Area>"],
)  # fmt: skip
def test_an_area_whose_numbers_cannot_be_read_stays_and_is_told(area):
    given = b"<mwg-rs:Area " + area.encode()
    notes = []
    assert xmp.turned(given * 2, 6, notes) == given * 2
    assert notes == [xmp.MISPLACED]


@pytest.mark.parametrize(
    "part",
    ["<mwg-rs:Area", '<mwg-rs:Area stArea:x="left" stArea:y="1e"/>', '<mwg-rs:Area stArea:x="1"/>',
     '<mwg-rs:Area stArea:x="" stArea:y="."/>', "<mwg-rs:Area>", "<mwg-rs:AppliedToDimensions/>"],
)  # fmt: skip
def test_regions_that_make_no_sense_never_cost_the_packet(part):
    assert xmp.turned(part.encode(), 3, []) == part.encode()


@pytest.mark.parametrize(
    "part", ["<mwg-rs:Area/>", '<mwg-rs:Area rdf:parseType="Resource"></mwg-rs:Area>']
)
def test_an_area_that_states_no_place_is_nowhere_else(part):
    notes = []
    assert xmp.turned(part.encode(), 6, notes) == part.encode()
    assert notes == []


def test_a_point_has_no_size_to_turn():
    given = b'<mwg-rs:Area stArea:x="0.25" stArea:y="0.75" stArea:d="0.5"/>'
    notes = []
    assert xmp.turned(given, 6, notes) == given.replace(b"0.75", b"0.25")
    assert notes == []


def subject_block(orientation, place, order, size=(72, 48)):
    """EXIF with a subject's place, and twice as many pixels across a unit of the sensor as down."""
    main = made.parsed(made.exif_block(orientation=orientation, size=size or (72, 48)))
    inside = main.fields[ifd.EXIF_IFD].inside
    if size is None:
        del inside.fields[0xA002], inside.fields[0xA003]
    inside.put(0x9214, ifd.SHORT, *place)
    inside.put(0xA214, ifd.SHORT, *place[:2])
    inside.put(0xA20E, ifd.RATIONAL, 4000, 1)
    inside.put(0xA20F, ifd.RATIONAL, 2000, 1)
    return ifd.block(main) if order == "<" else made.big_endian(main)


def photo_fields(data):
    found = Image.open(io.BytesIO(data)).getexif().get_ifd(0x8769)
    return found[0x9214], found[0xA214], float(found[0xA20E]), float(found[0xA20F])


@pytest.mark.parametrize("by_pillow", [False, True])
# True, of the picture that this one was cut from, none.
@pytest.mark.parametrize("size", [(72, 48), (6000, 3500), None])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_place_of_the_subject_is_true_of_the_result(orientation, order, size, by_pillow):
    # EXIF 2.32, 4.6.5: the middle and the size of the face, in pixels as they are stored.
    given = subject_block(orientation, (17, 35, 18, 6), order, size)
    data = made.filed(a_face(), "WEBP", exif=given, lossless=True)
    got = imaging.from_pil(Image.open(io.BytesIO(data))) if by_pillow else imaging.open(data)
    larger = replace(got, pixels=got.pixels.repeat(3, 0).repeat(3, 1))
    area, point, across, down = photo_fields(imaging.encode(larger, "png"))
    left, top, wide, high = box_of(larger.pixels)
    assert area[2:] == (wide, high)
    assert abs(area[0] - (left + wide / 2)) <= 3
    assert abs(area[1] - (top + high / 2)) <= 3
    assert point == area[:2]
    assert (across, down) == ((12_000, 6000) if orientation < 5 else (6000, 12_000))
    # What has its size stays as it is.
    same = imaging.encode(got, "png")
    assert photo_fields(same) == photo_fields(imaging.encode(imaging.open(same), "png"))
    assert made.parsed(imaging.open(same).metadata.exif).fields[ifd.EXIF_IFD].inside.integers(
        0xA002
    ) == ((got.width,) if size else ())
    if size == (6000, 3500):
        return
    assert imaging.open(same).metadata.exif == got.metadata.exif
    assert orientation != 1 or got.metadata.exif == given


@pytest.mark.parametrize("size", [(144, 96), (145, 96), (36, 24)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_of_the_size_before_another_program_changed_it(orientation, size):
    """Programs that reduce pictures leave it as it was, and so does Pillow."""
    by = size[1] / 48
    main = made.parsed(
        subject_block(orientation, [round(n * by) for n in (17, 35, 18, 6)], "<", size)
    )
    inside = main.fields[ifd.EXIF_IFD].inside
    inside.put(0xA20E, ifd.RATIONAL, int(4000 * by), 1)
    inside.put(0xA20F, ifd.RATIONAL, int(2000 * by), 1)
    data = made.filed(a_face(), "WEBP", exif=ifd.block(main), lossless=True)
    expected = photo_fields(
        imaging.encode(
            imaging.open(
                made.filed(
                    a_face(),
                    "WEBP",
                    exif=subject_block(orientation, (17, 35, 18, 6), "<"),
                    lossless=True,
                )
            ),
            "png",
        )
    )
    given = imaging.open(data)
    for got in (given, imaging.from_pil(Image.open(io.BytesIO(data))),
                imaging.from_pil(imaging.to_pil(given))):  # fmt: skip
        area, point, *focal = photo_fields(imaging.encode(got, "png"))
        assert np.abs(np.subtract(area, expected[0])).max() <= 1
        assert np.abs(np.subtract(point, expected[1])).max() <= 1
        assert focal == pytest.approx(expected[2:], rel=0.01)


def test_exif_of_a_picture_that_was_made_here():
    metadata = imaging.Metadata(exif=subject_block(1, (17, 35, 18, 6), "<"))
    twice = imaging.Picture(a_face().repeat(2, 0).repeat(2, 1), metadata=metadata)
    area, point, across, down = photo_fields(imaging.encode(twice, "png"))
    assert (area, point, across, down) == ((34, 70, 36, 12), (34, 70), 8000, 4000)


def test_exif_of_a_part():
    got = imaging.open(
        made.filed(a_face(), "WEBP", exif=subject_block(1, (17, 35, 18, 6), "<"), lossless=True)
    )
    part = cropped(got, (8, 24, 20, 24))
    larger = replace(part, pixels=part.pixels.repeat(2, 0).repeat(2, 1))
    area, point, across, down = photo_fields(imaging.encode(larger, "png"))
    left, top, *_ = box_of(larger.pixels)
    assert (area[0] - area[2] / 2, area[1] - area[3] / 2) == pytest.approx((left, top), abs=2)
    assert point == area[:2]
    assert (across, down) == (8000, 4000)


def test_the_place_of_the_subject_in_a_heic():
    heif = pytest.importorskip("pillow_heif")
    sink = io.BytesIO()
    heif.encode("RGB", (72, 48), a_face().tobytes(), sink, quality=98, chroma=444,
                xmp=packet(ELEMENTS),
                exif=exif.PREFIX + subject_block(6, (17, 35, 18, 6), "<"))  # fmt: skip
    got = imaging.open(sink.getvalue())
    left, top, wide, high = box_of(got.pixels)
    area, _, across, _ = photo_fields(imaging.encode(got, "png"))
    assert np.abs(np.subtract(area, (left + wide / 2, top + high / 2, wide, high))).max() <= 1
    assert across == 2000
    x, y, *_ = numbers(ElementTree.fromstring(got.metadata.xmp), AREA, "xywh")
    assert (x * 48, y * 72) == pytest.approx((left + wide / 2, top + high / 2), abs=1)


@pytest.mark.parametrize(
    ("kind", "values", "size"),
    [(ifd.SHORT, (5,), (72, 48)), (ifd.SHORT, (1, 2, 3, 4, 5), (72, 48)),
     (ifd.LONG, (1, 2), (72, 48))],
)  # fmt: skip
def test_a_subject_that_makes_no_sense_never_costs_the_block(kind, values, size):
    main = made.parsed(made.exif_block(orientation=6, size=size))
    main.fields[ifd.EXIF_IFD].inside.put(0x9214, kind, *values)
    got = imaging.open(made.filed(RGB, "WEBP", exif=ifd.block(main)))
    inside = (
        made.parsed(imaging.open(imaging.encode(got, "png")).metadata.exif).fields[0x8769].inside
    )
    assert inside.integers(0x9214) == values
    assert got.notes == ()
