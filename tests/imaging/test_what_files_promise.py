"""Metadata stay true: of another size, turned, in other colours, without what was left behind."""

import io
import struct
import time

import made
import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from hyperfocal import imaging
from hyperfocal.errors import BrokenPicture
from hyperfocal.imaging import exif, ifd, photoshop, profile, xmp
from hyperfocal.imaging.header import CREDENTIALS

ADOBE_RGB = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
SRGB = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
# The same colours as they are under D50, as profiles have them.
SRGB_UNDER_D50 = (34570, 35850, 64850, 33090, 32120, 59790, 15590, 6600)


def described(primaries=None, gamma=None, pixels=None):
    data = made.filed(made.photo() if pixels is None else pixels, "PNG")
    if gamma is not None:
        data = made.with_chunk(data, b"gAMA", ">I", gamma)
    return data if primaries is None else made.with_chunk(data, b"cHRM", ">8I", *primaries)


@pytest.mark.parametrize("gamma", [45455, 45470])
def test_primaries_of_a_png_become_a_profile(gamma):
    got = imaging.open(described(ADOBE_RGB, gamma))
    assert profile.describe(got.icc) == "RGB as declared, gamma 2.2"
    assert got.notes == ()
    # ICC profile of Adobe RGB (1998), red and green under D50.
    at = got.icc.index(b"rXYZ")
    (place,) = struct.unpack_from(">I", got.icc, at + 4)
    red = np.array(struct.unpack_from(">3i", got.icc, place + 8)) / 65536
    assert red == pytest.approx([0.6097, 0.3111, 0.0195], abs=5e-4)
    for format in ("png", "jpeg", "tiff", "webp"):
        assert imaging.open(imaging.encode(got, format)).icc == got.icc


@pytest.mark.parametrize("primaries", [SRGB, SRGB_UNDER_D50, [n + 1 for n in SRGB]])
@pytest.mark.parametrize("gamma", [None, 45455])
def test_those_of_srgb_need_no_profile(primaries, gamma):
    got = imaging.open(described(primaries, gamma))
    assert (got.icc, got.notes) == (None, ())


def test_primaries_have_the_last_word_only_where_nothing_else_is_said():
    icc = made.wide_rgb_profile()
    data = made.filed(made.photo(), "PNG", icc_profile=icc)
    assert imaging.open(made.with_chunk(data, b"cHRM", ">8I", *ADOBE_RGB)).icc == icc
    data = made.with_chunk(described(ADOBE_RGB, 45455), b"sRGB", ">B", 0)
    assert imaging.open(data).icc is None
    assert imaging.open(described(ADOBE_RGB, 45455, made.photo(channels=1))).icc is None
    linear = imaging.open(described(SRGB, 100_000))
    assert profile.describe(linear.icc) == "RGB as declared, gamma 1"


@pytest.mark.parametrize("primaries", [(0,) * 8, (31270, 32900) * 4, (2**32 - 1,) * 8])
def test_primaries_that_make_no_colours(primaries):
    got = imaging.open(described(primaries))
    assert got.icc is None
    assert got.notes == ("a damaged cHRM chunk was dropped",)


@pytest.mark.parametrize("name", ["icc", "icm"])
def test_a_profile_as_imagemagick_puts_it_into_text(name):
    icc = made.wide_rgb_profile()
    info = PngImagePlugin.PngInfo()
    text = f"\n{name}\n{len(icc):8d}\n{icc.hex()}\n"
    info.add_text(f"Raw profile type {name}", text, zip=True)
    assert imaging.open(made.filed(made.photo(), "PNG", pnginfo=info)).icc == icc


def test_promises_of_what_is_dropped_leave_xmp():
    packet = (
        b'<rdf:Description hdrgm:Version="1.0" GCamera:MotionPhoto="1" dc:creator="Zo"'
        b" GCamera:MicroVideoOffset='123' Camera:MotionPhotoVersion=\"1\""
        b' xmpNote:HasExtendedXMP = "0123">'
        b"<Container:Directory><rdf:Seq><rdf:li><Container:Item/></rdf:li></rdf:Seq>"
        b"</Container:Directory>\n <hdrgm:GainMapMax>2.5</hdrgm:GainMapMax><hdrgm:Gamma/>"
        b"<dc:title>kept</dc:title></rdf:Description>"
    )
    assert xmp.cleaned(packet, turned=False) == (
        b'<rdf:Description dc:creator="Zo"><dc:title>kept</dc:title></rdf:Description>'
    )


