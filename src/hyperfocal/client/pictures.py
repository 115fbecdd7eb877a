"""Pictures on their way to the service: what was given, as bytes of a file."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from hyperfocal.errors import InputMissing, UsageError
from hyperfocal.imaging.content import HEAD, sniff

if TYPE_CHECKING:
    from hyperfocal.imaging.picture import Picture


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture file that can be sent more than once. ``source``: a path or the bytes."""

    source: Path | bytes

    def open(self) -> BinaryIO:
        """The bytes from their beginning; to be closed. :class:`InputMissing` if unreadable."""
        if isinstance(self.source, bytes):
            return io.BytesIO(self.source)
        try:
            return self.source.open("rb")
        except OSError as error:
            raise InputMissing(f"{self.source}: {error.strerror or error}") from error
        except ValueError as error:
            # A null byte.
            raise InputMissing(f"{str(self.source)!r}: no possible file name") from error

    def media_type(self) -> str:
        """By the content; what is unknown goes as it is and is refused by the service."""
        with self.open() as file:
            form = sniff(file.read(HEAD))
        return "application/octet-stream" if form is None else f"image/{form}"

    def name(self) -> str:
        """The file's name without its folders, "image" for bytes; "?" for what is no text."""
        if isinstance(self.source, bytes):
            return "image"
        return self.source.name.encode("utf-8", "replace").decode("utf-8")


def upload_of(picture: object) -> Upload:
    """Take a path (str or Path), bytes of a picture file, an open binary file, a Pillow image,
    or an array ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` of uint8, uint16 or floats in [0, 1].

    Images and arrays are sent without loss, as what ``hyperfocal.upscale`` takes them for.
    :class:`UsageError` for anything else.
    """
    if isinstance(picture, Upload):
        return picture
    if isinstance(picture, str | os.PathLike):
        return Upload(Path(picture))
    if isinstance(picture, bytes | bytearray | memoryview):
        return Upload(bytes(picture))
    if _is_pil(picture):
        from hyperfocal import imaging

        return Upload(_encode(imaging.from_pil(cast(Any, picture))))
    if _is_array(picture):
        from hyperfocal import imaging

        return Upload(_encode(imaging.from_array(cast(Any, picture))))
    read = getattr(picture, "read", None)
    if callable(read):
        try:
            data = read()
        except (OSError, ValueError) as error:
            raise InputMissing(f"the file given cannot be read: {error}") from error
        if isinstance(data, bytes):
            return Upload(data)
    raise UsageError(
        f"a {type(picture).__name__} is no picture; give a path, bytes, a binary file, "
        "a Pillow image or an array"
    )


def upload_of_depth(depth: object) -> Upload:
    """Take a depth map: what :func:`upload_of` takes, but an array ``(h, w)`` of any numbers.

    :class:`UsageError` or :class:`ArrayError` for what is none.
    """
    if not _is_array(depth) or _is_pil(depth):
        return upload_of(depth)
    import numpy as np

    from hyperfocal.depth.given import read_map
    from hyperfocal.imaging.picture import Picture

    # Floats, since metres are no brightness; a picture of them keeps their order.
    return Upload(_encode(Picture(read_map(np.asarray(depth)))))


def _is_pil(picture: object) -> bool:
    """Without importing Pillow: where it is not imported, nobody has an image of it."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(picture, module.Image)


def _is_array(picture: object) -> bool:
    """Of numpy, or whatever numpy can take without copying (torch tensors on the CPU, say)."""
    return hasattr(picture, "__array_interface__") or hasattr(picture, "__array__")


def _encode(picture: Picture) -> bytes:
    from hyperfocal import imaging

    return imaging.encode(picture, "tiff" if picture.pixels.dtype.kind == "f" else "png")
