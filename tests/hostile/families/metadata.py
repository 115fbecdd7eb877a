"""Sound pictures with damaged metadata: the damage must not cost the picture."""

from __future__ import annotations

import struct

from cases import Case, family
from pictures import DOUBLED, chunk, encoded, idat, ihdr, photograph, png, sound

_FINE = frozenset({200})


def families():
    """Profiles, EXIF, XMP and text chunks that lie; all of these are answered with the picture."""
    yield family(
        "damaged metadata",
        (Case(name, content, _FINE, DOUBLED) for name, content in _all()),
    )


def _all():
    for name, block in _exif().items():
        yield f"jpeg, EXIF {name}", _app1(b"Exif\0\0" + block)
        yield f"png, EXIF {name}", png(ihdr(), chunk(b"eXIf", block), idat())
        yield f"webp, EXIF {name}", encoded(photograph(), "WEBP", exif=b"Exif\0\0" + block)
    for name, profile in _profiles().items():
        yield f"jpeg, profile {name}", encoded(photograph(), "JPEG", icc_profile=profile)
        yield f"png, profile {name}", encoded(photograph(), "PNG", icc_profile=profile)
        yield f"webp, profile {name}", encoded(photograph(), "WEBP", icc_profile=profile)
    yield "jpeg, XMP of rubbish", _app1(b"http://ns.adobe.com/xap/1.0/\0" + b"\xff<" * 900)
    yield "jpeg, part 7 of 2 of a profile", _segment(0xE2, b"ICC_PROFILE\0\x07\x02" + bytes(99))
    yield "jpeg, part 0 of 0 of a profile", _segment(0xE2, b"ICC_PROFILE\0\0\0" + bytes(99))
    yield "jpeg, Photoshop's blocks", _segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04" + b"\xff" * 9)
    for kind in (b"tEXt", b"zTXt", b"iTXt", b"pHYs", b"gAMA", b"tIME", b"iCCP", b"acTL", b"cHRM"):
        name = kind.decode()
        yield f"png, empty {name}", png(ihdr(), chunk(kind), idat())
        if kind != b"acTL":
            # That one would be a declaration of too many frames.
            yield f"png, {name} of rubbish", png(ihdr(), chunk(kind, b"\xfe\xff" * 40), idat())
        yield f"png, {name} with a wrong sum", png(ihdr(), chunk(kind, b"x\0y", crc=7), idat())


def _segment(marker: int, body: bytes) -> bytes:
    plain = sound()["jpeg"]
    return plain[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + plain[2:]


def _app1(body: bytes) -> bytes:
    return _segment(0xE1, body)


def _exif() -> dict[str, bytes]:
    def block(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
        table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return (
            b"II*\0\x08\0\0\0"
            + struct.pack("<H", len(entries))
            + table
            + struct.pack("<I", following)
        )

    return {
        "of nothing": b"",
        "of rubbish": bytes(range(250)),
        "cut in its head": b"II*\0\x08",
        "at 4 GiB": b"II*\0\xff\xff\xff\xff",
        "of 65535 fields": b"MM\0*\0\0\0\x08\xff\xff",
        "that leads to itself": block((0x8769, 4, 1, 8), (0x8825, 4, 1, 8)),
        "that follows itself": block((0x0112, 3, 1, 1), following=8),
        "that claims 4 G values": block((0x010F, 2, 2**32 - 1, 8), (0x0112, 3, 2**32 - 1, 8)),
        "of an unknown type": block((0x0112, 77, 1, 6)),
        "with an orientation of 300": block((0x0112, 3, 1, 300)),
        "with a thumbnail at 4 GiB": block(
            (0x0112, 3, 1, 1), (0x0201, 4, 1, 2**32 - 1), (0x0202, 4, 1, 2**32 - 1)
        ),
    }


def _profiles() -> dict[str, bytes]:
    head = struct.pack(">I", 2**32 - 1) + bytes(32) + b"acsp" + bytes(88)
    return {
        "of rubbish": bytes(range(256)) * 2,
        "of 4 bytes": b"\0\0\0\x04",
        "that claims 4 GiB": head + bytes(200),
        "of 4 G tags": head[:16] + b"RGB XYZ " + head[24:] + b"\xff\xff\xff\xff" + bytes(60),
        "with a tag at 4 GiB": head[:16] + b"RGB XYZ " + head[24:]
        + struct.pack(">I4sII", 1, b"desc", 2**32 - 4, 2**32 - 4),
    }  # fmt: skip