@pytest.mark.parametrize("name", ["GImage:Data", "GAudio:Data", "GImage:Mime", "Device:Cameras"])
def test_parts_of_phones_leave_xmp(name):
    """Their data, or what lists them, is in parts of the file that are not kept."""
    for packet in (
        f'<rdf:Description {name}="image/jpeg" dc:creator="Zo">',
        f'<rdf:Description dc:creator="Zo"><{name}>\n<rdf:Seq><rdf:li/></rdf:Seq>\n</{name}>',
    ):
        got = xmp.cleaned(packet.encode(), turned=False)
        assert got == b'<rdf:Description dc:creator="Zo">'
        notes = [xmp.EMBEDDED] if name.endswith("Data") else []
        assert xmp.missed(packet.encode()) == notes


def test_the_device_of_dynamic_depth_leaves_xmp():
    packet = (
        b'<rdf:Description xmlns:Device="d"><Device:Container><Container:Directory><rdf:Seq/>'
        b"</Container:Directory></Device:Container><Device:Profiles><rdf:Seq><rdf:li>"
        b'<Device:Profile Profile:Type="DepthPhoto"/></rdf:li></rdf:Seq></Device:Profiles>'
        b'<Device:Cameras><rdf:Seq><rdf:li><Device:Camera><Camera:Image Image:ItemURI="a"/>'
        b"</Device:Camera></rdf:li></rdf:Seq></Device:Cameras><dc:title>kept</dc:title></rdf:Description>"
    )
    assert xmp.cleaned(packet, turned=False) == (
        b'<rdf:Description xmlns:Device="d"><dc:title>kept</dc:title></rdf:Description>'
    )


@pytest.mark.parametrize("address", ["https://example.org/a.c2pa", "self#jumbf=c2pa/urn:uuid:1"])
@pytest.mark.parametrize(
    "shape",
    ['<d dcterms:provenance="{}" dc:a="b"/>', "<d dcterms:provenance='{}' dc:a=\"b\"/>",
     '<d dc:a="b"/><dcterms:provenance>\n{} </dcterms:provenance>\n',
     '<d dc:a="b"/><dcterms:provenance rdf:resource="{}"/>',
     '<d dc:a="b"/><dcterms:provenance rdf:resource="{}"></dcterms:provenance>'],
)  # fmt: skip
def test_content_credentials_elsewhere_are_missed(shape, address):
    data = made.filed(made.photo(), "WEBP", xmp=shape.format(address).encode())
    for got in (imaging.open(data), imaging.from_pil(Image.open(io.BytesIO(data)))):
        assert got.notes == (CREDENTIALS,)
        assert got.metadata.xmp == b'<d dc:a="b"/>'
    # By Dublin Core it may be any text.
    data = shape.format("Bequest of Anna: 1920").encode()
    assert xmp.cleaned(data, turned=True) == data
    assert xmp.missed(data) == []


@pytest.mark.parametrize(
    "piece", [b"<hdrgm:a>", b"<xmp:Thumbnails ", b' hdrgm:a="', b" hdrgm:a=", b" " * 9,
              b' dcterms:provenance="a:b', b"<dcterms:provenance>a:", b"<Device:a>"]
)  # fmt: skip
def test_no_packet_takes_long(piece):
    # Of this process: others may have the machine meanwhile.
    start = time.process_time()
    xmp.cleaned(piece * 100_000, turned=True)
    xmp.missed(piece * 100_000)
    assert time.process_time() - start < 2


def test_the_video_of_a_motion_photo_is_missed():
    data = imaging.encode(made.picture(3), "jpeg")
    video = b"\0\0\0\x18ftypmp42" + bytes(50)
    assert "motion photo" in imaging.open(data + video).notes[0]
    assert "behind the end" in imaging.open(data + b"something").notes[0]
    assert imaging.open(data + bytes(50)).notes == ()


def test_photoshop_data_are_missed():
    path = b"8BIM\x07\xd0\0\0\0\0\0\x04" + bytes(4)
    resolution = b"8BIM\x03\xed\0\0\0\0\0\x10" + bytes(16)
    iptc = photoshop.resources_of(made.IPTC)
    jpeg = imaging.encode(made.picture(3), "jpeg")
    for blocks, said in ((path + iptc, True), (resolution + iptc, False)):
        body = photoshop.SIGNATURE + blocks
        segment = struct.pack(">BBH", 0xFF, 0xED, len(body) + 2) + body
        sink = io.BytesIO()
        tifffile.imwrite(
            sink, made.photo(), photometric="rgb", extratags=[(34377, 1, len(blocks), blocks, True)]
        )
        for data in (jpeg[:2] + segment + jpeg[2:], sink.getvalue()):
            got = imaging.open(data)
            assert got.metadata.iptc == made.IPTC
            assert ("Photoshop's own" in "".join(got.notes)) == said


