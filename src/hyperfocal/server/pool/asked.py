"""What a request asks for, checked before any work is done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hyperfocal.errors import OutputRefused, UsageError
from hyperfocal.server.pool.task import Options, Task

if TYPE_CHECKING:
    from hyperfocal.imaging import Picture
    from hyperfocal.restore import Target

PREVIEW_SIDE = 512
"""Side in input pixels of the largest crop that a preview shows."""


def target_of(options: Options) -> Target:
    """The size asked for; :class:`UsageError`."""
    from hyperfocal.restore import Target

    return Target(**sizes(options))


def sizes(options: Options) -> dict[str, Any]:
    """The same as keyword arguments of an upscaler's call."""
    return {
        "scale": options.scale,
        "size": options.size,
        "long_edge": options.long_edge,
        "megapixels": options.megapixels,
    }


def format_of(options: Options, source: str) -> str:
    """What to write; ``source``: the format of the input. :class:`UsageError`."""
    from hyperfocal.imaging import WRITABLE
    from hyperfocal.imaging.formats import written_format

    if options.format is None:
        return source if source in WRITABLE else "png"
    try:
        return written_format(options.format).name
    except OutputRefused as error:
        raise UsageError(str(error)) from error


def check_writable(options: Options, form: str, width: int, height: int) -> None:
    """Told before the work, and as what it is here: a request that cannot be met."""
    from hyperfocal import imaging

    try:
        imaging.check_fits(form, width, height, options.bit_depth)
    except OutputRefused as error:
        raise UsageError(str(error)) from error
    if options.quality is not None and not 0 <= options.quality <= 100:
        raise UsageError(f"quality is a number from 0 to 100, not {options.quality}")


def crop_of(task: Task, width: int, height: int) -> tuple[int, int, int, int] | None:
    """``(x, y, width, height)`` of what is wanted of a picture; None for all of it."""
    crop = task.options.crop
    if crop is None:
        if task.kind != "preview":
            return None
        across, down = min(width, PREVIEW_SIDE), min(height, PREVIEW_SIDE)
        return (width - across) // 2, (height - down) // 2, across, down
    x, y, across, down = crop
    if min(across, down) < 1 or min(x, y) < 0 or x + across > width or y + down > height:
        raise UsageError(
            f"the crop {across}x{down} at ({x}, {y}) does not lie inside the picture of"
            f" {width}x{height}"
        )
    if task.kind == "preview" and max(across, down) > PREVIEW_SIDE:
        raise UsageError(
            f"a preview shows {PREVIEW_SIDE}x{PREVIEW_SIDE} pixels at most, not {across}x{down}"
        )
    return x, y, across, down


def cropped(picture: Picture, crop: tuple[int, int, int, int]) -> Picture:
    """``(x, y, width, height)`` of a picture."""
    from hyperfocal.depth.given import cut_map
    from hyperfocal.imaging import exif, geo

    x, y, across, down = crop
    window = slice(y, y + down), slice(x, x + across)
    alpha = None if picture.alpha is None else picture.alpha[window].copy()
    depth_map = picture.depth_map
    if depth_map is not None:
        depth_map = cut_map(depth_map, crop, picture.height, picture.width)
    # What is in pixels is of the cut from here on.
    metadata = replace(picture.metadata, size=(across, down))
    if metadata.exif is not None:
        # Damaged EXIF has been told, and dropped, by then.
        metadata = replace(metadata, exif=exif.cut(metadata.exif, x, y))
    if metadata.geo is not None:
        metadata = replace(metadata, geo=geo.cut(metadata.geo, x, y, across, down))
    # Copies, so that the whole picture need not be kept.
    pixels = picture.pixels[window].copy()
    return replace(picture, pixels=pixels, alpha=alpha, metadata=metadata, depth_map=depth_map)
