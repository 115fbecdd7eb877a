"""Encoding a picture, and putting it where it should go."""

from __future__ import annotations

import os
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from hyperfocal.errors import HyperfocalError, OutputRefused, UsageError
from hyperfocal.imaging.atomic import refusal, write_file
from hyperfocal.imaging.formats import WRITABLE, format_of_suffix
from hyperfocal.imaging.guard import is_hosts
from hyperfocal.imaging.picture import Picture
from hyperfocal.imaging.plan import Plan, make_plan

_MODULES = {"webp": "write_pillow", "gif": "write_pillow"}


def encode(
    picture: Picture,
    format: str,
    *,
    quality: int | None = None,
    bit_depth: int | None = None,
    strip_metadata: bool = False,
) -> bytes:
    """The file that holds ``picture`` in ``format`` (``"png"``, ``"jpg"``, ``".tif"``).

    ``quality``: 0 to 100; lossless formats do not use it. Left out, JPEG is written with 95 and
    all colour samples, AVIF with 90, HEIC with 90, WebP without loss when the picture comes from
    a lossless format and with 92 otherwise. ``bit_depth``: 8, 10, 12, 16 or 32 (float); left
    out, the picture's, or the deepest that the format has. Alpha and grey of more than 8 bits
    go into AVIF without loss, whatever the quality. ``strip_metadata`` drops EXIF, XMP and IPTC
    but keeps the colour profile and the resolution. What is lost on the way is told by
    :func:`conversions`. OutputRefused when the format cannot hold the picture.
    """
    plan = make_plan(
        picture, format, quality=quality, bit_depth=bit_depth, strip_metadata=strip_metadata
    )
    sink = BytesIO()
    _write(plan, sink)
    return sink.getvalue()


def save(
    picture: Picture,
    target: str | Path | BinaryIO,
    *,
    format: str | None = None,
    quality: int | None = None,
    bit_depth: int | None = None,
    strip_metadata: bool = False,
    overwrite: bool = True,
    durable: bool = True,
) -> None:
    """Encode as :func:`encode` does and write to a path or a binary file object.

    ``format``: by the path's suffix when left out. A file appears under its name only when it
    is whole; a failure leaves what was there before. ``durable``: the same holds for a power cut,
    so the disk is waited for. Raises OutputExists or OutputRefused.
    """
    if hasattr(target, "write"):
        if format is None:
            raise UsageError("name the format when writing to a file object")
        data = encode(picture, format, quality=quality, bit_depth=bit_depth,
                      strip_metadata=strip_metadata)  # fmt: skip
        try:
            target.write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise refusal(getattr(target, "name", "the stream"), error) from error
        return
    if not isinstance(target, (str, os.PathLike)):
        raise UsageError(f"a target is a path or a file object, not {type(target).__name__}")
    plan = make_plan(
        picture,
        format_for(target, format),
        quality=quality,
        bit_depth=bit_depth,
        strip_metadata=strip_metadata,
    )
    write_file(Path(target), lambda sink: _write(plan, sink), overwrite=overwrite, durable=durable)


def format_for(target: str | Path, format: str | None = None) -> str:
    """The format asked for, else that of the path's suffix; OutputRefused where it has none."""
    name = format or format_of_suffix(target)
    if name is None:
        raise OutputRefused(
            f"{target}: the suffix names no format that can be written"
            f" ({', '.join(WRITABLE)}); name the format"
        )
    return name


def _write(plan: Plan, sink: BinaryIO) -> None:
    form = plan.format
    module = import_module(f"hyperfocal.imaging.{_MODULES.get(form.name, 'write_' + form.name)}")
    try:
        module.write(plan, sink)
    except (HyperfocalError, OSError):
        raise
    except MemoryError as error:
        raise OutputRefused(f"not enough memory to encode {form.label}") from error
    except Exception as error:
        if is_hosts(error):
            raise
        raise OutputRefused(f"{form.label} cannot hold this picture: {error}") from error
