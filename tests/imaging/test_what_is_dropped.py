"""What a file holds and no result can is missed aloud, or kept where that is possible."""

import io
import struct
from dataclasses import replace

import made
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from hyperfocal import imaging
from hyperfocal.imaging import bmff, bmff_write, exif, ifd, iptc, photoshop

CREDENTIALS = "content credentials (C2PA) were dropped"
MASTERING = "HDR's mastering display and light levels were dropped"
FURTHER = "further pictures in the file (depth, gain map) were dropped"


@pytest.mark.parametrize(
    ("marker", "body", "notes"),
    [
        (0xEB, b"JP\0\1\0\0\0\1\0\0\0\x20jumb" + bytes(24), (CREDENTIALS,)),
        (0xE1, b"FLIR\0\1\0\0thermal", ("thermal data (FLIR) were dropped",)),
        (0xE4, b"whatever", ("data of an unknown kind (APP4) were dropped",)),
        (0xE1, b"whatever", ("data of an unknown kind (APP1) were dropped",)),
        (0xE0, b"JFXX\0\x10", ()),
        (0xE2, b"FPXR\0", ()),
        (0xEC, b"Ducky\0\1", ()),
        (0xED, b"Adobe_CM\0\2", ()),
        (0xEE, b"Adobe\0\x64\0\0\0\0\1", ()),
    ],
)
def test_segments_of_a_jpeg(marker, body, notes):
    data = made.with_segments((marker, body))
    assert imaging.open(data).notes == notes
    # Once, however many there are.
    again = data[:2] + data[2 : 6 + len(body)] + data[2:]
    assert imaging.open(again).notes == notes


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        (b"mDCV", MASTERING),
        (b"cLLI", MASTERING),
        (b"caBX", CREDENTIALS),
        (b"npTc", "a chunk of an unknown kind (npTc) was dropped"),
        (b"tIME", None),
        (b"bKGD", None),
        (b"sBIT", None),
    ],
)
def test_chunks_of_a_png(kind, note):
    data = imaging.encode(made.picture(3, code_points=(9, 16)), "png")
    data = made.with_chunk(data, kind, ">8s", b"anything")
    # Once, however many there are.
    got = imaging.open(made.with_chunk(data, kind, ">8s", b"anything"))
    assert got.notes == ((note,) if note else ())
    assert got.code_points == (9, 16)


def webp(*chunks, behind=b""):
    """A WebP file with these, each a kind and a body, and something behind its end."""
    sink = io.BytesIO()
    Image.fromarray(made.photo()).save(sink, "WEBP", lossless=True, exif=Image.Exif())
    body = sink.getvalue()[12:]
    for kind, content in chunks:
        body += kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body + behind


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        (b"C2PA", CREDENTIALS),
        (b"myTh", "a chunk of an unknown kind (myTh) was dropped"),
        (b"\0\1\2\3", "a chunk of an unknown kind was dropped"),
    ],
)
def test_chunks_of_a_webp(kind, note):
    # Once, however many there are.
    assert imaging.open(webp((kind, b"odd"), (kind, b"anything"))).notes == (note,)


@pytest.mark.parametrize("behind", [b"", b"myTh\x04\0\0\0abcd"])
def test_what_lies_behind_a_webp_is_not_taken_for_chunks(behind):
    assert imaging.open(webp(behind=behind)).notes == ()


def test_no_more_kinds_are_listed_than_anyone_would_read():
    kinds = [(b"k%03d" % number, b"") for number in range(200)]
    notes = imaging.open(webp(*kinds)).notes
    assert len(notes) == 33
    assert notes[-1] == "more kinds of data were dropped than are listed here"


def box(kind, body):
    return struct.pack(">I4s", len(body) + 8, kind) + body


def avif():
    return imaging.encode(made.picture(3), "avif")


def test_a_gain_map_of_an_avif(monkeypatch):
    # As EXIF is added, an item that says how to join the picture and its gain map.
    monkeypatch.setattr(bmff_write, "_EXIF", b"tmap\0")
    got = imaging.open(bmff_write.attach(avif(), exif=bytes(40)))
    assert got.notes == (FURTHER,)


def test_credentials_of_an_avif():
    uuid = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
    assert imaging.open(avif() + box(b"uuid", uuid + b"manifest")).notes == (CREDENTIALS,)
    assert imaging.open(avif() + box(b"uuid", bytes(24))).notes == ()


