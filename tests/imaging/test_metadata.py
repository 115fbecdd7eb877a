"""EXIF, XMP, IPTC, resolution and colour profile: kept, corrected, and never in the way."""

import io
import struct
from dataclasses import replace

import imagecodecs
import made
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, IptcImagePlugin, PngImagePlugin

import hyperfocal
from hyperfocal import imaging
from hyperfocal.imaging import (
    exif,
    exif_shortened,
    ifd,
    maker_notes,
    photoshop,
    png,
    tiff_pages,
    xmp,
    xmp_pixels,
)

FORMATS = ["jpeg", "png", "tiff", "webp", "avif", "heic"]
FULL = ["jpeg", "png", "tiff"]


@pytest.fixture(autouse=True)
def _heif(request):
    if "heic" in str(getattr(request.node, "callspec", "")):
        pytest.importorskip("pillow_heif")


def fields(block):
    main = made.parsed(block)
    return main, main.fields[ifd.EXIF_IFD].inside, main.fields[ifd.GPS_IFD].inside


@pytest.mark.parametrize("format", FORMATS)
def test_metadata_is_kept(format):
    icc = made.wide_rgb_profile()
    given_ = made.picture(3, icc=icc, metadata=made.metadata())
    got = imaging.open(imaging.encode(given_, format))
    assert got.icc == icc
    assert got.metadata.xmp == made.XMP
    assert got.metadata.dpi == (300.0, 150.0)
    main, inside, place = fields(got.metadata.exif)
    assert main.fields[271].data == b"Maker\0"
    assert inside.fields[0xA434].data == b"Lens 35 mm\0"
    assert place.fields[1].data == b"N\0"
    assert (got.metadata.iptc == made.IPTC) == (format in FULL)
    assert got.notes == ()


@pytest.mark.parametrize("format", FORMATS)
def test_sizes_are_corrected(format):
    given_ = made.picture(3, metadata=made.metadata(exif=made.exif_block(size=(10, 20))))
    inside = fields(imaging.open(imaging.encode(given_, format)).metadata.exif)[1]
    assert (inside.integer(0xA002), inside.integer(0xA003)) == (83, 61)


@pytest.mark.parametrize("format", FORMATS)
def test_stripping_keeps_profile_and_resolution(format):
    given_ = made.picture(3, icc=made.wide_rgb_profile(), metadata=made.metadata())
    data = imaging.encode(given_, format, strip_metadata=True)
    got = imaging.open(data)
    assert got.icc == given_.icc
    assert got.metadata.dpi == (300.0, 150.0)
    assert got.metadata.xmp is None
    assert got.metadata.iptc is None
    for secret in (b"Maker", b"Lens 35", b"caption", "Zoë".encode()):
        assert secret not in data


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp", "avif"])
def test_pillow_finds_it(format):
    given_ = made.picture(3, icc=made.wide_rgb_profile(), metadata=made.metadata())
    image = Image.open(io.BytesIO(imaging.encode(given_, format)))
    image.load()
    block = image.getexif()
    assert block[271] == "Maker"
    assert block.get_ifd(0x8769)[0xA434] == "Lens 35 mm"
    assert block.get_ifd(0x8825)[1] == "N"
    assert image.info["icc_profile"] == given_.icc
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    assert (packet.encode() if isinstance(packet, str) else packet) == made.XMP
    if format in ("jpeg", "tiff"):
        assert IptcImagePlugin.getiptcinfo(image) == {(2, 120): b"caption", (2, 105): b"head"}
    if format in ("jpeg", "png", "tiff"):
        assert tuple(round(float(v)) for v in image.info["dpi"]) == (300, 150)