def test_colours_that_were_converted_are_called_srgb():
    inside = ifd.Directory()
    inside.put(0xA001, ifd.SHORT, 0xFFFF)
    main = ifd.Directory()
    main.fields[ifd.EXIF_IFD] = ifd.Field(ifd.LONG, inside=inside)
    packet = (
        b'<a photoshop:ColorMode="4" photoshop:ICCProfile="U.S. Web Coated">'
        b"<exif:ColorSpace>65535</exif:ColorSpace></a>"
    )
    image = Image.new("CMYK", (8, 8))
    data = made.filed(image, "JPEG", exif=exif.PREFIX + ifd.block(main), xmp=packet)
    got = imaging.open(data)
    assert got.icc is None
    assert made.parsed(got.metadata.exif).fields[ifd.EXIF_IFD].inside.integer(0xA001) == 1
    assert got.metadata.xmp == (
        b'<a photoshop:ColorMode="3" photoshop:ICCProfile="sRGB IEC61966-2.1">'
        b"<exif:ColorSpace>1</exif:ColorSpace></a>"
    )


@pytest.mark.parametrize(("orientation", "wanted"), [(3, (300, 150)), (6, (150, 300))])
@pytest.mark.parametrize("order", ["<", ">"])
def test_resolution_turns_with_the_picture(orientation, wanted, order):
    block = made.exif_block(orientation=orientation, dpi=(300, 150), order=order)
    data = made.filed(made.photo(), "JPEG", exif=exif.PREFIX + block, dpi=(300, 150))
    got = imaging.open(data)
    assert got.metadata.dpi == wanted
    assert imaging.inspect(data).dpi == wanted
    assert exif.read(got.metadata.exif).dpi == wanted
    assert imaging.from_pil(Image.open(io.BytesIO(data))).metadata.dpi == wanted


def test_the_size_in_the_interoperability_directory_is_corrected():
    related = ifd.Directory()
    related.fields[1] = ifd.Field(ifd.ASCII, b"R98\0")
    related.put(0x1001, ifd.SHORT, 10)
    related.put(0x1002, ifd.SHORT, 20)
    inside = ifd.Directory()
    inside.fields[ifd.INTEROP_IFD] = ifd.Field(ifd.LONG, inside=related)
    main = ifd.Directory()
    main.fields[ifd.EXIF_IFD] = ifd.Field(ifd.LONG, inside=inside)
    got = made.parsed(exif.resized(ifd.block(main), 640, 480))
    found = got.fields[ifd.EXIF_IFD].inside.fields[ifd.INTEROP_IFD].inside
    assert (found.integer(0x1001), found.integer(0x1002)) == (640, 480)


def test_pillow_gets_the_size_that_is_true():
    packet = b'<a tiff:ImageWidth="10" tiff:ImageLength="20"/>'
    image = imaging.to_pil(made.picture(3, metadata=made.metadata(xmp=packet)))
    inside = image.getexif().get_ifd(ifd.EXIF_IFD)
    assert (inside[0xA002], inside[0xA003]) == (83, 61)
    assert image.info["xmp"] == b'<a tiff:ImageWidth="83" tiff:ImageLength="61"/>'


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp", "avif"])
def test_pillow_writes_all_metadata_when_it_is_given_them(format):
    image = imaging.to_pil(made.picture(3, icc=made.wide_rgb_profile(), metadata=made.metadata()))
    sink = io.BytesIO()
    image.save(sink, format, **image.info)
    got = imaging.open(sink.getvalue())
    assert got.icc == made.wide_rgb_profile()
    assert made.parsed(got.metadata.exif).fields[271].data == b"Maker\0"


def test_an_orientation_set_in_pillow_is_applied():
    image = Image.fromarray(made.photo())
    image.getexif()[274] = 6
    got = imaging.from_pil(image)
    assert np.array_equal(got.pixels, np.rot90(made.photo(), -1))


def test_exif_of_a_tiff_that_pillow_has_opened():
    given = made.picture(3, metadata=made.metadata())
    image = Image.open(io.BytesIO(imaging.encode(given, "tiff")))
    main = made.parsed(imaging.from_pil(image).metadata.exif)
    assert main.fields[271].data == b"Maker\0"
    assert main.fields[ifd.EXIF_IFD].inside.fields[0xA434].data == b"Lens 35 mm\0"
    # Nothing of how the file stored its pixels.
    assert not {256, 258, 273} & set(main.fields)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("channel", [0, 3])
def test_a_file_with_samples_that_are_no_numbers_is_broken(tmp_path, bad, channel):
    samples = np.full((8, 8, 4), 0.5, np.float32)
    samples[3, 3, channel] = bad
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=[2])
    with pytest.raises(BrokenPicture, match="not finite"):
        imaging.open(tmp_path / "a.tif")
