"""Which directory of a TIFF file holds its picture, and which files are a camera's raw data.

TIFF 6.0 (Adobe, 1992); TIFF/EP (ISO 12234-2); DNG 1.7 (Adobe, 2023), chapter 4. Raw files of most
cameras are TIFF files whose first directory is a small preview, which must not pass for the
photograph.
"""

from __future__ import annotations

from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

from hyperfocal.errors import UnknownFormat
from hyperfocal.imaging import ifd

_SUBFILE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 262, 330, 50706
# Bits of NewSubfileType: a reduced copy of another page, and a mask of one.
_REDUCED, _MASK = 1, 4
# The colour filter array of a sensor, and the same interpolated but not developed.
_RAW = {32803, 34892}
_CANON = b"CR"
# No one honest chains more pages; counting on would only cost time.
_MOST_PAGES = 100_000
# Cameras have a handful, pyramids as many as a number can be halved.
_MOST_SUB_IFDS = 32


class Page(NamedTuple):
    """Where the picture's directory lies, and how many pictures are chained in the file."""

    offset: int
    pictures: int


class _Kind(NamedTuple):
    """What a directory says of itself. ``whole``: neither a reduced copy nor a mask.

    ``size``: bytes of its table of fields.
    """

    offset: int
    whole: bool
    raw: bool
    size: int


def picture_page(data: bytes, where: ifd.Layout) -> Page:
    """The first page that is no reduced copy, in the chain or else below the first page.

    A file of nothing but reduced copies gives the first. UnknownFormat for camera raw files and
    where the picture itself cannot be found; ValueError where the first directory is damaged.
    """
    chain, below, has_below = _directories(data, where)
    if _is_raw(data, where, chain, below):
        raise UnknownFormat("a camera raw file: develop it first")
    pictures = [kind for kind in chain if kind.whole]
    if pictures:
        return Page(pictures[0].offset, len(pictures))
    hidden = [kind for kind in below if kind.whole]
    if hidden:
        return Page(hidden[0].offset, 1)
    if has_below:
        raise UnknownFormat("a TIFF that holds only a reduced copy of its picture is not read")
    return Page(where.first, len(chain))


def is_camera_raw(path: Path) -> bool:
    """Whether a TIFF file is one of a camera's raw data; no more than its directories is read.

    False where that cannot be told. May raise OSError.
    """
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        try:
            where = ifd.layout(data)
            chain, below, _ = _directories(data, where)
        except ValueError:
            return False
        return _is_raw(data, where, chain, below)


def _is_raw(data: bytes | mmap, where: ifd.Layout, chain: list[_Kind], below: list[_Kind]) -> bool:
    if not where.big and data[8:10] == _CANON:
        return True
    if any(kind.raw for kind in (*chain, *below)):
        return True
    # DNG files whose first page is the whole, developed picture are pictures as any other.
    return not chain[0].whole and _find(data, where, where.first, _DNG_VERSION) is not None


def _directories(data: bytes | mmap, where: ifd.Layout) -> tuple[list[_Kind], list[_Kind], bool]:
    """The chained directories, those below the first, and whether it names any below it.

    Loops and damage end the chain, and so do directories that lie over each other: those of one
    chain have no more bytes than the file. ValueError where the first directory cannot be read.
    """
    first, following = _kind(data, where, where.first)
    chain, seen = [first], {where.first}
    left = len(data) - first.size
    while following and following not in seen and len(chain) <= _MOST_PAGES and left > 0:
        seen.add(following)
        try:
            kind, following = _kind(data, where, following)
        except ValueError:
            break
        left -= kind.size
        chain.append(kind)
    pointers = _integers(data, where, where.first, _SUB_IFDS)
    below = []
    for offset in pointers[:_MOST_SUB_IFDS]:
        try:
            below.append(_kind(data, where, offset)[0])
        except ValueError:
            continue
    return chain, below, bool(pointers)


def _kind(data: bytes | mmap, where: ifd.Layout, offset: int) -> tuple[_Kind, int]:
    """What the directory at ``offset`` is, and where the next one lies."""
    found, following, end = ifd.entries(data, where, offset, only=(_SUBFILE, _PHOTOMETRIC))
    values = {entry.tag: entry for entry in found}
    subfile, photometric = (
        ifd.integers(data, where, values[tag])[:1] if tag in values else ()
        for tag in (_SUBFILE, _PHOTOMETRIC)
    )
    whole = not subfile or not subfile[0] & (_REDUCED | _MASK)
    raw = bool(photometric) and photometric[0] in _RAW
    return _Kind(offset, whole, raw, end - offset), following


def _find(data: bytes | mmap, where: ifd.Layout, offset: int, tag: int) -> ifd.Entry | None:
    found = ifd.entries(data, where, offset, only=(tag,))[0]
    return next((one for one in found if one.tag == tag), None)


def _integers(data: bytes | mmap, where: ifd.Layout, offset: int, tag: int) -> tuple[int, ...]:
    entry = _find(data, where, offset, tag)
    return ifd.integers(data, where, entry) if entry is not None else ()