def test_what_pillow_writes_is_found():
    image = Image.fromarray(made.photo())
    icc = made.wide_rgb_profile()
    for format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        extra = {} if format == "PNG" else {"xmp": made.XMP}
        if format == "TIFF":
            extra = {}
        block = exif.PREFIX + made.exif_block()
        data = made.filed(image, format, exif=block, icc_profile=icc, **extra)
        got = imaging.open(data)
        assert got.icc == icc
        main, inside, _ = fields(got.metadata.exif)
        assert main.fields[271].data == b"Maker\0"
        assert inside.fields[0xA434].data == b"Lens 35 mm\0"
        assert got.metadata.xmp == extra.get("xmp")
        facts = imaging.inspect(data)
        assert (facts.has_exif, facts.has_xmp) == (True, bool(extra))
        assert facts.profile == "Wide"


def test_a_large_profile_goes_over_several_jpeg_segments():
    icc = made.wide_rgb_profile()
    icc = (len(icc) + 200_000).to_bytes(4, "big") + icc[4:] + bytes(200_000)
    data = imaging.encode(made.picture(3, icc=icc), "jpeg")
    assert data.count(b"ICC_PROFILE\0") == 4
    assert imaging.open(data).icc == icc
    assert Image.open(io.BytesIO(data)).info["icc_profile"] == icc
    at = data.rindex(b"ICC_PROFILE\0")
    broken = data[:at] + b"ICC_PROFILX\0" + data[at + 12 :]
    got = imaging.open(broken)
    assert got.icc is None
    assert any("profile is incomplete" in note for note in got.notes)


def test_what_is_too_long_for_jpeg_is_dropped_and_said():
    long = made.metadata(iptc=made.IPTC * 5000)
    given_ = made.picture(3, metadata=long)
    got = imaging.open(imaging.encode(given_, "jpeg"))
    assert got.metadata.iptc is None
    assert got.metadata.exif is not None
    assert any("IPTC" in note for note in imaging.conversions(given_, "jpeg"))
    assert imaging.open(imaging.encode(given_, "png")).metadata.iptc == long.iptc


def long_block(order="<", maker_note=b"", **values):
    """EXIF with values of so many bytes beside its usual ones."""
    main = made.parsed(made.exif_block(maker_note=maker_note))
    inside, place = main.fields[ifd.EXIF_IFD].inside, main.fields[ifd.GPS_IFD].inside
    for where, tag, name in (
        (main, 0x010E, "description"), (main, 0x9C9C, "comments"), (inside, 0x9286, "comment"),
        (inside, 0xA420, "number"), (place, 0x1B, "method"), (main, 0xEFFF, "unknown"),
    ):  # fmt: skip
        if name in values:
            data = b"ASCII\0\0\0".ljust(values[name], b"a")
            where.fields[tag] = ifd.Field(ifd.UNDEFINED if where is place else ifd.ASCII, data)
    return ifd.block(main) if order == "<" else made.big_endian(main)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("block", "left_out"),
    [
        ({"maker_note": b"note" * 20_000, "comment": 30_000}, ["MakerNote"]),
        # Everything moves, and it would no longer hold.
        ({"maker_note": b"note", "comment": 90_000}, ["MakerNote", "UserComment"]),
        ({"comment": 9, "description": 70_001, "number": 40_000}, ["ImageDescription"]),
        (
            {"comment": 60_000, "description": 70_001, "number": 10_000},
            ["UserComment", "ImageDescription"],
        ),
        (
            {"description": 30_000, "number": 70_000, "method": 50_000},
            ["ImageUniqueID", "GPSProcessingMethod"],
        ),
        ({"unknown": 66_000}, ["field 61439"]),
    ],
)  # fmt: skip
def test_exif_too_long_for_jpeg_loses_its_largest_values_alone(block, left_out, order):
    given_ = made.picture(3, metadata=made.metadata(exif=long_block(order, **block)))
    data = imaging.encode(given_, "jpeg")
    got = imaging.open(data)
    assert len(got.metadata.exif) <= 65_527
    whole, kept = made.parsed(given_.metadata.exif), made.parsed(got.metadata.exif)
    missing = []
    for tag in (None, ifd.EXIF_IFD, ifd.GPS_IFD):
        before, after = (one.fields[tag].inside if tag else one for one in (whole, kept))
        lost = before.fields.keys() - after.fields.keys()
        missing += lost
        for other in before.fields.keys() - lost - {0xA002, 0xA003, *ifd.SUB_IFDS}:
            assert before.fields[other] == after.fields[other]
    assert len(missing) == len(left_out)
    size = len(given_.metadata.exif)
    note = f"EXIF of {size:,} bytes is too long for JPEG: it was written without"
    assert imaging.conversions(given_, "jpeg") == (f"{note} {', '.join(left_out)}",)
    assert Image.open(io.BytesIO(data)).getexif()[271] == "Maker"
    assert imaging.conversions(given_, "png") == ()


