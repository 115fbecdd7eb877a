"""Bodies that are no picture, or something else besides."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numpy as np
from cases import PERHAPS, Case, family
from pictures import DOUBLED, encoded, photograph, sound

_NONE = frozenset({415})


def families():
    """Other files, noise, signatures followed by nothing sensible, and polyglots."""
    yield family("not a picture", (Case(name, content, _NONE) for name, content in _others()))
    yield family("a signature and no more", _signatures())
    yield family("polyglots", _polyglots())


def _others():
    rng = np.random.default_rng(51)
    for size in (1, 2, 3, 100, 5000, 1 << 20):
        # A first byte that no format begins with.
        yield f"{size} bytes of noise", b"\xf0" + rng.bytes(size - 1)
    yield "zeros", bytes(100_000)
    yield "spaces", b" " * 5000
    yield "text", b"A photograph of a cat.\n" * 100
    yield "UTF-16", "\ufeffno picture".encode("utf-16")
    yield "JSON", b'{"image": "iVBORw0KGgo="}'
    yield "base64 of a picture", b"iVBORw0KGgoAAAANSUhEUgAAAEAAAAAwCAIAAAAu"
    yield "HTML", b"<!doctype html><script>alert(1)</script>"
    yield "SVG", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    entity = b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    yield "SVG that reads a file", entity + b"<svg>&x;</svg>"
    yield "PDF", b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    yield "PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\nshowpage"
    yield "MVG", b"push graphic-context\nimage over 0,0 0,0 'https://example.org/x'\n"
    yield "ELF", b"\x7fELF\x02\x01\x01" + bytes(200)
    yield "an executable of DOS", b"MZ" + bytes(200)
    yield "gzip", b"\x1f\x8b\x08" + bytes(40)
    yield "ZIP", _zip()
    yield "Photoshop", b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 48, 64, 8, 3) + bytes(99)
    yield "PPM", b"P6\n64 48\n255\n" + bytes(64 * 48 * 3)
    yield "TGA", struct.pack("<3B5x4H2B", 0, 0, 2, 0, 0, 64, 48, 24, 0) + bytes(64 * 48 * 3)
    yield "PCX", b"\x0a\x05\x01\x08" + bytes(200)
    yield "an icon", encoded(photograph(16, 16), "ICO")
    yield "JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100)
    yield "JPEG XL", b"\xff\x0a" + bytes(100)
    yield "MP4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100)
    yield "a Python pickle", b"\x80\x04cposix\nsystem\n(S'true'\ntR."
    yield "NumPy", b"\x93NUMPY\x01\0v\0{'descr': '|u1', 'shape': (9,)}"
    yield "an SQLite database", b"SQLite format 3\0" + bytes(100)


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("photo.png", sound()["png"])
    return file.getvalue()


def _signatures():
    rng = np.random.default_rng(52)
    heads = {
        "png": sound()["png"][:8],
        "jpeg": b"\xff\xd8\xff\xe0",
        "gif": b"GIF89a",
        "webp": b"RIFF\xff\xff\xff\xffWEBP",
        "avif": sound()["avif"][:24],
        "bmp": b"BM",
        "tiff": b"II*\0",
        "tiff of the other order": b"MM\0*",
        "bigtiff": b"II+\0\x08\0\0\0",
    }
    for name, head in heads.items():
        yield Case(f"{name} alone", head)
        yield Case(f"{name} and zeros", head + bytes(1000))
        yield Case(f"{name} and ones", head + b"\xff" * 1000)
        yield Case(f"{name} and noise", head + rng.bytes(1000))
    yield Case("png and a jpeg", heads["png"] + sound()["jpeg"])
    yield Case("jpeg and a png", heads["jpeg"] + sound()["png"])
    yield Case("webp and a png", heads["webp"] + sound()["png"])


def _polyglots():
    plain = sound()
    refused = frozenset({415, 422})
    script = b"/*" + b" " * 100 + b"*/=1;alert(document.domain);"
    yield Case("GIF that is JavaScript", b"GIF89a" + script, refused)
    yield Case("BMP that is JavaScript", b"BM" + script, refused)
    yield Case("PDF that holds a PNG", b"%PDF-1.7\n" + plain["png"], refused)
    yield Case("HTML that holds a JPEG", b"<img src=x>" + plain["jpeg"], refused)
    yield Case("a line before a PNG", b"\n" + plain["png"], refused)
    yield Case("a byte order mark before a GIF", b"\xef\xbb\xbf" + plain["gif"], refused)
    yield Case(
        "PNG packed by gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + zlib.compress(plain["png"]), refused
    )
    # A picture with something behind it is a picture; the rest does not come back.
    for name in ("png", "jpeg", "gif", "webp", "bmp", "avif", "tiff"):
        yield Case(f"{name} with a ZIP behind it", plain[name] + _zip(), PERHAPS, DOUBLED)
        script = b"<script>alert(1)</script>"
        yield Case(f"{name} with HTML behind it", plain[name] + script, PERHAPS, DOUBLED)
    yield Case("two PNGs", plain["png"] + plain["png"], frozenset({200}), DOUBLED)
    yield Case("two JPEGs", plain["jpeg"] + plain["jpeg"], frozenset({200}), DOUBLED)
