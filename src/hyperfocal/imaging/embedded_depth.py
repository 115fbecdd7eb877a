"""The depth map that a phone put into a JPEG or HEIC file.

In HEIC it is an auxiliary picture of that kind (ISO/IEC 23008-12). In JPEG three ways are read.
Google's of old: a picture in base64 as ``GDepth:Data`` of the XMP packet, which is so large that
it lies in the packet's extension (XMP Specification Part 3, 1.1.3.1; Depthmap Metadata, 2014).
Google's of today: the packet lists the pictures that follow the first, and names the map among
them (Dynamic Depth 1.0, 2019). Apple's: a further picture in the file, which the index of CIPA
DC-007 (Multi-Picture Format) leads to, and whose own XMP calls it an auxiliary image of depth or
disparity.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import BrokenPicture, TooLarge
from hyperfocal.imaging import orient, xmp_extension
from hyperfocal.imaging.guard import attempt
from hyperfocal.imaging.jpeg_walk import SOI, SOS, walk
from hyperfocal.imaging.picture import fits_picture

XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
XMP_MORE_PREFIX = b"http://ns.adobe.com/xmp/extension/\0"
MPF_PREFIX = b"MPF\0"
UNREADABLE = "the depth map in the file could not be read"
NOT_WRITTEN = "the depth map in the file is not written to the result"
OTHER_SIZE = "the depth map in the file has other proportions than the picture: not used"

# A map of so many holds more than any phone measures.
_PIXELS = 4_000_000
# Pictures that an index may name, of which files have two to five, and bytes of each in which it
# says what it is: garbage is walked through byte by byte.
_ENTRIES, _HEAD = 16, 200_000
_DATA = re.compile(
    rb"GDepth:Data\s*(?:=\s*[\"']([A-Za-z0-9+/=\s]+)[\"']|>([A-Za-z0-9+/=\s]+)</GDepth:Data)"
)
_LENGTH = re.compile(rb":Length\s*(?:=\s*[\"']|>)\s*(\d{1,10})")
_NAME, _MAP = (
    re.compile(rb":" + called + rb"\s*(?:=\s*[\"']|>)\s*([^\"'<>\s]+)")
    for called in (b"DataURI", b"DepthURI")
)
_PROMISE = re.compile(rb"GDepth:Data|:DepthURI")
_AUXILIARY = re.compile(
    rb":AuxiliaryImageType\s*(?:=\s*[\"']|>)\s*[\w:./]*?(?:disparity|depth)\s*[\"'<]", re.IGNORECASE
)
_PNG = b"\x89PNG\r\n\x1a\n"

Plane = npt.NDArray[np.float32]


def of_jpeg(data: bytes, width: int, height: int, notes: list[str]) -> Plane | None:
    """The map in a JPEG file, ``(h, w)`` float32 in levels, stored as the picture is; or None.

    ``width``, ``height``: of the picture as it is stored. A map that cannot be read costs a note,
    never the picture. One that is the same all over is none.
    """
    parts = _Parts(data)
    if not (parts.chunks or parts.index or _PROMISE.search(parts.packet)):
        return None
    return _usable(attempt(lambda: _found(data, parts), notes, UNREADABLE), width, height, notes)


def of_heic(
    image: Any, width: int, height: int, orientation: int, notes: list[str]
) -> Plane | None:
    """The same of a HEIC file, upright; the first where there are several.

    ``image``: pillow-heif's; ``width``, ``height``: of the picture as it is seen; ``orientation``:
    the EXIF number of how a map is to be turned that has no such properties of its own.
    """
    images = image.info.get("depth_images")
    if not images:
        return None
    found = attempt(lambda: _of_heif(images[0]), notes, UNREADABLE)
    if found is not None:
        found = orient.upright(found, orientation)
    return _usable(found, width, height, notes)


def _usable(
    found: npt.NDArray[Any] | None, width: int, height: int, notes: list[str]
) -> Plane | None:
    if found is None or found.min() == found.max():
        return None
    if not fits_picture(found.shape, height, width):
        notes.append(OTHER_SIZE)
        return None
    notes.append(NOT_WRITTEN)
    return found.astype(np.float32)


def _of_heif(image: Any) -> npt.NDArray[Any]:
    _check(*image.size)
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 2 else pixels[..., 0]


class _Parts:
    """Of the segments before the first scan those that may lead to a map."""

    def __init__(self, data: bytes) -> None:
        self.packet, self.index, self.base = b"", b"", 0
        self.chunks: list[bytes] = []
        for marker, at, end in walk(data):
            body = data[at + 4 : end] if marker in (0xE1, 0xE2) else b""
            if body.startswith(XMP_PREFIX):
                self.packet = body[len(XMP_PREFIX) :]
            elif body.startswith(XMP_MORE_PREFIX):
                self.chunks.append(body[len(XMP_MORE_PREFIX) :])
            elif body.startswith(MPF_PREFIX) and not self.index:
                self.index, self.base = body[len(MPF_PREFIX) :], at + 4 + len(MPF_PREFIX)


def _found(data: bytes, parts: _Parts) -> npt.NDArray[Any] | None:
    for packet in (parts.packet, xmp_extension.joined(parts.packet, parts.chunks)):
        if (coded := _DATA.search(packet)) is not None:
            return _decoded(base64.b64decode(coded[1] or coded[2]))
        if (named := _MAP.search(packet)) is not None:
            return _decoded(_listed(data, packet, named[1]))
    for start, end in _pictures(parts.index, parts.base, len(data)):
        head = data[start : min(end, start + _HEAD)]
        if head.startswith(SOI) and _is_depth(head):
            return _decoded(data[start:end])
    return None


def _listed(data: bytes, packet: bytes, name: bytes) -> bytes:
    """What the packet's directory of further pictures calls so.

    They lie one behind the other up to the end of the file, and one of no length is the one
    before it.
    """
    _, _, directory = packet.partition(b"Directory>")
    items = directory.partition(b"Directory>")[0].split(b"<rdf:li", _ENTRIES + 2)[2 : _ENTRIES + 2]
    end = len(data)
    ends: list[tuple[int, int]] = []
    for item in reversed(items):
        length = _LENGTH.search(item)
        ends.append((end, int(length[1]) if length is not None else 0))
        end -= ends[-1][1]
    found = b""
    for item, (end, length_there) in zip(items, reversed(ends), strict=False):
        if length_there:
            found = data[end - length_there : end] if length_there < end else b""
        called = _NAME.search(item)
        if called is not None and called[1] == name:
            return found
    raise BrokenPicture("the map is not in the directory of the file's pictures")


def _pictures(index: bytes, base: int, length: int) -> Iterator[tuple[int, int]]:
    """Where the further pictures of a multi-picture index begin and end in the file.

    ``base``: where its offsets count from; ``length``: of the file.
    """
    if not index:
        return
    order = {b"II*\0": "<", b"MM\0*": ">"}[index[:4]]
    (first,) = struct.unpack_from(order + "I", index, 4)
    (count,) = struct.unpack_from(order + "H", index, first)
    for number in range(min(count, _ENTRIES)):
        tag, _, size, at = struct.unpack_from(order + "HHII", index, first + 2 + 12 * number)
        if tag != 0xB002:
            continue
        # The first is the picture itself.
        for entry in range(1, min(size // 16, _ENTRIES)):
            _, bytes_there, offset = struct.unpack_from(order + "III", index, at + 16 * entry)
            if offset and base + offset + bytes_there <= length:
                yield base + offset, base + offset + bytes_there


def _is_depth(head: bytes) -> bool:
    for marker, at, end in walk(head):
        if marker == SOS:
            break
        body = head[at + 4 : end]
        if marker == 0xE1 and body.startswith(XMP_PREFIX) and _AUXILIARY.search(body):
            return True
    return False


def _decoded(picture: bytes) -> npt.NDArray[Any]:
    """Grey levels of a small JPEG or PNG file; of colour, whose channels are alike, one."""
    if picture.startswith(SOI):
        import simplejpeg

        height, width, *_ = simplejpeg.decode_jpeg_header(picture)
        _check(width, height)
        return np.asarray(simplejpeg.decode_jpeg(picture, "GRAY"))[..., 0]
    if picture.startswith(_PNG) and len(picture) >= 24:
        import imagecodecs

        _check(*struct.unpack_from(">II", picture, 16))
        pixels = np.asarray(imagecodecs.png_decode(picture))
        return pixels if pixels.ndim == 2 else pixels[..., 0]
    raise BrokenPicture("neither JPEG nor PNG")


def _check(width: int, height: int) -> None:
    if width * height > _PIXELS:
        raise TooLarge("larger than any phone measures")