def test_exif_that_is_too_long_for_what_it_does_not_say():
    # A thumbnail was blanked in its midst.
    block = made.exif_block() + bytes(70_000)
    given_ = made.picture(3, metadata=made.metadata(exif=block))
    assert imaging.conversions(given_, "jpeg") == ()
    kept = made.parsed(imaging.open(imaging.encode(given_, "jpeg")).metadata.exif)
    assert kept.fields[271].data == b"Maker\0"


def test_exif_of_thousands_of_values_names_a_few():
    main = made.parsed(made.exif_block())
    for tag in range(4000):
        main.fields[0xC700 + tag] = ifd.Field(ifd.ASCII, bytes(1000))
    given_ = made.picture(3, metadata=made.metadata(exif=ifd.block(main)))
    (note,) = imaging.conversions(given_, "jpeg")
    assert len(note) < 300
    assert note.endswith(" more")
    kept = made.parsed(imaging.open(imaging.encode(given_, "jpeg")).metadata.exif)
    assert kept.fields[271].data == b"Maker\0"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "broken",
    [b"", b"II", b"garbage, not EXIF", b"II*\0\xff\xff\xff\xff", made.exif_block()[:12],
     b"MM\0*\0\0\0\x08\xff\xff"],
)  # fmt: skip
def test_damaged_exif_never_costs_the_picture(format, broken, capfd):
    given_ = made.picture(3, metadata=made.metadata(exif=broken))
    data = imaging.encode(given_, format)
    assert imaging.open(data).pixels.shape == (61, 83, 3)
    if format != "tiff":
        # The damage is in the file itself.
        good = imaging.encode(made.picture(3, metadata=made.metadata()), format)
        block = imaging.open(good).metadata.exif
        assert block in good
        bad = good.replace(block, broken.ljust(len(block), b"\xff"))
        if format == "png":
            bad = _repaired_checks(bad)
        got = imaging.open(bad)
        assert got.pixels.shape == (61, 83, 3)
        assert got.metadata.exif is None
        assert got.metadata.xmp == made.XMP
        assert exif.DAMAGED in got.notes
    assert capfd.readouterr().err == ""


def _repaired_checks(data):
    import zlib

    out = bytearray(data)
    at = 8
    while at < len(out):
        size = int.from_bytes(out[at : at + 4], "big")
        check = zlib.crc32(out[at + 4 : at + 8 + size])
        out[at + 8 + size : at + 12 + size] = check.to_bytes(4, "big")
        at += 12 + size
    return bytes(out)


def test_damaged_chunks_of_png_never_cost_the_picture(capfd):
    given_ = made.picture(3, icc=made.wide_rgb_profile(), metadata=made.metadata())
    data = imaging.encode(given_, "png")
    for kind in (b"iCCP", b"pHYs", b"eXIf", b"iTXt", b"zTXt"):
        at = data.index(kind)
        for spoiled in (data[: at + 8] + b"\xff\xff\xff" + data[at + 11 :],
                        data[: at + 4] + bytes(4) + data[at + 8 :]):  # fmt: skip
            assert np.array_equal(imaging.open(spoiled).pixels, given_.pixels)
    assert capfd.readouterr().err == ""


