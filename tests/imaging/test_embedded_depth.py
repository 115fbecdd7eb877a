"""Depth maps in JPEG files, as phones put them there; the files are made here byte by byte."""

from __future__ import annotations

import base64
import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

import hyperfocal
from hyperfocal import imaging
from hyperfocal.imaging import embedded_depth
from hyperfocal.imaging.embedded_depth import NOT_WRITTEN, OTHER_SIZE, UNREADABLE

XMP = b"http://ns.adobe.com/xap/1.0/\0"
MORE = b"http://ns.adobe.com/xmp/extension/\0"
GUID = b"0123456789ABCDEF0123456789ABCDEF"
HEIGHT, WIDTH = 60, 80
# Steps far enough apart for JPEG to keep their order, and not the same when turned.
LEVELS = np.kron(np.arange(12).reshape(3, 4) * 20 + 10, np.ones((10, 10))).astype(np.uint8)


def encoded(array, form="jpeg", **options):
    data = io.BytesIO()
    Image.fromarray(array).save(data, form, **options)
    return data.getvalue()


def photograph(**options):
    random = np.random.default_rng(0)
    return encoded(random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), quality=95, **options)


def segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(jpeg, *segments):
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def packet(attributes):
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-'
        b'rdf-syntax-ns#"><rdf:Description rdf:about="" ' + attributes + b"/></rdf:RDF></x:xmpmeta>"
    )


def with_gdepth(depth, *, jpeg=None, guid=GUID, length=None, gap=0, part=400):
    """The map in an extension of several segments."""
    coded = base64.b64encode(depth)
    rest = packet(b'xmlns:GDepth="http://ns.google.com/photos/1.0/depthmap/" GDepth:Data="')
    rest = rest.replace(b'Data="/>', b'Data="' + coded + b'"/>')
    assert coded in rest
    parts = [
        segment(
            0xE1,
            MORE
            + GUID
            + struct.pack(">II", len(rest) if length is None else length, at)
            + rest[at : at + part],
        )
        for at in range(0, len(rest), part)
    ]
    main = packet(
        b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmlns:GDepth="http://ns.google.com/photos/'
        b'1.0/depthmap/" GDepth:Format="RangeInverse" GDepth:Near="0.5" GDepth:Mime="image/png" '
        b'xmpNote:HasExtendedXMP="' + guid + b'"'
    )
    return with_segments(jpeg or photograph(), segment(0xE1, XMP + main), *parts[gap:])


def auxiliary(depth, kind=b"disparity"):
    name = b'xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/" apdi:AuxiliaryImageType="'
    return with_segments(depth, segment(0xE1, XMP + packet(name + kind + b'"')))


def with_mpf(*further, jpeg=None, order="<", offset=0, count=None):
    """Pictures behind the first, and the index that leads to them."""
    jpeg = jpeg or photograph()
    pictures = 1 + len(further)
    size = 8 + 2 + 3 * 12 + 4 + 16 * pictures
    whole = len(jpeg) + 4 + 4 + size
    base = 2 + 4 + 4
    entries = struct.pack(order + "IIIHH", 0x30000, whole, 0, 0, 0)
    at = whole - base + offset
    for each in further:
        entries += struct.pack(order + "IIIHH", 0, len(each), at, 0, 0)
        at += len(each)
    index = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 3)
    index += struct.pack(order + "HHI4s", 0xB000, 7, 4, b"0100")
    index += struct.pack(order + "HHII", 0xB001, 4, 1, pictures)
    index += struct.pack(order + "HHII", 0xB002, 7, count or 16 * pictures, 8 + 2 + 36 + 4)
    index += struct.pack(order + "I", 0) + entries
    return with_segments(jpeg, segment(0xE2, b"MPF\0" + index)) + b"".join(further)