@pytest.mark.parametrize(
    ("kind", "body", "notes"),
    [
        (b"auxC", bytes(4) + b"urn:com:apple:photo:2020:aux:hdrgainmap\0", [FURTHER]),
        (b"auxC", bytes(4) + b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth\0", [FURTHER]),
        (b"auxC", bytes(4) + b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", []),
        (b"auxC", bytes(4) + b"urn:mpeg:hevc:2015:auxid:1\0", []),
        (b"clli", bytes(4), [MASTERING]),
        (b"mdcv", bytes(24), [MASTERING]),
    ],
)
def test_properties_of_pictures_in_boxes(kind, body, notes):
    data = box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", box(kind, body))))
    assert bmff.read(data).dropped() == notes


def test_the_second_picture_of_a_heic():
    pillow_heif = pytest.importorskip("pillow_heif")
    two = pillow_heif.from_pillow(Image.new("RGB", (64, 64), "red"))
    two.add_from_pillow(Image.new("RGB", (64, 64), "blue"))
    sink = io.BytesIO()
    two.save(sink, quality=50)
    assert imaging.inspect(sink.getvalue()).frames == 2
    assert imaging.open(sink.getvalue()).notes == ("only the first of 2 frames was read",)


def tiff(*tags):
    sink = io.BytesIO()
    tifffile.imwrite(sink, made.photo(), photometric="rgb", metadata=None, extratags=tags)
    return sink.getvalue()


def tags_of(data):
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return {tag.code: tag.value for tag in file.pages[0].tags}


def test_layers_of_photoshop_and_credentials_of_a_tiff():
    layers = b"Adobe Photoshop Document Data Block\0" + bytes(8)
    for tag, note in (
        (37724, "Photoshop's own data (such as layers, paths and guides) were dropped"),
        (52545, CREDENTIALS),
    ):
        assert imaging.open(tiff((tag, 7, len(layers), layers, True))).notes == (note,)


DEVELOPING = "data for developing a raw picture (DNG) were dropped"


def private(*tags):
    return tiff(*((tag, 3, 1, 1, True) for tag in tags))


@pytest.mark.parametrize(
    ("tags", "notes"),
    [
        ((34118,), ["private fields of unknown kinds (34118) were dropped"]),
        ((65000, 34118), ["private fields of unknown kinds (34118, 65000) were dropped"]),
        # Of DNG only where that is what the file is.
        ((50721, 51123), ["private fields of unknown kinds (50721, 51123) were dropped"]),
        ((50706, 50721, 53535), [DEVELOPING]),
        ((36864, 37510), ["EXIF outside its own directory was dropped"]),
        (
            (52545, 50706, 36864, *range(60000, 60010)),
            [
                CREDENTIALS,
                "EXIF outside its own directory was dropped",
                DEVELOPING,
                "private fields of unknown kinds (60000, 60001, 60002, 60003, 60004, 60005, 60006,"
                " 60007, 2 more) were dropped",
            ],
        ),
        # Windows' padding, the depth of samples, what LERC needs; a page's number.
        ((59932, 32997, 50674, 297), []),
    ],
)
def test_private_fields_of_a_tiff(tags, notes):
    data = private(*tags)
    assert list(imaging.open(data).notes) == notes
    assert list(imaging.from_pil(Image.open(io.BytesIO(data))).notes) == notes


def test_private_fields_beside_a_thumbnail_are_of_the_photograph():
    sink = io.BytesIO()
    with tifffile.TiffWriter(sink) as writer:
        writer.write(
            made.photo()[::4, ::4], photometric="rgb", subfiletype=1, subifds=1, metadata=None,
            extratags=[(65000, 3, 1, 1, True)],
        )  # fmt: skip
        writer.write(made.photo(), photometric="rgb", metadata=None)
    got = imaging.open(sink.getvalue())
    assert got.pixels.shape == made.photo().shape
    assert got.notes == ("private fields of unknown kinds (65000) were dropped",)


def test_an_exposure_outside_the_directory_of_exif_is_kept():
    given = {
        18249: (3, 1, 75),
        33434: (5, 1, (1, 250)),
        33437: (5, 1, (56, 10)),
        34855: (3, 1, 400),
        36867: (2, 20, "2020:01:01 00:00:00"),
        37377: (10, 1, (-8, 1)),
        37386: (5, 1, (50, 1)),
    }
    data = tiff(*((tag, *value, True) for tag, value in given.items()))
    written = tags_of(imaging.encode(imaging.open(data), "tiff"))
    assert {tag: written.get(tag) for tag in given} == {tag: tags_of(data)[tag] for tag in given}
    # In other formats they stay where they are, in EXIF's main directory.
    block = imaging.open(imaging.encode(imaging.open(data), "jpeg")).metadata.exif
    assert set(given) <= set(made.parsed(block).fields)


def test_a_rating_in_percent_of_a_jpeg_is_kept_in_tiff():
    main = ifd.Directory()
    main.put(18246, ifd.SHORT, 4)
    main.put(18249, ifd.SHORT, 75)
    data = made.filed(made.photo(), "JPEG", exif=exif.PREFIX + ifd.block(main))
    written = tags_of(imaging.encode(imaging.open(data), "tiff"))
    assert (written.get(18246), written.get(18249)) == (4, 75)


PRINTING = "a camera's hints for printers (PrintIM) were dropped"


@pytest.mark.parametrize(
    ("tag", "value", "note"),
    [
        (11, "digiKam-8.0", None),
        (337, "An ink-jet printer", None),
        (50341, b"PrintIM\x000300\0\0", PRINTING),
        (65000, "theirs", "private fields of unknown kinds (65000) were dropped"),
        (20506, "theirs", "private fields of unknown kinds (20506) were dropped"),
        # Whether colour samples lie between the others, and how pixels are to be understood that
        # are others now.
        (531, 2, False),
        (318, (0.3127, 0.329), False),
    ],
)
def test_main_fields_of_exif_in_a_tiff(tag, value, note):
    """Kept (None), told, or of no meaning there (False), whichever file they come from."""
    block = Image.Exif()
    block[tag] = value
    block[271] = "Maker"
    data = made.filed(made.photo(), "JPEG", exif=block)
    got = imaging.open(data)
    assert got.notes == ()
    assert imaging.conversions(got, "tiff") == ((note,) if note else ())
    assert imaging.conversions(got, "png") == ()
    written = tags_of(imaging.encode(got, "tiff"))
    assert written[271] == "Maker"
    assert written.get(tag) == (value if note is None else None)
    # A file of this kind to begin with.
    kind, number = {str: (2, 0), bytes: (7, 13), int: (3, 1)}.get(type(value), (5, 2))
    packed = value if kind != 5 else (3127, 10000, 3290, 10000)
    from_tiff = imaging.open(tiff((tag, kind, number, packed, True)))
    assert from_tiff.notes == ((note,) if note else ())
    assert imaging.conversions(from_tiff, "tiff") == ()
    assert tags_of(imaging.encode(from_tiff, "tiff")).get(tag) == written.get(tag)


def test_iptc_of_a_jpeg_that_pillow_has_opened():
    path = b"8BIM\x07\xd0\0\0\0\0\0\x04" + bytes(4)
    blocks = photoshop.resources_of(made.IPTC)
    for more in (b"", path):
        data = made.with_segments((0xED, photoshop.SIGNATURE + blocks + more))
        image = Image.open(io.BytesIO(data))
        got, of_file = imaging.from_pil(image), imaging.open(data)
        assert got.metadata.iptc == of_file.metadata.iptc == made.IPTC
        assert got.notes == of_file.notes
        assert imaging.from_pil(imaging.to_pil(got)).metadata.iptc == made.IPTC


def with_iptc(format, order="<"):
    """Files as this project and as others write them."""
    if format == "png":
        return imaging.encode(made.picture(3, metadata=made.metadata()), "png")
    if format == "png of ImageMagick":
        more = b"8BIM\x07\xd0\0\0\0\0\0\x04" + bytes(4)
        raw = photoshop.resources_of(made.IPTC) + more
        info = PngImagePlugin.PngInfo()
        info.add_text("Raw profile type 8bim", f"\n8bim\n{len(raw):8d}\n{raw.hex()}\n")
        return made.filed(made.photo(), "PNG", pnginfo=info)
    data = made.IPTC.ljust(-(-len(made.IPTC) // 4) * 4, b"\0")
    resources = photoshop.resources_of(made.IPTC)
    tag = {
        "tiff": (33723, 7, len(made.IPTC), made.IPTC, True),
        "tiff of longs": (
            33723,
            4,
            len(data) // 4,
            struct.unpack(f"<{len(data) // 4}I", data),
            True,
        ),
        "tiff of Photoshop": (34377, 7, len(resources), resources, True),
    }[format]
    sink = io.BytesIO()
    tifffile.imwrite(
        sink, made.photo(), photometric="rgb", metadata=None, extratags=[tag], byteorder=order
    )
    return sink.getvalue()


# By Pillow, of IPTC as longs.
@pytest.mark.filterwarnings("ignore:Metadata Warning")
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "format", ["png", "png of ImageMagick", "tiff", "tiff of longs", "tiff of Photoshop"]
)
def test_iptc_of_other_files_that_pillow_has_opened(format, order):
    data = with_iptc(format, order)
    got, of_file = imaging.from_pil(Image.open(io.BytesIO(data))), imaging.open(data)
    assert got.metadata.iptc == of_file.metadata.iptc
    assert got.metadata.iptc.rstrip(b"\0") == made.IPTC
    assert got.notes == of_file.notes
    assert (photoshop.OTHERS in got.notes) == (format == "png of ImageMagick")


RECORD = b"\x1c\x02\x78"
CAPTION = RECORD + b"\0\x07caption"
# Of a length that takes four bytes.
LONG = RECORD + b"\x80\x04" + struct.pack(">I", 40_000) + b"x" * 40_000


def with_both(direct, boxed):
    resources = photoshop.resources_of(boxed)
    return tiff((33723, 7, len(direct), direct, True), (34377, 7, len(resources), resources, True))


@pytest.mark.parametrize(
    ("direct", "boxed", "kept", "note"),
    [
        # ImageMagick 6 writes a quarter, wherever that ends.
        (made.IPTC[:7], made.IPTC, made.IPTC, None),
        (CAPTION, made.IPTC, made.IPTC, None),
        (made.IPTC[:-1], made.IPTC, made.IPTC, None),
        (LONG[:10_000], LONG, LONG, None),
        # The field of its own goes first where it is whole and says something else, or more.
        (made.IPTC + b"\0\0\0", made.IPTC, made.IPTC + b"\0\0\0", None),
        (made.IPTC, CAPTION, made.IPTC, None),
        (made.IPTC, made.IPTC[:-1], made.IPTC, None),
        (made.IPTC, b"rubbish", made.IPTC, None),
        (LONG, CAPTION, LONG, None),
        # What is whole of the one that has more.
        (made.IPTC[:7], made.IPTC[:-1], CAPTION, iptc.CUT),
        (CAPTION, (CAPTION + made.IPTC)[:-1], CAPTION * 2, iptc.CUT),
        (made.IPTC[:7], b"rubbish", None, photoshop.DAMAGED),
        (bytes(8), LONG[:8], None, photoshop.DAMAGED),
    ],
)  # fmt: skip
def test_of_two_copies_of_iptc_the_whole_one_is_kept(direct, boxed, kept, note):
    data = with_both(direct, boxed)
    for got in (imaging.open(data), imaging.from_pil(Image.open(io.BytesIO(data)))):
        assert got.metadata.iptc == kept
        assert got.notes == ((note,) if note else ())


@pytest.mark.parametrize(("left", "kept"), [(-1, CAPTION), (3, None)])
def test_iptc_that_is_cut_short_is_told(left, kept):
    cut = made.IPTC[:left]
    resources = photoshop.resources_of(cut)
    for tag in ((33723, 7, len(cut), cut, True), (34377, 7, len(resources), resources, True)):
        got = imaging.open(tiff(tag))
        assert got.metadata.iptc == kept
        assert got.notes == ((iptc.CUT if kept else photoshop.DAMAGED),)


def test_resources_that_are_cut_short_do_not_cost_iptc_beside_them():
    resources = photoshop.resources_of(made.IPTC)[:-4]
    blocks = (34377, 7, len(resources), resources, True)
    got = imaging.open(tiff((33723, 7, len(made.IPTC), made.IPTC, True), blocks))
    assert (got.metadata.iptc, got.notes) == (made.IPTC, ())
    got = imaging.open(tiff(blocks))
    assert (got.metadata.iptc, got.notes) == (None, (photoshop.DAMAGED,))


def test_iptc_of_an_image_that_cannot_be_read_is_told():
    image = Image.fromarray(made.photo())
    for text in ("", "iptc", "\niptc\n 4\nno numbers", "\niptc\n 4\n3842494d\n"):
        image.info["Raw profile type iptc"] = text
        got = imaging.from_pil(image)
        assert got.metadata.iptc is None
        assert got.notes in ((photoshop.DAMAGED,), ())
    image.info["Raw profile type iptc"] = "rubbish"
    assert imaging.from_pil(image).notes == (photoshop.DAMAGED,)


@pytest.mark.parametrize("resources", [None, b"bytes", {}, {1028: b""}, {1028: "text"}])
def test_no_iptc_of_an_image(resources):
    image = Image.fromarray(made.photo())
    image.info["photoshop"] = resources
    got = imaging.from_pil(image)
    assert (got.metadata.iptc, got.notes) == (None, ())


def flagged(format, blocks):
    """A file with these resources of Photoshop."""
    if format == "jpeg":
        return made.with_segments((0xED, photoshop.SIGNATURE + blocks))
    if format == "tiff":
        return tiff((34377, 1, len(blocks), blocks, True))
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type 8bim", f"\n8bim\n{len(blocks):8d}\n{blocks.hex()}\n")
    return made.filed(made.photo(), "PNG", pnginfo=info)


NO_FLAG = "cannot carry Photoshop's copyright flag: it was dropped"
FLAG = b"8BIM\x04\x0a\0\0\0\0\0\x01%c\0"


@pytest.mark.parametrize("iptc_too", [False, True])
@pytest.mark.parametrize("out", ["jpeg", "png", "tiff"])
@pytest.mark.parametrize("format", ["jpeg", "png", "tiff"])
def test_the_copyright_flag_is_kept(format, out, iptc_too):
    records = made.IPTC if iptc_too else None
    blocks = photoshop.resources_of(records) + FLAG % 1
    data = flagged(format, blocks)
    for got in (imaging.open(data), imaging.from_pil(Image.open(io.BytesIO(data)))):
        assert (got.metadata.copyrighted, got.metadata.iptc, got.notes) == (True, records, ())
        assert imaging.conversions(got, out) == ()
        written = imaging.encode(got, out)
        for again in (imaging.open(written), imaging.from_pil(imaging.to_pil(got))):
            assert (again.metadata.copyrighted, again.metadata.iptc) == (True, records)
        kept = Image.open(io.BytesIO(written))
        if out == "jpeg":
            assert kept.info["photoshop"][0x040A] == b"\1"
        if out == "tiff":
            assert kept.tag_v2[34377] == FLAG % 1
        bare = imaging.open(imaging.encode(got, out, strip_metadata=True))
        assert bare.metadata.copyrighted is False


@pytest.mark.parametrize("blocks", [FLAG % 0, b"8BIM\x04\x0a\0\0\0\0\0\0", (FLAG % 1)[:-2]])
@pytest.mark.parametrize("format", ["jpeg", "tiff"])
def test_a_copyright_flag_that_is_not_set(format, blocks):
    assert imaging.open(flagged(format, blocks)).metadata.copyrighted is False


@pytest.mark.parametrize("out", ["webp", "avif", "bmp", "gif"])
def test_a_copyright_flag_that_a_format_cannot_carry_is_told(out):
    got = imaging.open(flagged("jpeg", FLAG % 1))
    assert any(NO_FLAG in note for note in imaging.conversions(got, out))
    assert not any(NO_FLAG in n for n in imaging.conversions(got, out, strip_metadata=True))
    for packet in (b'<a xmpRights:Marked="True"/>', b"<xmpRights:Marked>True</xmpRights:Marked>"):
        told = replace(got, metadata=replace(got.metadata, xmp=packet))
        said = any(NO_FLAG in note for note in imaging.conversions(told, out))
        assert said == (out in ("bmp", "gif"))
        no = replace(got, metadata=replace(got.metadata, xmp=packet.replace(b"True", b"False")))
        assert any(NO_FLAG in note for note in imaging.conversions(no, out))


@pytest.mark.parametrize(
    ("density", "shape"),
    [((2, 1), "1:2"), ((300, 400), "4:3"), ((1, 1), None), ((72, 72), None), ((0, 1), None)],
)
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_pixels_that_are_not_square_are_told(format, density, shape):
    """Of no unit, so that a shape is all that is said; with one it is a resolution, and kept."""
    data = made.filed(made.photo(), format)

    def stated(unit):
        if format == "PNG":
            return made.with_chunk(data, b"pHYs", ">IIB", *density, unit)
        at = data.index(b"JFIF\0") + 7
        return data[:at] + struct.pack(">BHH", unit, *density) + data[at + 5 :]

    notes = (f"pixels that are not square ({shape}) are taken as square",) if shape else ()
    for unit, wanted in ((0, notes), (1, ())):
        assert imaging.open(stated(unit)).notes == wanted
        assert imaging.from_pil(Image.open(io.BytesIO(stated(unit)))).notes == wanted


@pytest.mark.parametrize("value", ["2:1", (2,), (1.5, 1), None])
def test_a_shape_of_pixels_that_is_none(value):
    image = Image.fromarray(made.photo())
    image.info["aspect"] = value
    assert imaging.from_pil(image).notes == ()