def test_compressed_text_that_explodes_is_dropped():
    import zlib

    body = png.XMP_KEYWORD + b"\0\1\0\0\0" + zlib.compress(bytes(80 << 20), 9)
    check = struct.pack(">I", zlib.crc32(b"iTXt" + body))
    chunk = struct.pack(">I", len(body)) + b"iTXt" + body + check
    data = imaging.encode(made.picture(3), "png")
    got = imaging.open(data[:33] + chunk + data[33:])
    assert got.metadata.xmp is None
    assert got.notes == ("a damaged iTXt chunk was dropped",)


TEXTS = {
    "Author": "somebody",
    "Copyright": "\N{COPYRIGHT SIGN} somebody, 2026",
    "Title": "Z\N{LATIN SMALL LETTER U WITH DIAERESIS}rich",
    "Description": "\N{CJK UNIFIED IDEOGRAPH-6771}\N{CJK UNIFIED IDEOGRAPH-4EAC}\nin spring",
}


@pytest.mark.parametrize("zip", [False, True])
@pytest.mark.parametrize("international", [False, True])
def test_texts_of_a_png_are_kept_in_png(zip, international):
    info = PngImagePlugin.PngInfo()
    for keyword, text in TEXTS.items():
        if international or keyword == "Description":
            info.add_itxt(keyword, text, lang="en", tkey=keyword.lower(), zip=zip)
        else:
            info.add_text(keyword, text, zip=zip)
    info.add_text("Thumb::Size", "1024")
    given = imaging.open(made.filed(made.photo(), "PNG", pnginfo=info))
    assert given.notes == ("the text 'Thumb::Size' was dropped",)
    larger = hyperfocal.upscale(given, scale=2, model="bicubic")
    with Image.open(io.BytesIO(imaging.encode(larger, "png"))) as written:
        written.load()
        assert written.text == TEXTS
        found = written.text["Description"]
        assert (found.lang, found.tkey) == ("en", "description")
    for form in ("jpeg", "tiff", "webp"):
        assert "the text 'Author' was dropped" in imaging.conversions(larger, form)
    bare = imaging.open(imaging.encode(larger, "png", strip_metadata=True))
    assert bare.metadata.texts == ()


def test_a_comment_is_dropped_and_said():
    sink = io.BytesIO()
    Image.new("RGB", (4, 4)).save(sink, "JPEG", comment=b"by somebody")
    assert imaging.open(sink.getvalue()).notes == ("a comment was dropped",)


def test_imagemagick_profiles_in_png():
    def raw(name, data):
        return f"\n{name}\n{len(data):8d}\n{data.hex()}\n"

    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", raw("exif", b"Exif\0\0" + made.exif_block()), zip=True)
    info.add_text("Raw profile type iptc", raw("iptc", photoshop.resources_of(made.IPTC)))
    info.add_text("Raw profile type xmp", raw("xmp", made.XMP), zip=True)
    got = imaging.open(made.filed(made.photo(), "PNG", pnginfo=info))
    assert fields(got.metadata.exif)[0].fields[271].data == b"Maker\0"
    assert got.metadata.iptc == made.IPTC
    assert got.metadata.xmp == made.XMP
    # As in the segments of a JPEG file, and as others have it.
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", raw("exif", made.exif_block(orientation=6)))
    segment = b"http://ns.adobe.com/xap/1.0/\0" + made.XMP
    info.add_text("Raw profile type APP1", raw("app1", segment), zip=True)
    got = imaging.open(made.filed(made.photo(), "PNG", pnginfo=info))
    assert got.height > got.width
    assert got.metadata.xmp is not None
    assert b"Zo" in got.metadata.xmp
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type APP1", raw("app1", b"something else"))
    got = imaging.open(made.filed(made.photo(), "PNG", pnginfo=info))
    assert got.notes == ("the text 'Raw profile type APP1' was dropped",)


# EXIF blocks