def listed(name, length, *, nested=False):
    """An item of Dynamic Depth's directory, with attributes or with elements."""
    if nested:
        return (
            b'<rdf:li rdf:parseType="Resource"><Item:Mime>image/jpeg</Item:Mime>'
            b"<Item:Length>%d</Item:Length><Item:DataURI>%s</Item:DataURI></rdf:li>"
        ) % (length, name)
    return (
        b'<rdf:li><Container:Item Item:Mime="image/jpeg" Item:Padding="0" '
        b'Item:DataURI="%s" Item:Length="%d"/></rdf:li>' % (name, length)
    )


# Of pictures with a gain map, which have no names there (Ultra HDR).
OTHER_DIRECTORY = (
    b"<Container:Directory><rdf:Seq>"
    b'<rdf:li><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>'
    b'<rdf:li><Container:Item Item:Semantic="GainMap" Item:Length="4000"/></rdf:li>'
    b"</rdf:Seq></Container:Directory>"
)


def with_dynamic_depth(
    *further, depth=b"android/depthmap", nested=False, padding=0, change=lambda packet: packet
):
    """Pictures, as (name, bytes, length), behind the first, and the packet that lists them."""
    items = [(b"primary_image", b"", 0), *further]
    main = packet(
        b'xmlns:Device="http://ns.google.com/photos/dd/1.0/device/" '
        b'xmlns:Container="http://ns.google.com/photos/dd/1.0/container/" '
        b'xmlns:Item="http://ns.google.com/photos/dd/1.0/item/" '
        b'xmlns:Camera="http://ns.google.com/photos/dd/1.0/camera/" '
        b'xmlns:DepthMap="http://ns.google.com/photos/dd/1.0/depthmap/"'
    ).replace(
        b"/></rdf",
        b"><Device:Container><Container:Directory><rdf:Seq>"
        + b"".join(listed(name, length, nested=nested) for name, _, length in items)
        + b"</rdf:Seq></Container:Directory></Device:Container><Device:Cameras><rdf:Seq><rdf:li>"
        b'<Device:Camera><Camera:DepthMap DepthMap:Format="RangeInverse" DepthMap:Near="0.4" '
        b'DepthMap:Far="9.5" DepthMap:DepthURI="' + depth + b'"/></Device:Camera></rdf:li>'
        b"</rdf:Seq></Device:Cameras></rdf:Description></rdf",
    )
    main = change(main.replace(b'Padding="0"', b'Padding="%d"' % padding, 1))
    jpeg = with_segments(photograph(), segment(0xE1, XMP + main))
    return jpeg + bytes(padding) + b"".join(data for _, data, _ in items)


def grey_jpeg(array=LEVELS):
    return encoded(array, quality=100)


def assert_same(found, expected=LEVELS):
    assert found is not None
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 3


@pytest.mark.parametrize(
    "depth",
    [
        encoded(LEVELS, "png"),
        grey_jpeg(),
        encoded(np.repeat(LEVELS[..., None], 3, axis=2), quality=100),
        encoded(np.repeat(LEVELS[..., None], 3, axis=2), "png"),
    ],
    ids=["png", "jpeg", "colour jpeg", "colour png"],
)
def test_gdepth(depth):
    assert_same(hyperfocal.open(with_gdepth(depth)).depth_map)


@pytest.mark.parametrize(
    "change",
    [
        lambda coded: coded.rstrip(b"="),
        lambda coded: b"&#10;".join([coded[:40], coded[40:80], coded[80:]]),
        lambda coded: b"&#xA;\n ".join([coded[:76], coded[76:]]),
    ],
    ids=["no padding", "line breaks", "hexadecimal"],
)
def test_base64_as_programs_write_it(change):
    # One byte more than a multiple of three, so that there is padding.
    depth = encoded(LEVELS, "png")
    depth += bytes(-(len(depth) - 1) % 3)
    coded = base64.b64encode(depth)
    assert coded.endswith(b"==")
    main = packet(b'GDepth:Data="' + change(coded) + b'"')
    data = with_segments(photograph(), segment(0xE1, XMP + main))
    np.testing.assert_array_equal(hyperfocal.open(data).depth_map, LEVELS)


