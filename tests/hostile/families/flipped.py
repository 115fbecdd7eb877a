"""Files with a few wrong bits."""

from __future__ import annotations

import numpy as np
from cases import PERHAPS, Case, family
from pictures import sound

_HEAD = 96
_EACH = 10


def families():
    """Bits anywhere in the head, in the parts of a PNG that have check sums, in signatures."""
    yield family("flipped in the head", _anywhere())
    yield family("flipped where there is a check sum", _checked())
    yield family("flipped in the signature", _signatures())


def _anywhere():
    rng = np.random.default_rng(41)
    for name, content in sound().items():
        for number in range(_EACH):
            at = rng.integers(4, min(_HEAD, len(content)), 1 + number % 3)
            yield Case(f"{name} {number}", _flip(content, at, rng), PERHAPS)


def _checked():
    rng = np.random.default_rng(42)
    for name in ("png", "png of grey", "png with a palette"):
        content = sound()[name]
        data = content.index(b"IDAT")
        for number in range(6):
            at = rng.integers(16, 33, 1) if number % 2 else rng.integers(data + 4, data + 200, 1)
            yield Case(f"{name} {number}", _flip(content, at, rng), frozenset({413, 422}))


def _signatures():
    rng = np.random.default_rng(43)
    for name in ("png", "jpeg", "gif", "webp", "bmp", "tiff"):
        content = sound()[name]
        yield Case(name, _flip(content, np.array([0, 1]), rng), frozenset({415, 422}))


def _flip(content: bytes, at: np.ndarray, rng: np.random.Generator) -> bytes:
    out = bytearray(content)
    for place in dict.fromkeys(at.tolist()):
        out[place] ^= 1 << int(rng.integers(8))
    return bytes(out)