def with_thumbnail(last, order="<"):
    """A block whose second directory holds a thumbnail, at the end or with data behind it."""
    thumbnail = b"\xff\xd8" + b"T" * 40 + b"\xff\xd9"
    image = Image.Exif()
    image.load(made.exif_block(orientation=6))
    image.endian = order
    data = bytearray(image.tobytes().removeprefix(b"Exif\0\0"))
    code = "little" if order == "<" else "big"
    first = int.from_bytes(data[4:8], code)
    count = int.from_bytes(data[first : first + 2], code)
    link = first + 2 + 12 * count
    second = len(data)
    data[link : link + 4] = second.to_bytes(4, code)
    start = second + 2 + 24 + 4

    def entry(tag, value):
        return b"".join(n.to_bytes(s, code) for n, s in ((tag, 2), (4, 2), (1, 4), (value, 4)))

    data += (2).to_bytes(2, code) + entry(0x201, start) + entry(0x202, len(thumbnail)) + bytes(4)
    data += thumbnail + (b"" if last else b"MAKER NOTE BEHIND")
    return bytes(data)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("last", [True, False])
def test_thumbnails_are_dropped(order, last):
    block = with_thumbnail(last, order)
    got = exif.cleaned(block, 10, 20)
    assert b"TTTT" not in got
    assert (len(got) < len(block)) == last
    if not last:
        assert got.endswith(b"MAKER NOTE BEHIND")
    image = Image.Exif()
    image.load(got)
    assert image[274] == 1
    assert image.get_ifd(0x8769)[0xA434] == "Lens 35 mm"
    assert not image.get_ifd(1)


def test_maker_notes_are_not_moved():
    note = b"Nikon\0\2\x10\0\0" + bytes(range(200))
    block = made.exif_block(maker_note=note, orientation=3)
    got = exif.resized(exif.cleaned(block, 10, 20), 70_000, 12)
    assert len(got) == len(block)
    assert got.index(note) == block.index(note)
    inside = fields(got)[1]
    assert inside.integer(0xA002) == 70_000  # written as SHORT, now too large for one
    assert inside.integer(0xA003) == 12


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "tiff"])
def test_a_file_holds_exif_as_it_was(format):
    note = b"Nikon\0\2\x10\0\0" + bytes(range(200))
    block = made.exif_block(maker_note=note, dpi=(300, 150), size=(83, 61), order=">")
    data = imaging.encode(made.picture(3, metadata=made.metadata(exif=block)), format)
    assert block in data


@pytest.mark.parametrize("format", FORMATS)
def test_an_orientation_that_makes_no_sense_never_costs_the_picture(format, capfd):
    main = made.parsed(made.exif_block())
    main.fields[274] = ifd.Field(ifd.RATIONAL, b"\1\0\0\0" * 2)
    given_ = made.picture(3, metadata=made.metadata(exif=ifd.block(main)))
    assert imaging.open(imaging.encode(given_, format)).pixels.shape == (61, 83, 3)
    assert capfd.readouterr().err == ""


def test_resolution_is_added_where_nothing_has_to_move():
    given_ = made.picture(3, metadata=made.metadata(exif=made.exif_block(maker_note=b"note")))
    assert any("resolution" in note for note in imaging.conversions(given_, "webp"))
    given_ = made.picture(3, metadata=made.metadata(exif=made.exif_block()))
    assert not any("resolution" in note for note in imaging.conversions(given_, "webp"))
    given_ = made.picture(3, metadata=made.metadata(exif=None))
    assert imaging.open(imaging.encode(given_, "webp")).metadata.dpi == (300.0, 150.0)


def test_resolution_in_centimetres():
    main = ifd.Directory()
    main.put(282, ifd.RATIONAL, 100, 1)
    main.put(283, ifd.RATIONAL, 200, 1)
    main.put(296, ifd.SHORT, 3)
    assert exif.read(ifd.block(main)).dpi == (254.0, 508.0)
    main.put(296, ifd.SHORT, 1)
    assert exif.read(ifd.block(main)).dpi is None
    main.put(282, ifd.RATIONAL, 100, 0)
    assert exif.read(ifd.block(main)).dpi is None