def test_gdepth_of_sixteen_bits():
    deep = LEVELS.astype(np.uint16) * 257
    np.testing.assert_array_equal(
        hyperfocal.open(with_gdepth(encoded(deep, "png"))).depth_map, deep
    )


def test_gdepth_in_the_packet_itself():
    coded = base64.b64encode(encoded(LEVELS, "png"))
    for main in (
        packet(b'GDepth:Data="' + coded + b'"'),
        packet(b"").replace(b"/></rdf", b"><GDepth:Data>" + coded + b"</GDepth:Data></rdf"),
    ):
        data = with_segments(photograph(), segment(0xE1, XMP + main))
        np.testing.assert_array_equal(hyperfocal.open(data).depth_map, LEVELS)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [b"disparity", b"depth", b"urn:com:apple:photo:depth"])
def test_an_auxiliary_picture(order, kind):
    preview = encoded(np.zeros((6, 8, 3), np.uint8))
    data = with_mpf(preview, auxiliary(grey_jpeg(), kind), order=order)
    with Image.open(io.BytesIO(data)) as pillows:
        assert (pillows.format, pillows.n_frames) == ("MPO", 3)
    assert_same(hyperfocal.open(data).depth_map)


def item(name, data):
    return name, data, len(data)


@pytest.mark.parametrize("nested", [False, True], ids=["attributes", "elements"])
def test_dynamic_depth(nested):
    original = item(b"android/original_image", photograph())
    confidence = item(b"android/confidencemap", grey_jpeg(LEVELS[::-1].copy()))
    depth = item(b"android/depthmap", grey_jpeg())
    for order in ((original, depth, confidence), (depth, original), (original, depth)):
        picture = hyperfocal.open(with_dynamic_depth(*order, nested=nested))
        assert_same(picture.depth_map)
        assert NOT_WRITTEN in picture.notes


@pytest.mark.parametrize(
    "behind",
    [bytes(8), b"SEFH" + bytes(20) + b"SEFT", b"\0\0\0\x18ftypmp42" + bytes(5000)],
    ids=["zeros", "a trailer", "a video"],
)
def test_dynamic_depth_before_what_no_directory_lists(behind):
    data = with_dynamic_depth(item(b"android/depthmap", grey_jpeg())) + behind
    assert_same(hyperfocal.open(data).depth_map)


def test_dynamic_depth_behind_padding():
    depth = item(b"android/depthmap", grey_jpeg())
    assert_same(hyperfocal.open(with_dynamic_depth(depth, padding=12)).depth_map)
    # Stated for nothing, it is counted from the end.
    data = with_dynamic_depth(depth).replace(b'Padding="0"', b'Padding="7"', 1)
    assert_same(hyperfocal.open(data).depth_map)


@pytest.mark.parametrize(
    "change",
    [
        lambda packet: packet.replace(
            b"<Device:Container>", OTHER_DIRECTORY + b"<Device:Container>"
        ),
        lambda packet: packet.replace(
            b"</Device:Container>", b"</Device:Container>" + OTHER_DIRECTORY
        ),
        lambda packet: packet.replace(
            b"<Container:Directory>", b'<Container:Directory rdf:parseType="Resource">'
        ),
        lambda packet: packet.replace(b"Container:D", b"Container_1_:D"),
    ],
    ids=["another before", "another behind", "attribute", "prefix"],
)
def test_directories_as_programs_write_them(change):
    depth = item(b"android/depthmap", grey_jpeg())
    picture = hyperfocal.open(with_dynamic_depth(depth, change=change))
    assert_same(picture.depth_map)
    # The result promises nothing, so that nothing is missed in it.
    made = hyperfocal.upscale(picture, model="bicubic-x2")
    for form in ("jpeg", "png"):
        data = imaging.encode(made, form)
        assert b"DepthURI" not in data
        assert b"Directory>" not in data.replace(OTHER_DIRECTORY, b"")
        assert UNREADABLE not in hyperfocal.open(data).notes


