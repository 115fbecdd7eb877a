"""JPEG, GIF, WebP, AVIF and BMP files that lie about what is in them."""

from __future__ import annotations

import struct

from cases import PERHAPS, Case, family
from pictures import DOUBLED, HEIGHT, WIDTH, sound

_WRONG = frozenset({413, 415, 422})


def families():
    """By format, since each lies in its own way."""
    yield family("lying JPEG", _jpeg())
    yield family("lying GIF", _gif())
    yield family("lying WebP", _webp())
    yield family("lying AVIF", _avif())
    yield family("lying BMP", _bmp())


def _put(content: bytes, at: int, form: str, *values: int) -> bytes:
    out = bytearray(content)
    struct.pack_into(form, out, at, *values)
    return bytes(out)


def _jpeg():
    plain = sound()["jpeg"]
    frame = plain.index(b"\xff\xc0")
    scan = plain.index(b"\xff\xda")
    for height, width in ((4800, 64), (48, 6400), (65500, 65500), (0, 64), (48, 0), (65535, 1)):
        yield Case(f"{width} x {height}", _put(plain, frame + 5, ">HH", height, width))
    for components in (0, 2, 5, 255):
        yield Case(f"{components} components", _put(plain, frame + 9, "B", components))
    for bits in (0, 1, 7, 13, 255):
        yield Case(f"{bits} bits", _put(plain, frame + 4, "B", bits))
    for sampling in (0x00, 0x05, 0x50, 0xFF):
        yield Case(f"sampling {sampling:02x}", _put(plain, frame + 11, "B", sampling))
    for name, marker in (("arithmetic", 0xC9), ("hierarchical", 0xC5), ("lossless", 0xC3)):
        yield Case(f"{name} but not", _put(plain, frame + 1, "B", marker), PERHAPS)
    # Decoders know the usual tables of codes by heart; the steps could be any.
    yield Case("no tables of codes", _without(plain, b"\xff\xc4"), PERHAPS, DOUBLED)
    yield Case("no tables of steps", _without(plain, b"\xff\xdb"))
    yield Case("a segment of length 0", _put(plain, frame + 2, ">H", 0))
    yield Case("a segment beyond the end", _put(plain, frame + 2, ">H", 65535))
    yield Case("no frame", _without(plain, b"\xff\xc0"))
    yield Case("no scan", plain[:scan] + b"\xff\xd9")
    yield Case("a scan of nothing", plain[: scan + 14] + b"\xff\xd9")
    yield Case("a scan of rubbish", plain[: scan + 14] + b"\x55" * 20 + b"\xff\xd9")
    yield Case("two heads", plain[:scan] + plain[:scan])
    yield Case("an endless row of markers", b"\xff\xd8" + b"\xff" * 100_000)
    yield Case("many thousand comments", b"\xff\xd8" + b"\xff\xfe\0\x03x" * 20_000)


def _without(content: bytes, marker: bytes) -> bytes:
    while (at := content.find(marker)) >= 0:
        (length,) = struct.unpack_from(">H", content, at + 2)
        content = content[:at] + content[at + 2 + length :]
    return content


def _gif():
    plain = sound()["gif"]
    picture = plain.index(b",", 13 + 3 * 64)
    for width, height in ((65535, 65535), (64, 65535)):
        yield Case(f"a screen of {width} x {height}", _put(plain, 6, "<HH", width, height))
    yield Case("no screen", _put(plain, 6, "<HH", 0, 0), PERHAPS, DOUBLED)
    big = _put(_put(plain, picture + 5, "<HH", 640, 480), 6, "<HH", 640, 480)
    yield Case("a picture larger than its data", big)
    yield Case("no picture", plain[:picture] + b";")
    yield Case("a code of 13 bits", _put(plain, picture + 10, "B", 13))
    yield Case("a code of 255 bits", _put(plain, picture + 10, "B", 255))
    yield Case("no data", plain[: picture + 11] + b"\0;")
    yield Case("data of rubbish", plain[: picture + 11] + b"\x20" + b"\xff" * 32 + b"\0;")
    yield Case("only extensions", plain[:picture] + b"!\xfe\x01x\0" * 5000 + b";")
    yield Case("an extension without end", plain[:picture] + b"!\xf9" + b"\xff" * 300)


