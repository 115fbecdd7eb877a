"""Pictures, colour profiles and metadata made in code, for the tests of imaging."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from hyperfocal.imaging import Metadata, Picture, ifd


def photo(height=61, width=83, channels=3, dtype=np.uint8, seed=0):
    """Smooth colour with some texture; every sample value of the type is possible."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [
        0.5 + 0.4 * np.sin(2 * np.pi * (a * x + b * y + c))
        for a, b, c in ((0.8, 0.3, 0.0), (0.2, 0.9, 0.3), (0.6, -0.5, 0.6), (0.3, 0.3, 0.1))
    ]
    values = np.stack(waves[:channels], axis=-1)
    values = np.clip(values + generator.normal(0, 0.01, values.shape), 0, 1)
    if channels == 1:
        values = values[..., 0]
    if dtype == np.float32:
        return values.astype(np.float32)
    return np.round(values * np.iinfo(dtype).max).astype(dtype)


def picture(channels=3, dtype=np.uint8, alpha=False, **more):
    """A lossless :class:`Picture` of :func:`photo`."""
    extra = photo(channels=1, dtype=dtype, seed=5) if alpha else None
    return Picture(photo(channels=channels, dtype=dtype), extra, lossless=True, **more)


def psnr(one, other):
    """In dB, of arrays with full scale 255."""
    error = np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2)
    return np.inf if error == 0 else 10 * np.log10(255**2 / error)


def filed(image, format, **options):
    """The bytes of a file that Pillow writes; ``image``: an array or a Pillow image."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    sink = io.BytesIO()
    image.save(sink, format, **options)
    return sink.getvalue()


def _profile(space, pcs, kind, tags):
    """An ICC version 2 profile. ICC.1:2001-04, clauses 6.1 and 6.2."""
    body, table, at = b"", struct.pack(">I", len(tags)), 128 + 4 + 12 * len(tags)
    for name, data in tags:
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    total = 128 + len(table) + len(body)
    d50 = struct.pack(">iii", 63190, 65536, 54061)
    head = struct.pack(">I4sI4s4s4s", total, b"\0" * 4, 0x02400000, kind, space, pcs)
    head = head.ljust(36, b"\0") + b"acsp"
    head = (head.ljust(68, b"\0") + d50).ljust(128, b"\0")
    return head + table + body


def _description(text):
    data = text.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(data)) + data + b"\0" * 78


def _xyz(x, y, z):
    return b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(v * 65536) for v in (x, y, z)))


def _gamma(value):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + b"\0\0"


def wide_rgb_profile():
    """RGB with the primaries of Display P3 (adapted to D50) and a gamma of 2.2."""
    return _profile(b"RGB ", b"XYZ ", b"mntr", [
        (b"desc", _description("Wide")), (b"wtpt", _xyz(0.9642, 1, 0.8249)),
        (b"rXYZ", _xyz(0.5151, 0.2412, -0.0011)), (b"gXYZ", _xyz(0.2920, 0.6922, 0.0419)),
        (b"bXYZ", _xyz(0.1571, 0.0666, 0.7841)),
        *((name, _gamma(2.2)) for name in (b"rTRC", b"gTRC", b"bTRC")),
    ])  # fmt: skip


def grey_profile():
    """Grey with a gamma of 1.4, far from sRGB's."""
    return _profile(b"GRAY", b"XYZ ", b"mntr", [
        (b"desc", _description("Bright grey")), (b"wtpt", _xyz(0.9642, 1, 0.8249)),
        (b"kTRC", _gamma(1.4)),
    ])  # fmt: skip


def cmyk_profile():
    """Ink by a table of 2 x 2 x 2 x 2 colours in Lab."""
    table = bytearray()
    for corner in range(16):
        c, m, y, k = (corner >> shift & 1 for shift in (3, 2, 1, 0))
        lightness = (255 - 70 * c - 80 * m - 20 * y) * (1 - 0.9 * k)
        a, b = 128 - 40 * c + 60 * m, 128 - 40 * c - 10 * m + 80 * y
        table += bytes(round(min(max(v, 0), 255)) for v in (lightness, a, b))
    curves = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + matrix + curves * 4 + bytes(table) + curves * 3
    return _profile(b"CMYK", b"Lab ", b"prtr", [
        (b"desc", _description("Ink")), (b"wtpt", _xyz(0.9642, 1, 0.8249)), (b"A2B0", lut),
    ])  # fmt: skip


def exif_block(*, orientation=1, size=(10, 20), maker_note=b"", dpi=None, order="<"):
    """EXIF with a maker, a size, a lens name, a place and possibly a maker note."""
    inside = ifd.Directory()
    inside.put(0xA002, ifd.SHORT, size[0])
    inside.put(0xA003, ifd.SHORT, size[1])
    inside.fields[0xA434] = ifd.Field(ifd.ASCII, b"Lens 35 mm\0")
    if maker_note:
        inside.fields[0x927C] = ifd.Field(ifd.UNDEFINED, maker_note)
    place = ifd.Directory()
    place.put(0, ifd.BYTE, 2, 3, 0, 0)
    place.fields[1] = ifd.Field(ifd.ASCII, b"N\0")
    main = ifd.Directory()
    main.fields[271] = ifd.Field(ifd.ASCII, b"Maker\0")
    main.put(274, ifd.SHORT, orientation)
    if dpi:
        main.put(282, ifd.RATIONAL, dpi[0], 1)
        main.put(283, ifd.RATIONAL, dpi[1], 1)
        main.put(296, ifd.SHORT, 2)
    main.fields[ifd.EXIF_IFD] = ifd.Field(ifd.LONG, inside=inside)
    main.fields[ifd.GPS_IFD] = ifd.Field(ifd.LONG, inside=place)
    return ifd.block(main) if order == "<" else big_endian(main)


def big_endian(main):
    """The same directory as Canon and Nikon write it; Pillow is the writer."""
    block = ifd.block(main)
    exif = Image.Exif()
    exif.load(block)
    exif.endian = ">"
    data = exif.tobytes().removeprefix(b"Exif\0\0")
    assert data[:2] == b"MM"
    return data


def with_chunk(data, kind, code, *values):
    """A PNG with one more chunk, right behind its header."""
    body = kind + struct.pack(code, *values)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:33] + chunk + data[33:]


def with_segments(*segments):
    """A JPEG with these, each a marker's second byte and a body, before all others."""
    data = filed(photo(), "JPEG")
    parts = [struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body for kind, body in segments]
    return data[:2] + b"".join(parts) + data[2:]


def parsed(block):
    """An EXIF block's main directory."""
    where = ifd.layout(block)
    return ifd.parse(block, where, where.first)


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syn'
    'tax-ns#"><rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:dc='
    '"http://purl.org/dc/elements/1.1/" dc:creator="Zoë"/></rdf:RDF></x:xmpmeta>'
).encode()
IPTC = b"\x1c\x02\x78\0\x07caption\x1c\x02\x69\0\x04head"


def metadata(**changes):
    """EXIF, XMP, IPTC and 300 x 150 dots an inch."""
    values = {"exif": exif_block(), "xmp": XMP, "iptc": IPTC, "dpi": (300.0, 150.0), **changes}
    return Metadata(**values)
