"""What XMP states in pixels is true of the result."""

import io
import time
from dataclasses import replace
from xml.etree import ElementTree

import made
import numpy as np
import pytest
from PIL import Image

from hyperfocal import imaging
from hyperfocal.imaging import xmp_pixels

SPACES = {
    "GPano": "http://ns.google.com/photos/1.0/panorama/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}
PANORAMA = {
    "FullPanoWidthPixels": 200,
    "FullPanoHeightPixels": 100,
    "CroppedAreaImageWidthPixels": 72,
    "CroppedAreaImageHeightPixels": 48,
    "CroppedAreaLeftPixels": 128,
    "CroppedAreaTopPixels": 16,
    "LargestValidInteriorRectLeft": 5,
    "LargestValidInteriorRectTop": 0,
    "LargestValidInteriorRectWidth": 61,
    "LargestValidInteriorRectHeight": 48,
}


def packet(attributes="", inside=""):
    spaces = " ".join(f'xmlns:{name}="{uri}"' for name, uri in SPACES.items())
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {spaces}><rdf:Description rdf:about=""'
        f" {attributes}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def elements(values, space):
    return "".join(f"<{space}:{name}>{value}</{space}:{name}>" for name, value in values.items())


def attributes(values, space):
    return " ".join(f"{space}:{name}='{value}'" for name, value in values.items())


def said(data, space):
    """By name, of attributes and elements; of lists a tuple."""
    tree, head = ElementTree.fromstring(data), "{" + SPACES[space] + "}"
    pairs = [pair for element in tree.iter() for pair in element.attrib.items()]
    for element in tree.iter():
        items = [item.text for item in element.iter() if item.tag.endswith("ns#}li")]
        pairs.append((element.tag, tuple(items) or element.text))
    return {name.removeprefix(head): value for name, value in pairs if name.startswith(head)}


def opened(data, orientation=1, width=72, height=48, by_pillow=False):
    block = made.exif_block(orientation=orientation, size=(width, height))
    pixels = np.zeros((height, width, 3), np.uint8)
    given = made.filed(pixels, "WEBP", exif=block, xmp=data, lossless=True)
    return imaging.from_pil(Image.open(io.BytesIO(given))) if by_pillow else imaging.open(given)


def enlarged(picture, width, height):
    larger = replace(picture, pixels=np.zeros((height, width, 3), np.uint8))
    return imaging.open(imaging.encode(larger, "png")).metadata.xmp


@pytest.mark.parametrize("write", [elements, attributes])
def test_a_panorama_lies_in_the_sphere_where_it_did(write):
    text = write(PANORAMA | {"ProjectionType": "equirectangular"}, "GPano")
    given = packet(inside=text) if write is elements else packet(text)
    picture = opened(given)
    assert (picture.metadata.xmp, picture.notes) == (given, ())
    got = said(enlarged(picture, 288, 192), "GPano")
    assert got.pop("ProjectionType") == "equirectangular"
    assert {name: int(value) for name, value in got.items()} == {
        name: 4 * value for name, value in PANORAMA.items()
    }


@pytest.mark.parametrize("width", [*range(36, 150, 7), 719, 20_000])
def test_a_panorama_is_never_larger_than_the_sphere(width):
    data = packet(inside=elements(PANORAMA, "GPano"))
    found = said(xmp_pixels.resized(data, width, 48, before=(72, 48)), "GPano")
    new = {name: int(value) for name, value in found.items()}
    assert new["CroppedAreaImageWidthPixels"] == width
    assert new["FullPanoHeightPixels"] == 100
    edge = new["CroppedAreaLeftPixels"] + width
    # It ended at the sphere's own edge, but for rounding.
    assert 0 <= new["FullPanoWidthPixels"] - edge <= 1
    inner = new["LargestValidInteriorRectLeft"] + new["LargestValidInteriorRectWidth"]
    assert inner <= width
    whole = dict(PANORAMA, FullPanoWidthPixels=72, CroppedAreaLeftPixels=0)
    found = said(
        xmp_pixels.resized(packet(attributes(whole, "GPano")), width, 48, before=(72, 48)), "GPano"
    )
    assert int(found["FullPanoWidthPixels"]) == width


@pytest.mark.parametrize("by_pillow", [False, True])
@pytest.mark.parametrize("write", [elements, attributes])
@pytest.mark.parametrize("orientation", [3, 6])
def test_a_panorama_that_was_turned_is_none(orientation, write, by_pillow):
    text = write(PANORAMA, "GPano")
    given = packet(inside=text) if write is elements else packet(text)
    picture = opened(given, orientation, by_pillow=by_pillow)
    assert said(picture.metadata.xmp, "GPano") == {}
    assert picture.notes == (xmp_pixels.TURNED_PANORAMA,)


def subject(write, place):
    """A place in one of the ways in which programs write it."""
    if write == "list":
        items = "".join(f"<rdf:li>{value}</rdf:li>" for value in place)
        return packet(inside=f"<exif:SubjectArea>\n<rdf:Seq>{items}</rdf:Seq></exif:SubjectArea>")
    text = ", ".join(map(str, place))
    if write == "element":
        return packet(inside=f"<exif:SubjectArea>{text}</exif:SubjectArea>")
    return packet(f'exif:SubjectArea="{text}"')


def place_of(data):
    found = said(data, "exif")["SubjectArea"]
    return tuple(map(int, found if isinstance(found, tuple) else found.split(",")))


@pytest.mark.parametrize("by_pillow", [False, True])
@pytest.mark.parametrize("write", ["list", "element", "attribute"])
@pytest.mark.parametrize(
    ("orientation", "place", "turned"),
    [
        (1, (40, 30, 10, 8), (40, 30, 10, 8)),
        (1, (40, 30, 10), (40, 30, 10)),
        (3, (40, 30), (31, 17)),
        (6, (40, 30, 10, 8), (17, 40, 8, 10)),
        (8, (40, 30, 10, 8), (30, 31, 8, 10)),
    ],
)
def test_the_subject_is_where_it_was(write, orientation, place, turned, by_pillow):
    picture = opened(subject(write, place), orientation, by_pillow=by_pillow)
    assert place_of(picture.metadata.xmp) == turned
    assert picture.notes == ()
    got = enlarged(picture, 3 * picture.width, 3 * picture.height)
    assert place_of(got) == tuple(3 * value for value in turned)


@pytest.mark.parametrize("size", [(144, 96), (36, 24)])
def test_the_subject_of_the_size_before_another_program_changed_it(size):
    by = size[0] / 72
    data = subject("list", [round(value * by) for value in (40, 30, 10, 8)])
    data = data.replace(
        b' rdf:about=""',
        b' rdf:about="" exif:PixelXDimension="%d" exif:PixelYDimension="%d"' % size,
    )
    picture = opened(data)
    assert place_of(picture.metadata.xmp) == (40, 30, 10, 8)
    assert said(picture.metadata.xmp, "exif")["PixelXDimension"] == "72"


@pytest.mark.parametrize(
    "place", ["", "12", "1, 2, 3, 4, 5", "left, right", "12,", "1.5, 2.5", "99999999999, 1"]
)
def test_a_place_that_makes_no_sense_stays_as_it_is(place):
    for data in (
        packet(f'exif:SubjectArea="{place}"'),
        packet(inside=f"<exif:SubjectArea>{place}</exif:SubjectArea>"),
        b"<exif:SubjectArea><rdf:Seq><rdf:li>1</rdf:li><rdf:li>2</rdf:li>",
    ):
        assert xmp_pixels.resized(data, 144, 96, before=(72, 48)) == data


@pytest.mark.parametrize("write", [elements, attributes])
@pytest.mark.parametrize("orientation", [1, 6])
def test_pixels_in_a_unit_of_the_sensor(write, orientation):
    values = {"FocalPlaneXResolution": "400/2", "FocalPlaneYResolution": "100"}
    text = write(values, "exif")
    picture = opened(packet(inside=text) if write is elements else packet(text), orientation)
    found = said(enlarged(picture, 2 * picture.width, 3 * picture.height), "exif")
    numbers = [up / down for up, down in (map(int, found[name].split("/")) for name in values)]
    assert numbers == ([400, 300] if orientation == 1 else [200, 600])
    same = enlarged(picture, picture.width, picture.height)
    assert said(same, "exif") == said(picture.metadata.xmp, "exif")


def test_no_unit_of_no_size():
    data = packet('exif:FocalPlaneXResolution="1/0"')
    assert xmp_pixels.resized(data, 144, 96, before=(72, 48)) == data


def region(unit, write=elements):
    values = {"rbShape": "rectangle", "rbUnit": unit, "rbX": 10, "rbY": 20.5, "rbW": 30, "rbH": 7}
    text = write(values, "Iptc4xmpExt")
    if write is attributes:
        return f"<Iptc4xmpExt:RegionBoundary {text}/>"
    vertex = '<rdf:li rdf:parseType="Resource">' + elements({"rbX": 1, "rbY": 2}, "Iptc4xmpExt")
    return (
        f'<Iptc4xmpExt:RegionBoundary rdf:parseType="Resource">{text}<Iptc4xmpExt:rbRx>4'
        f"</Iptc4xmpExt:rbRx><Iptc4xmpExt:rbVertices><rdf:Seq>{vertex}</rdf:li></rdf:Seq>"
        "</Iptc4xmpExt:rbVertices></Iptc4xmpExt:RegionBoundary>"
    )


@pytest.mark.parametrize("write", [elements, attributes])
def test_regions_in_pixels_are_where_they_were(write):
    # Only of the region that has this unit.
    given = packet(inside=region("relative", write) + region("pixel", write))
    got = enlarged(opened(given), 144, 144)
    relative, inside = got.split(b"RegionBoundary>" if write is elements else b"/>", 1)
    assert relative in given
    for name, value in {b"X": b"20", b"Y": b"61.5", b"W": b"60", b"H": b"21"}.items():
        assert b"rb%s>%s<" % (name, value) in inside or b"rb%s='%s'" % (name, value) in inside
    if write is elements:
        assert b"rbRx>8<" in inside
        assert b">2</Iptc4xmpExt:rbX><Iptc4xmpExt:rbY>6<" in inside


def test_regions_of_faces():
    size = '<mwg-rs:AppliedToDimensions stDim:w="72" stDim:h="48" stDim:unit="pixel"/>'
    shares = '<mwg-rs:Area stArea:x="0.25" stArea:y="0.75" stArea:unit="normalized"/>'
    pixels = '<mwg-rs:Area stArea:x="10" stArea:y="20" stArea:w="5" stArea:unit="pixel"/>'
    got = enlarged(opened(packet(inside=size + shares + pixels)), 144, 144)
    assert size.replace("72", "144").replace("48", "144").encode() in got
    assert shares.encode() in got
    moved = pixels.replace("10", "20").replace('y="20"', 'y="60"').replace('w="5"', 'w="10"')
    assert moved.encode() in got


@pytest.mark.parametrize(
    "piece",
    [b"<exif:SubjectArea>", b"<exif:SubjectArea>1,", b'exif:SubjectArea="', b" 1,2" * 3,
     b"<GPano:FullPanoWidthPixels>", b' GPano:a="', b"<Iptc4xmpExt:RegionBoundary>",
     b"<mwg-rs:Area>", b'exif:FocalPlaneXResolution="1', b"9" * 9, b" " * 9],
)  # fmt: skip
def test_no_packet_takes_long(piece):
    for data in (piece * 100_000, b'exif:SubjectArea="' + piece * 100_000):
        # Of this process: others may have the machine meanwhile.
        start = time.process_time()
        xmp_pixels.upright(data, 72, 48, 6, [])
        xmp_pixels.resized(data, 144, 96, before=(72, 48))
        assert time.process_time() - start < 2
