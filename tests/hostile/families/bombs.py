"""Small files that would become large ones."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from cases import PERHAPS, Case, family
from pictures import DOUBLED, HEIGHT, WIDTH, chunk, encoded, idat, ihdr, png, rows, sound
from PIL import Image
from tiffs import LONG, SHORT, tiff

_TOO_LARGE = frozenset({413})
# Bytes that a bomb unpacks to: more than a worker of the tests may take.
_BOMB = 900 << 20


def families():
    """Declared sizes above the limits; and data that unpacks to far more than was declared."""
    yield family("declared too large", (Case(*case, _TOO_LARGE) for case in _declared()))
    yield family("unpacks to more than declared", _unpacking())


def _declared():
    wide = Image.new("L", (1001, 1000), 7)
    yield "png one row of pixels above the limit", encoded(wide)
    yield "jpeg one row of pixels above the limit", encoded(wide, "JPEG")
    yield "gif one row of pixels above the limit", encoded(wide, "GIF")
    yield "bmp one row of pixels above the limit", encoded(wide, "BMP")
    yield "webp one row of pixels above the limit", encoded(wide.convert("RGB"), "WEBP", method=0)
    yield "tiff one row of pixels above the limit", encoded(wide, "TIFF", compression="packbits")
    yield "avif above the limit", encoded(Image.new("RGB", (1280, 800)), "AVIF", speed=10)
    yield "a result above the limit", encoded(Image.new("L", (800, 700)))
    bilevel = Image.new("1", (20_000, 20_000))
    yield "png of 400 million pixels", encoded(bilevel)
    yield "tiff of 400 million pixels", encoded(bilevel, "TIFF", compression="tiff_adobe_deflate")
    yield "gif of 51 frames", _frames(51)
    yield "gif of 2000 frames", _frames(2000)
    pages = io.BytesIO()
    small = [Image.new("L", (16, 16), shade) for shade in range(60)]
    small[0].save(pages, "TIFF", save_all=True, append_images=small[1:])
    yield "tiff of 60 pages", pages.getvalue()
    control = chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    yield "png of 2**31 - 1 frames", png(ihdr(), control, idat())
    moving = io.BytesIO()
    shades = [Image.new("RGB", (16, 16), (3 * shade, 0, 9)) for shade in range(60)]
    shades[0].save(moving, "WEBP", save_all=True, append_images=shades[1:], lossless=True)
    yield "webp of 60 frames", moving.getvalue()


def _frames(count: int) -> bytes:
    plain = sound()["gif"]
    picture = plain.index(b",", 13 + 3 * 64)
    frame = b"\x21\xf9\x04\0\x05\0\0\0" + struct.pack("<BHHHHB", 0x2C, 0, 0, 8, 8, 0)
    frame += b"\x02\x03\x84\x69\x05\0"
    return plain[:picture] + frame * count + b";"


def _unpacking():
    zeros = _zeros(_BOMB)
    # What a decoder does not need it need not unpack; then the picture may come.
    yield Case("png rows", png(ihdr(), chunk(b"IDAT", zeros)), PERHAPS, DOUBLED)
    profile = chunk(b"iCCP", b"profile\0\0" + zeros)
    yield Case("png profile", png(ihdr(), profile, idat()), frozenset({200}), DOUBLED)
    text = chunk(b"zTXt", b"Raw profile type exif\0\0" + zeros)
    yield Case("png text", png(ihdr(), text, idat()), frozenset({200}), DOUBLED)
    many = b"".join([text] * 3)
    yield Case("png texts", png(ihdr(), many, idat()), frozenset({200}), DOUBLED)
    deflated = {259: (SHORT, (8,))}
    yield Case("tiff strip", tiff(deflated, strip=zeros), PERHAPS, DOUBLED)
    yield Case("tiff strip of LZW", tiff({259: (SHORT, (5,))}, strip=_lzw()), PERHAPS, DOUBLED)
    for name, number in (("Zstandard", 50000), ("LZMA", 34925)):
        strip = _packed(name)
        yield Case(f"tiff strip of {name}", tiff({259: (SHORT, (number,))}, strip=strip), PERHAPS)
    big = {256: (LONG, (1000,)), 257: (LONG, (1000,)), 278: (LONG, (1,))}
    strips = (8,) * 1000
    change = {**big, **deflated, 273: (LONG, strips), 279: (LONG, (len(zeros),) * 1000)}
    yield Case("tiff, the same strip a thousand times", tiff(change, strip=zeros))
    samples = {277: (SHORT, (60_000,)), 262: (SHORT, (1,)), 256: (LONG, (1000,))}
    yield Case("tiff of 60000 samples a pixel", tiff({**samples, 257: (LONG, (1000,))}))
    rubbish = png(ihdr(height=HEIGHT), idat(rows(HEIGHT) + bytes(20 << 20)))
    yield Case("png with rows to spare", rubbish, PERHAPS, DOUBLED)


def _zeros(count: int) -> bytes:
    """Zeros, deflated: a thousandth of them."""
    packer, piece = zlib.compressobj(9), bytes(1 << 20)
    packed = b"".join(packer.compress(piece) for _ in range(count >> 20))
    return packed + packer.flush()


def _lzw() -> bytes:
    import imagecodecs

    return bytes(imagecodecs.lzw_encode(np.zeros(64 << 20, np.uint8).tobytes()))


def _packed(name: str) -> bytes:
    import imagecodecs

    zeros = bytes(256 << 20)
    if name == "LZMA":
        return bytes(imagecodecs.lzma_encode(zeros[: 64 << 20], level=0))
    return bytes(imagecodecs.zstd_encode(zeros, level=1))


assert WIDTH * HEIGHT < 1 << 20
