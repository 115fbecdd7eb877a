"""Whether a picture that came is one of its format, and all of it. Nothing is decoded.

Where a proxy takes the length of an answer away, a connection that broke off looks like the
answer's end; only the picture itself can tell.
"""

from __future__ import annotations

from collections.abc import Callable
from mmap import ACCESS_READ, mmap
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from hyperfocal.client.errors import StrangeAnswer, Unreachable
from hyperfocal.imaging import ifd
from hyperfocal.imaging.content import HEAD, sniff
from hyperfocal.imaging.formats import FORMATS

Data = bytes | mmap

# As far from the end of a file as the end of a picture is looked for.
_PADDED = 4096


def check_whole(data: Data, media_type: str) -> None:
    """:class:`StrangeAnswer` for what is no picture of the media type that it came under.

    :class:`Unreachable` where its end is missing. A media type that is not known here is believed.
    """
    form = next((form for form in FORMATS.values() if form.media_type == media_type), None)
    if form is None:
        return
    if sniff(data[:HEAD]) != form.name:
        raise StrangeAnswer(f"a {form.label} was promised, and what came is none")
    if not _IS_WHOLE[form.name](data):
        raise Unreachable(f"the connection broke off: the end of the {form.label} is missing")


def check_whole_file(file: BinaryIO, media_type: str) -> None:
    """The same of an open file that has just been written; of a device that cannot be read, not."""
    if not file.readable():
        return
    mapped = _mapped(file)
    if mapped is None:
        file.seek(0)
        check_whole(file.read(), media_type)
        return
    with mapped:
        check_whole(mapped, media_type)


def _mapped(file: BinaryIO) -> mmap | None:
    """None for what is still in memory, on its way to a pipe, and where files cannot be mapped."""
    # Asked for a handle, it would become a file, of a disk that may have no room.
    if isinstance(file, SpooledTemporaryFile) and not getattr(file, "_rolled", True):
        return None
    file.flush()
    try:
        return mmap(file.fileno(), 0, access=ACCESS_READ)
    except OSError:
        return None


def _ends_with(end: bytes) -> Callable[[Data], bool]:
    """Padding and line ends that somebody on the way has added are no matter."""
    return lambda data: bytes(data[-_PADDED:]).rstrip(b"\0\r\n ").endswith(end)


def _is_as_long(at: int, more: int) -> Callable[[Data], bool]:
    """Four bytes at ``at`` say how much there is, but for ``more`` bytes."""
    return lambda data: int.from_bytes(data[at : at + 4], "little") + more <= len(data)


def _is_boxes(data: Data) -> bool:
    """Whether the last box ends where the file does (ISO/IEC 14496-12, 4.2), and one has pixels."""
    at, pixels = 0, False
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        pixels |= kind == b"mdat"
        if size == 0:
            # It goes on to the end, wherever that is.
            return pixels
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        at += max(size, 8)
    return pixels and at == len(data)


def _is_directory(data: Data) -> bool:
    """Whether the first directory and what it points to are there; the service writes it last."""
    try:
        where = ifd.layout(data)
        # It only takes slices.
        return not ifd.is_cut(cast("bytes", data), where, where.first)
    except ValueError:
        return False


_IS_WHOLE: dict[str, Callable[[Data], bool]] = {
    "jpeg": _ends_with(b"\xff\xd9"),
    "png": _ends_with(b"\0\0\0\0IEND\xaeB`\x82"),
    "gif": _ends_with(b"\0;"),
    "webp": _is_as_long(4, 8),
    "bmp": _is_as_long(2, 0),
    "avif": _is_boxes,
    "heic": _is_boxes,
    "tiff": _is_directory,
}
