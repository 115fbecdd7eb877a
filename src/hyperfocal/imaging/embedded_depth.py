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
from hyperfocal.imaging.planes import only_channel

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
_DIRECTORIES = 8
_DATA = re.compile(
    rb"GDepth:Data\s*(?:=\s*[\"']([A-Za-z0-9+/=\s&#;]+)[\"']|>([A-Za-z0-9+/=\s&#;]+)</GDepth:Data)"
)
_DIRECTORY = re.compile(rb"</?\w+:Directory(?:\s[^<>]*)?>")
_LENGTH, _PADDING = (
    re.compile(rb":" + called + rb"\s*(?:=\s*[\"']|>)\s*(\d{1,10})")
    for called in (b"Length", b"Padding")
)
_BLANK = re.compile(rb"\s+|&#x?[0-9A-Fa-f]{1,6};")
_NAME, _MAP = (
    re.compile(rb":" + called + rb"\s*(?:=\s*[\"']|>)\s*([^\"'<>\s]+)")
    for called in (b"DataURI", b"DepthURI")
)
_PROMISE = re.compile(rb"GDepth:\w|:DepthURI")
_AUXILIARY = re.compile(
    rb":AuxiliaryImageType\s*(?:=\s*[\"']|>)\s*[\w:./]*?(?:disparity|depth)\s*[\"'<]", re.IGNORECASE
)
_PNG = b"\x89PNG\r\n\x1a\n"

Plane = npt.NDArray[np.float32]


def of_jpeg(
    data: bytes, end: int | None, width: int, height: int, notes: list[str]
) -> Plane | None:
    """The map in a JPEG file, ``(h, w)`` float32 in levels, stored as the picture is; or None.

    ``end``: behind the picture, None where it lacks its end marker; ``width``, ``height``: of the
    picture as it is stored. A map that cannot be read costs a note, never the picture. One that is
    the same all over is none.
    """
    parts = _Parts(data)
    # An index or an extension that is damaged promises no map.
    extension = attempt(lambda: xmp_extension.joined(parts.packet, parts.chunks), [], "") or b""
    packets = [parts.packet, extension]
    said: list[str] = []
    for way in (
        lambda: _of_packet(packets),
        lambda: _listed(data, end, packets),
        lambda: _indexed(data, parts),
    ):
        if (found := attempt(way, said, UNREADABLE)) is not None:
            return _usable(found, width, height, notes)
    if said or _PROMISE.search(parts.packet):
        notes.append(UNREADABLE)
    return None


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
    return _grey(np.asarray(image))


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


def _of_packet(packets: list[bytes]) -> npt.NDArray[Any] | None:
    for packet in packets:
        if (coded := _DATA.search(packet)) is not None:
            # XML writers make references of line breaks in attributes; some leave out the padding.
            text = _BLANK.sub(b"", coded[1] or coded[2])
            return _decoded(base64.b64decode(text + b"=" * (-len(text) % 4)))
    return None


def _listed(data: bytes, end: int | None, packets: list[bytes]) -> npt.NDArray[Any] | None:
    """The picture that a directory of those behind the first calls the map.

    They lie one behind the other from the end of the first. Of no length is what lies where the one
    before it does.
    """
    named = next((found for found in map(_MAP.search, packets) if found is not None), None)
    if named is None:
        return None
    items = next((found for found in _directories(packets) if named[1] in dict(found)), None)
    if items is None:
        raise BrokenPicture("the map is in no directory of the file's pictures")
    lengths = [length for _, length in items]
    names = [name for name, _ in items]
    at = names.index(named[1])
    while at > 1 and not lengths[at]:
        at -= 1
    behind = sum(lengths[at:])
    starts = [len(data) - behind] if end is None else [end + sum(lengths[:at]), len(data) - behind]
    for start in starts:
        picture = data[start : start + lengths[at]] if start > 0 else b""
        if picture.startswith((SOI, _PNG)):
            return _decoded(picture)
    raise BrokenPicture("there is no picture where the map should be")


def _directories(packets: list[bytes]) -> Iterator[list[tuple[bytes, int]]]:
    """Names and bytes of the pictures behind the first, as each directory lists them."""
    for packet in packets:
        # Begins and ends alternate, and there are two or three directories at most.
        parts = _DIRECTORY.split(packet, 2 * _DIRECTORIES)[1::2]
        for part in parts:
            items = part.split(b"<rdf:li", _ENTRIES + 2)
            first, *further = items[1 : _ENTRIES + 2] or [b""]
            padding = _PADDING.search(first)
            listed = [(b"", int(padding[1]) if padding is not None else 0)]
            for item in further:
                name, length = _NAME.search(item), _LENGTH.search(item)
                listed.append((name[1] if name else b"", int(length[1]) if length else 0))
            yield listed


def _indexed(data: bytes, parts: _Parts) -> npt.NDArray[Any] | None:
    further = attempt(lambda: list(_pictures(parts.index, parts.base, len(data))), [], "") or []
    for start, end in dict.fromkeys(further):
        head = data[start : min(end, start + _HEAD)]
        if head.startswith(SOI) and _is_depth(head):
            return _decoded(data[start:end])
    return None


def _pictures(index: bytes, base: int, length: int) -> Iterator[tuple[int, int]]:
    """Where the further pictures of a multi-picture index begin and end in the file.

    ``base``: where its offsets count from; ``length``: of the file.
    """
    if not index:
        return
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(index[:4])
    if order is None or len(index) < 8:
        return
    (first,) = struct.unpack_from(order + "I", index, 4)
    (count,) = struct.unpack_from(order + "H", index, first)
    for number in range(min(count, _ENTRIES)):
        tag, _, size, at = struct.unpack_from(order + "HHII", index, first + 2 + 12 * number)
        if tag != 0xB002:
            continue
        # The first is the picture itself.
        for entry in range(1, min(size // 16, (len(index) - at) // 16, _ENTRIES)):
            _, bytes_there, offset = struct.unpack_from(order + "III", index, at + 16 * entry)
            if offset and base + offset + bytes_there <= length:
                yield base + offset, base + offset + bytes_there
        return


def _is_depth(head: bytes) -> bool:
    for marker, at, end in walk(head):
        if marker == SOS:
            break
        body = head[at + 4 : end]
        if marker == 0xE1 and body.startswith(XMP_PREFIX) and _AUXILIARY.search(body):
            return True
    return False


def _decoded(picture: bytes) -> npt.NDArray[Any]:
    """Grey levels of a small JPEG or PNG file."""
    if picture.startswith(SOI):
        import simplejpeg

        height, width, *_ = simplejpeg.decode_jpeg_header(picture)
        _check(width, height)
        return np.asarray(simplejpeg.decode_jpeg(picture, "GRAY"))[..., 0]
    if picture.startswith(_PNG) and len(picture) >= 24:
        import imagecodecs

        _check(*struct.unpack_from(">II", picture, 16))
        return _grey(np.asarray(imagecodecs.png_decode(picture)))
    raise BrokenPicture("neither JPEG nor PNG")


def _grey(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pixels.ndim == 2:
        return pixels
    found = only_channel(pixels[..., :3]) if pixels.shape[2] > 2 else pixels[..., 0]
    if found is None:
        raise BrokenPicture("it has colour")
    return found


def _check(width: int, height: int) -> None:
    if width * height > _PIXELS:
        raise TooLarge("larger than any phone measures")
