"""Sound pictures, small ones, from which the hostile ones are made."""

from __future__ import annotations

import functools
import io
import struct
import zlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 64, 48
DOUBLED = (2 * WIDTH, 2 * HEIGHT)


def photograph(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Soft shapes with a little grain, uint8 RGB."""
    rng = np.random.default_rng(20)
    y, x = np.mgrid[:height, :width] / 16
    channels = [np.sin(x + 2 * y), np.cos(2 * x - y), np.sin(x * y / 2)]
    values = np.stack(channels, axis=-1) * 90 + 128 + rng.normal(0, 3, (height, width, 3))
    return np.uint8(np.clip(values, 0, 255))


def encoded(image: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The bytes of the file that Pillow writes."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@functools.cache
def sound() -> dict[str, bytes]:
    """Files of every format that is read, of 64 x 48 pixels, by name."""
    import tifffile

    rgb = photograph()
    deep = rgb.astype(np.uint16) * 257
    tiled = io.BytesIO()
    tifffile.imwrite(tiled, rgb, photometric="rgb", tile=(16, 16), compression="deflate")
    sixteen = io.BytesIO()
    tifffile.imwrite(sixteen, deep, photometric="rgb")
    big = io.BytesIO()
    tifffile.imwrite(big, rgb, photometric="rgb", bigtiff=True, compression="deflate")
    return {
        "png": encoded(rgb),
        "png of grey": encoded(rgb[..., 0]),
        "png with a palette": encoded(Image.fromarray(rgb).quantize(16)),
        "jpeg": encoded(rgb, "JPEG", quality=90),
        "progressive jpeg": encoded(rgb, "JPEG", quality=90, progressive=True),
        "gif": encoded(Image.fromarray(rgb).quantize(64), "GIF"),
        "webp": encoded(rgb, "WEBP", quality=80),
        "lossless webp": encoded(rgb, "WEBP", lossless=True),
        "avif": encoded(rgb, "AVIF"),
        "bmp": encoded(rgb, "BMP"),
        "tiff": encoded(rgb, "TIFF"),
        "deflated tiff": encoded(rgb, "TIFF", compression="tiff_adobe_deflate"),
        "lzw tiff": encoded(rgb, "TIFF", compression="tiff_lzw"),
        "tiled tiff": tiled.getvalue(),
        "tiff of 16 bits": sixteen.getvalue(),
        "bigtiff": big.getvalue(),
    }


def chunk(kind: bytes, data: bytes = b"", *, crc: int | None = None, size: int | None = None):
    """A chunk of a PNG file; ``crc`` and ``size``: what it claims."""
    crc = zlib.crc32(kind + data) if crc is None else crc
    size = len(data) if size is None else size
    return struct.pack(">I", size) + kind + data + struct.pack(">I", crc)


def ihdr(
    width: int = WIDTH,
    height: int = HEIGHT,
    bits: int = 8,
    colour: int = 2,
    compression: int = 0,
    filtering: int = 0,
    interlace: int = 0,
) -> bytes:
    """The header chunk of a PNG file."""
    fields = (width, height, bits, colour, compression, filtering, interlace)
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *fields))


def png(*chunks: bytes, end: bool = True) -> bytes:
    """A PNG file of these chunks."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + (chunk(b"IEND") if end else b"")


def rows(height: int = HEIGHT, length: int = 3 * WIDTH, filtering: int = 0) -> bytes:
    """Rows of a PNG picture before compression."""
    return (bytes([filtering]) + bytes(range(length % 256)) + bytes(length - length % 256)) * height


def idat(data: bytes | None = None) -> bytes:
    """The compressed rows."""
    return chunk(b"IDAT", zlib.compress(rows() if data is None else data, 9))