def _webp():
    lossy, exact = sound()["webp"], sound()["lossless webp"]
    yield Case("a VP8 frame of 16383 x 16383", _put(lossy, 26, "<HH", 16383, 16383))
    yield Case("a VP8 frame of 0 x 0", _put(lossy, 26, "<HH", 0, 0))
    yield Case("a VP8 frame larger than its data", _put(lossy, 26, "<HH", 640, 640))
    yield Case("a VP8L frame of 16384 x 16384", _put(exact, 21, "<I", 0x0FFFFFFF))
    yield Case("a chunk of 4 GiB", _put(lossy, 16, "<I", 2**32 - 1))
    yield Case("a chunk of no bytes", _put(lossy, 16, "<I", 0))
    yield Case("a file that claims 12 bytes", _put(lossy, 4, "<I", 4))
    yield Case("no start code", _put(lossy, 23, "3B", 0, 0, 0))
    for width, height in ((2**24 - 1, 2**24 - 1), (9999, 9999), (0, 2**24 - 1)):
        canvas = struct.pack("<I", width)[:3] + struct.pack("<I", height)[:3]
        extended = b"VP8X" + struct.pack("<II", 10, 0) + canvas + lossy[12:]
        content = b"RIFF" + struct.pack("<I", len(extended) + 4) + b"WEBP" + extended
        yield Case(f"a canvas of {width + 1} x {height + 1}", content)
    animated = b"VP8X" + struct.pack("<II", 10, 2) + bytes([WIDTH - 1, 0, 0, HEIGHT - 1, 0, 0])
    for name, more in (
        ("no frames", b""),
        ("a frame of rubbish", b"ANMF\x20\0\0\0" + b"\xff" * 32),
    ):
        body = animated + b"ANIM\x06\0\0\0" + bytes(6) + more
        yield Case(
            f"animated with {name}", b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
        )
    yield Case("RIFF of sound", lossy[:8] + b"WAVE" + lossy[12:])


def _avif():
    plain = sound()["avif"]
    size = plain.index(b"ispe") + 8
    for width, height in ((65535, 65535), (2**31, 2**31), (0, 0), (2**32 - 1, 1)):
        yield Case(f"{width} x {height}", _put(plain, size, ">II", width, height))
    yield Case("a size other than the stream's", _put(plain, size, ">II", 640, 480), PERHAPS)
    for box in (b"meta", b"iprp", b"ipco", b"iloc", b"av1C", b"pitm", b"iinf"):
        at = plain.index(box)
        yield Case(f"{box.decode()} of 4 GiB", _put(plain, at - 4, ">I", 2**32 - 1), PERHAPS)
        yield Case(f"{box.decode()} is missing", plain[:at] + b"free" + plain[at + 4 :], PERHAPS)
    place = plain.index(b"iloc")
    yield Case("an item at the end of the world", _put(plain, place + 18, ">I", 2**32 - 1), PERHAPS)
    data = plain.index(b"mdat") + 4
    yield Case("a stream of rubbish", plain[:data] + b"\xa5" * (len(plain) - data))
    yield Case("boxes of size 0", plain[:32] + bytes(200))
    deep = b""
    for _ in range(3000):
        deep = struct.pack(">I", len(deep) + 8) + b"meta" + deep
    yield Case("boxes in boxes in boxes", plain[: plain.index(b"meta") - 4] + deep)


def _bmp():
    plain = sound()["bmp"]
    for width, height in ((2**31 - 1, 2**31 - 1), (10**6, 10), (0, 48), (64, 0), (64, 4800)):
        yield Case(f"{width} x {height}", _put(plain, 18, "<ii", width, height))
    yield Case("a negative width", _put(plain, 18, "<i", -64))
    yield Case("-2**31 rows", _put(plain, 22, "<i", -(2**31)))
    for bits in (0, 3, 7, 33, 65535):
        yield Case(f"{bits} bits", _put(plain, 28, "<H", bits))
    for compression in (1, 2, 4, 5, 9999):
        yield Case(f"compression {compression}", _put(plain, 30, "<I", compression))
    for length in (0, 1, 41, 2**32 - 1):
        yield Case(f"a head of {length} bytes", _put(plain, 14, "<I", length))
    yield Case("pixels at 4 GiB", _put(plain, 10, "<I", 2**32 - 1))
    yield Case("pixels just before the end", _put(plain, 10, "<I", len(plain) - 10))
    yield Case("a palette of 4 G colours", _put(_put(plain, 28, "<H", 8), 46, "<I", 2**32 - 1))