def test_an_item_of_no_length_is_the_one_before_it():
    depth = item(b"android/confidencemap", grey_jpeg())
    data = with_dynamic_depth(depth, (b"android/depthmap", b"", 0), item(b"other", photograph()))
    assert_same(hyperfocal.open(data).depth_map)


@pytest.mark.parametrize(
    "data",
    [
        with_dynamic_depth(item(b"android/depthmap", grey_jpeg()), depth=b"elsewhere"),
        with_dynamic_depth((b"android/depthmap", grey_jpeg()[:300], 9_999_999_999)),
        with_dynamic_depth((b"android/depthmap", b"", 0)),
        with_dynamic_depth(item(b"android/depthmap", b"no picture")),
        with_dynamic_depth(item(b"android/depthmap", grey_jpeg()))[:-300],
        with_dynamic_depth(item(b"android/depthmap", grey_jpeg())).replace(
            b"Directory>", b"directory>"
        ),
    ],
    ids=["not listed", "longer than the file", "no bytes", "no picture", "cut", "no directory"],
)
def test_a_directory_that_leads_nowhere(data):
    picture = hyperfocal.open(data)
    assert (picture.height, picture.width) == (HEIGHT, WIDTH)
    assert picture.depth_map is None
    assert UNREADABLE in picture.notes


def test_a_map_behind_an_extension_that_is_damaged():
    broken = segment(0xE1, MORE + GUID + struct.pack(">II", 100, 0) + b"cut")
    named = segment(0xE1, XMP + packet(b'xmpNote:HasExtendedXMP="' + GUID + b'"'))
    parts = named, broken
    # Offsets of the index count from itself, so that it may lie behind these.
    data = with_segments(with_mpf(auxiliary(grey_jpeg())), *parts)
    assert_same(hyperfocal.open(data).depth_map)
    damaged = hyperfocal.open(with_segments(photograph(), *parts))
    assert damaged.depth_map is None
    assert UNREADABLE not in damaged.notes


@pytest.mark.parametrize("index", [b"II*\0", b"what is this", b"II*\0" + bytes(20), bytes(40)])
def test_an_index_that_is_damaged_promises_no_map(index):
    picture = hyperfocal.open(with_segments(photograph(), segment(0xE2, b"MPF\0" + index)))
    assert picture.depth_map is None
    assert UNREADABLE not in picture.notes


def test_only_the_first_list_of_an_index_is_looked_at():
    entries = struct.pack("<IIIHH", 0, 50, 10, 0, 0) * 16
    index = b"II*\0" + struct.pack("<IH", 8, 16)
    index += struct.pack("<HHII", 0xB002, 7, len(entries), 8 + 2 + 16 * 12) * 16 + entries
    found = list(embedded_depth._pictures(index, 0, 1000))
    assert found == [(10, 60)] * 15


@pytest.mark.parametrize(("offset", "size"), [(0, 50), (10, 991), (2**32 - 1, 50)])
def test_pictures_of_an_index_lie_behind_the_first_and_within_the_file(offset, size):
    index = b"MM\0*" + struct.pack(">IH", 8, 1) + struct.pack(">HHII", 0xB002, 7, 32, 22)
    index += bytes(16) + struct.pack(">IIIHH", 0, size, offset, 0, 0)
    assert list(embedded_depth._pictures(index, 0, 1000)) == []