@settings(max_examples=200)
@given(st.data())
def test_no_block_is_worse_than_a_value_error(data):
    block = bytearray(with_thumbnail(data.draw(st.booleans()), data.draw(st.sampled_from("<>"))))
    for _ in range(data.draw(st.integers(0, 8))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    block = bytes(block[: data.draw(st.integers(0, len(block)))])
    for action in (
        exif.read,
        lambda b: exif.cleaned(b, 20, 10, orientation=6),
        lambda b: exif.resized(b, 5, 5, before=(20, 10)),
        lambda b: maker_notes.where_they_fit(b, []),
        lambda b: exif_shortened.shortened(b, 60),
        exif.without_layout,
    ):
        try:
            action(block)
        except ValueError:
            continue


UTF8, NAME = 129, "Zoë Åström\0".encode()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_text_in_utf_8_of_exif_3_is_kept(order, format):
    """To formats that hold the resolution in EXIF it has to be added, which writes all anew."""
    code = order + "HHII"
    entries = struct.pack(code, 315, UTF8, len(NAME), 38) + struct.pack(code, 0x8769, 4, 1, 52)
    inside = struct.pack(code, 0xA430, UTF8, len(NAME), 38)
    block = struct.pack(order + "HIH", 42, 8, 2) + entries + bytes(4) + NAME.ljust(14, b"\0")
    block += struct.pack(order + "H", 1) + inside + bytes(4)
    block = (b"II" if order == "<" else b"MM") + block
    data = made.filed(made.photo(), "JPEG", exif=exif.PREFIX + block, dpi=(300, 300))
    given_ = imaging.open(data)
    assert given_.notes == imaging.conversions(given_, format) == ()
    written = imaging.encode(given_, format)
    block = imaging.open(written).metadata.exif
    assert (format in ("jpeg", "png")) or exif.read(block).dpi == (300.0, 300.0)
    where = written if format == "tiff" else block
    assert where in written
    told = order if format in ("jpeg", "png") else "<"
    for tag in (315, 0xA430):
        at = where.index(struct.pack(told + "HHI", tag, UTF8, len(NAME)))
        (place,) = struct.unpack_from(told + "I", where, at + 8)
        assert where[place : place + len(NAME)] == NAME
    if format == "tiff":
        assert np.array_equal(imagecodecs.tiff_decode(written), given_.pixels)


def test_exif_of_nothing_but_text_in_utf_8():
    block = b"II*\0\x08\0\0\0" + struct.pack("<HHHI4sI", 1, 315, UTF8, 4, "Zoë".encode(), 0)
    got = imaging.open(made.filed(made.photo(), "JPEG", exif=exif.PREFIX + block))
    assert (got.metadata.exif, got.notes) == (block, ())


def test_directories_that_point_at_themselves_end():
    block = bytearray(made.exif_block())
    where = ifd.layout(block)
    _, _, link = ifd.entries(block, where, where.first)
    block[link : link + 4] = where.first.to_bytes(4, "little")
    assert tiff_pages.picture_page(bytes(block), where).pictures == 1
    at = next(e for e in ifd.entries(block, where, where.first)[0] if e.tag == ifd.EXIF_IFD).start
    block[at : at + 4] = where.first.to_bytes(4, "little")
    ifd.parse(block, where, where.first)


def test_tiff_carries_what_exif_says_and_nothing_of_its_old_structure():
    given_ = made.picture(3, metadata=made.metadata(exif=made.exif_block(order=">")))
    data = imaging.encode(given_, "tiff")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages[0].tags
        assert tags[271].value == "Maker"
        assert tags["ExifTag"].value["PixelXDimension"] == 83
        assert tags[34853].value["GPSLatitudeRef"] == "N"
        assert tags[700].value == made.XMP


IMAGEJ = "ImageJ=1.53\nimages=1\nunit=um"
TOLD = "a description of how another TIFF file is laid out was dropped"


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, None),
        ({"description": "A harbour"}, "A harbour"),
        ({"metadata": {"axes": "YXS", "who": "me"}}, None),
        ({"ome": True, "metadata": {"axes": "YXS", "PhysicalSizeX": 0.5}}, None),
        ({"metadata": None, "description": "shape=(61, 83, 3)"}, None),
        ({"metadata": None, "description": "ImageJ=1.53\nimages=4\nslices=4\n"}, None),
        ({"metadata": None, "description": IMAGEJ}, IMAGEJ),
        ({"metadata": None, "description": "The shape: a bear"}, "The shape: a bear"),
    ],
    ids=str,
)
def test_a_description_of_another_size_is_dropped_and_said(options, kept):
    sink = io.BytesIO()
    tifffile.imwrite(sink, made.photo(), photometric="rgb", **options)
    given_ = imaging.open(sink.getvalue())
    larger = replace(given_, pixels=given_.pixels.repeat(2, 0).repeat(2, 1))
    with tifffile.TiffFile(io.BytesIO(imaging.encode(larger, "tiff"))) as file:
        tags = file.pages[0].tags
        assert (tags[270].value if 270 in tags else None) == kept
        assert file.series[0].shape == (122, 166, 3)
        assert tags[305].value == "tifffile.py"
    assert (TOLD in imaging.conversions(larger, "tiff")) == (kept is None)


