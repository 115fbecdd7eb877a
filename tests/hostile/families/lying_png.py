"""PNG files whose parts contradict each other (W3C Portable Network Graphics)."""

from __future__ import annotations

import struct

from cases import Case, family
from pictures import HEIGHT, WIDTH, chunk, idat, ihdr, png, rows

_WRONG = frozenset({413, 422})


def families():
    """Headers that lie and chunks that are missing, doubled, damaged or out of order."""
    yield family("lying PNG", (Case(name, png(*parts), _WRONG) for name, parts in _headers()))
    yield family("disordered PNG", (Case(name, data, _WRONG) for name, data in _chunks()))


def _headers():
    data = idat()
    yield "more rows than there are", (ihdr(height=HEIGHT + 1), data)
    yield "ten times the rows", (ihdr(height=10 * HEIGHT), data)
    yield "wider than its rows", (ihdr(width=2 * WIDTH), data)
    yield "16 bits of 8", (ihdr(bits=16), data)
    yield "interlaced but not", (ihdr(interlace=1), data)
    yield "alpha that is not there", (ihdr(colour=6), data)
    for bits in (0, 3, 5, 7, 32, 255):
        yield f"{bits} bits", (ihdr(bits=bits), data)
    for bits in (1, 2, 4):
        yield f"colour of {bits} bits", (ihdr(bits=bits), data)
    yield "palette of 16 bits", (ihdr(bits=16, colour=3), chunk(b"PLTE", bytes(12)), data)
    for colour in (1, 5, 7, 8, 255):
        yield f"colour type {colour}", (ihdr(colour=colour), data)
    yield "unknown compression", (ihdr(compression=1), data)
    yield "unknown filtering", (ihdr(filtering=9), data)
    yield "unknown interlacing", (ihdr(interlace=2), data)
    yield "no width", (ihdr(width=0), data)
    yield "no height", (ihdr(height=0), data)
    yield "neither", (ihdr(0, 0), data)
    for size in (2_000_000, 2**31 - 1, 2**31, 2**32 - 1):
        yield f"{size} wide", (ihdr(width=size, height=1), data)
        yield f"{size} high", (ihdr(width=1, height=size), data)
        yield f"{size} a side", (ihdr(size, size), data)
    yield "no palette", (ihdr(colour=3), data)
    yield "a palette of no whole colours", (ihdr(colour=3), chunk(b"PLTE", bytes(10)), data)
    yield "an empty palette", (ihdr(colour=3), chunk(b"PLTE"), data)
    yield "a palette of 300 colours", (ihdr(colour=3), chunk(b"PLTE", bytes(900)), data)


def _chunks():
    data, body = idat(), struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    yield "no picture", png(ihdr())
    yield "an empty picture", png(ihdr(), chunk(b"IDAT"))
    yield "a picture of rubbish", png(ihdr(), chunk(b"IDAT", bytes(range(256))))
    yield "not even a header", png(end=False)
    yield "only an end", png()
    yield "a header of 12 bytes", png(chunk(b"IHDR", body[:-1]), data)
    yield "a header that comes second", png(chunk(b"gAMA", bytes(4)), ihdr(), data)
    yield "the picture before its header", png(data, ihdr())
    yield "a wrong check sum of the header", png(chunk(b"IHDR", body, crc=1), data)
    yield "a wrong check sum of the picture", png(ihdr(), chunk(b"IDAT", data[8:-4], crc=1))
    yield "a picture that claims 4 GiB", png(ihdr(), chunk(b"IDAT", data[8:-4], size=2**32 - 1))
    yield "a header that claims 2 GiB", png(chunk(b"IHDR", body, size=2**31), data)
    yield "rows of an unknown filter", png(ihdr(), idat(rows(filtering=9)))
    yield "half the rows", png(ihdr(), idat(rows(HEIGHT // 2)))
    yield "no end, and half a picture", png(ihdr(), data[: len(data) // 2], end=False)
    yield "an unknown chunk that matters", png(ihdr(), chunk(b"XXXX", b"xx"), idat(rows(3)))