def test_a_further_picture_that_is_no_map():
    data = with_mpf(auxiliary(grey_jpeg(), b"portraiteffectsmatte"), grey_jpeg())
    picture = hyperfocal.open(data)
    assert picture.depth_map is None
    assert UNREADABLE not in picture.notes


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_map_is_turned_as_the_picture_is(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    jpeg = photograph(exif=exif.tobytes())
    data = with_gdepth(encoded(LEVELS, "png"), jpeg=jpeg)
    picture = hyperfocal.open(data)
    stored = Image.fromarray(LEVELS)
    stored.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(stored))
    np.testing.assert_array_equal(picture.depth_map, expected)
    assert (picture.height > picture.width) == (orientation >= 5)


def test_the_result_promises_no_map():
    picture = hyperfocal.open(with_gdepth(encoded(LEVELS, "png")))
    assert NOT_WRITTEN in picture.notes
    made = hyperfocal.upscale(picture, model="bicubic-x2")
    data = imaging.encode(made, "jpeg")
    assert b"GDepth:" not in data.replace(b"xmlns:GDepth", b"")
    assert b"HasExtendedXMP" not in data
    assert hyperfocal.open(data).depth_map is None


@pytest.mark.parametrize(
    "data",
    [
        with_gdepth(b"no picture at all"),
        with_gdepth(encoded(LEVELS, "png")[:60]),
        with_gdepth(grey_jpeg()[:200]),
        with_gdepth(b"\x89PNG\r\n\x1a\n"),
        with_gdepth(encoded(LEVELS, "png"), length=10),
        with_gdepth(encoded(LEVELS, "png"), length=0xFFFFFFFF),
        with_gdepth(encoded(LEVELS, "png"), gap=1),
        with_mpf(auxiliary(grey_jpeg())[:400]),
        with_mpf(
            auxiliary(encoded(LEVELS.repeat(2, 0).repeat(2, 1), quality=90)).replace(
                b"\xff\xda", b"\xff\xdb"
            )
        ),
    ],
    ids=lambda data: f"{len(data)} bytes",
)
def test_what_cannot_be_read_costs_a_note_and_not_the_picture(data):
    picture = hyperfocal.open(data)
    assert (picture.height, picture.width) == (HEIGHT, WIDTH)
    assert picture.depth_map is None
    assert UNREADABLE in picture.notes


def test_the_note():
    assert UNREADABLE in hyperfocal.open(with_gdepth(b"no picture at all")).notes
    assert UNREADABLE not in hyperfocal.open(photograph()).notes


def test_an_index_that_says_it_is_longer_than_the_file():
    data = with_mpf(auxiliary(grey_jpeg()), count=0xFFFFFF0)
    assert_same(hyperfocal.open(data).depth_map)
    assert hyperfocal.open(with_mpf(grey_jpeg(), count=0xFFFFFF0)).depth_map is None


def test_an_offset_beyond_the_file_leads_nowhere():
    assert hyperfocal.open(with_mpf(auxiliary(grey_jpeg()), offset=10**6)).depth_map is None


def test_an_extension_of_another_packet_is_not_taken():
    data = with_gdepth(encoded(LEVELS, "png"), guid=b"F" * 32)
    assert hyperfocal.open(data).depth_map is None


@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_a_map_that_declares_too_many_pixels_is_not_decoded(form, monkeypatch):
    monkeypatch.setattr(embedded_depth, "_PIXELS", LEVELS.size - 1)
    picture = hyperfocal.open(with_gdepth(encoded(LEVELS, form)))
    assert picture.depth_map is None
    assert UNREADABLE in picture.notes


def test_a_map_of_other_proportions_is_not_used():
    picture = hyperfocal.open(with_gdepth(encoded(LEVELS[:, :30].copy(), "png")))
    assert picture.depth_map is None
    assert OTHER_SIZE in picture.notes


def test_a_map_that_is_the_same_all_over_is_none():
    picture = hyperfocal.open(with_gdepth(encoded(np.full((30, 40), 7, np.uint8), "png")))
    assert picture.depth_map is None
    assert not {UNREADABLE, OTHER_SIZE} & set(picture.notes)