def test_iptc_within_photoshop_resources():
    other = b"8BIM\x03\xed\0\0\0\0\0\x10" + bytes(16)
    blocks = photoshop.SIGNATURE + other + photoshop.resources_of(made.IPTC)
    assert photoshop.iptc_of(blocks) == made.IPTC
    assert photoshop.iptc_of(other) is None
    with pytest.raises(ValueError, match="cut short"):
        photoshop.iptc_of(blocks[:-8])
    with pytest.raises(ValueError, match="no Photoshop"):
        photoshop.iptc_of(b"something else entirely")


def test_xmp_is_corrected_in_place():
    packet = (
        b'<rdf:Description tiff:Orientation="6" exif:PixelXDimension = "10">'
        b"<tiff:Orientation>8</tiff:Orientation><exif:PixelYDimension>20</exif:PixelYDimension>"
        b"<tiff:ImageWidth> 10 </tiff:ImageWidth>"
        b"<xmp:Thumbnails><rdf:Alt>AAAA</rdf:Alt></xmp:Thumbnails></rdf:Description>"
    )
    got = xmp_pixels.resized(xmp.cleaned(packet, turned=True), 640, 480)
    assert got == (
        b'<rdf:Description tiff:Orientation="1" exif:PixelXDimension = "640">'
        b"<tiff:Orientation>1</tiff:Orientation><exif:PixelYDimension>480</exif:PixelYDimension>"
        b"<tiff:ImageWidth>640</tiff:ImageWidth></rdf:Description>"
    )


def test_an_orientation_that_only_xmp_states_stays_there():
    """Browsers and viewers show such a picture as it is stored."""
    packet = b'<rdf:Description tiff:Orientation="6"/>'
    assert xmp.cleaned(packet, turned=False) == packet
    picture = imaging.open(made.filed(made.photo(20, 30), "JPEG", xmp=packet))
    assert picture.pixels.shape == (20, 30, 3)
    assert picture.metadata.xmp == packet


def test_a_picture_without_metadata_gets_none():
    plain = replace(made.picture(3), metadata=imaging.Metadata())
    for format in imaging.WRITABLE:
        if format == "heic":
            continue
        got = imaging.open(imaging.encode(plain, format))
        assert got.metadata == imaging.Metadata(size=(83, 61))
        assert got.icc is None
        assert imaging.conversions(plain, format) in ((), imaging.conversions(plain, "gif"))
