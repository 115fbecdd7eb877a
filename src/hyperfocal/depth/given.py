"""A depth map that somebody gives: a grey picture file, or an array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.depth.filters import Plane, nearest
from hyperfocal.errors import ArrayError, UsageError
from hyperfocal.imaging.picture import NOT_FINITE, Picture, check_depth_map, fits_picture
from hyperfocal.imaging.planes import only_channel
from hyperfocal.settings import Settings

# More than is made use of, and of a preview's part in a large picture still enough.
_PIXELS = 4_000_000
# Of integers in a file, as deep as pictures are kept.
_BITS = 16


def read_map(
    source: object, settings: Settings | None = None, *, size: tuple[int, int] | None = None
) -> Plane:
    """A finite ``(h, w)`` float32 map; only the order of its values will count.

    Of a map of more than four million pixels some are left out, so that it takes little memory.

    ``source``: a path or the bytes of a grey picture file (or one whose channels are alike) of any
    depth, a :class:`Picture` like that, or an array ``(h, w)`` of integers or floats.
    :class:`UsageError` for what has colour or is none of these, :class:`ArrayError` for an array
    of another shape or with values that are not finite, :class:`InputError` for a file that
    cannot be read. ``size``: ``(height, width)`` of the picture that it is the map of;
    :class:`UsageError` where that has other proportions.
    """
    if isinstance(source, np.ndarray):
        return _checked(source, size)
    if isinstance(source, str | Path | bytes):
        from hyperfocal import imaging

        facts = imaging.inspect(source, settings=settings)
        if facts.bit_depth > _BITS and not facts.is_float:
            # They would be reduced, and a map of millimetres might be the same all over then.
            raise UsageError(
                f"a depth map of {facts.bit_depth}-bit integers is not read; store them as floats, "
                f"or as integers of {_BITS} bits"
            )
        source = imaging.open(source, settings=settings)
    if not isinstance(source, Picture):
        raise UsageError(
            f"a {type(source).__name__} is no depth map; give a path, bytes, an array or a Picture"
        )
    pixels: npt.NDArray[Any] = source.pixels
    if pixels.ndim == 3:
        alike = only_channel(pixels)
        if alike is None:
            raise UsageError("a depth map is a grey picture, and this one has colour")
        pixels = alike
    return _checked(pixels, size)


def check_belongs(shape: tuple[int, ...], height: int, width: int) -> None:
    """:class:`UsageError` where a map of that ``(h, w)`` has other proportions than a picture."""
    rows, columns = shape
    if not fits_picture(shape, height, width):
        raise UsageError(
            f"the depth map ({columns}x{rows}) has other proportions than the picture "
            f"({width}x{height})"
        )


def cut_map(depth_map: Plane, crop: tuple[int, int, int, int], height: int, width: int) -> Plane:
    """The part of a map that shows ``(x, y, width, height)`` of a picture of ``height`` rows.

    ``crop`` lies inside the picture. The part has as many samples as the map has there, at least
    one, each from where the map has it.
    """
    x, y, across, down = crop
    rows = _within(y, down, height, depth_map.shape[0])
    columns = _within(x, across, width, depth_map.shape[1])
    return depth_map[rows][:, columns]


def _within(start: int, length: int, whole: int, samples: int) -> npt.NDArray[np.intp]:
    """Of that many samples along ``whole`` pixels, those along ``length`` of them."""
    many = max(round(length * samples / whole), 1)
    centres = start + (np.arange(many) + 0.5) * (length / many)
    return (centres * (samples / whole)).astype(np.intp)


def _checked(plane: npt.NDArray[Any], size: tuple[int, int] | None) -> Plane:
    if plane.dtype.kind not in "uif":
        raise UsageError(f"a depth map holds numbers, not {plane.dtype}")
    if size is not None and plane.ndim == 2 and plane.size:
        check_belongs(plane.shape, *size)
    plane = _thinned(plane)
    # What float32 cannot hold becomes infinite, and is told as that.
    with np.errstate(over="ignore"):
        found = plane.astype(np.float32, copy=False)
    check_depth_map(found)
    return found


def _thinned(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """As it is, or with rows and columns left out; what is not finite is not lost by that."""
    if plane.ndim != 2 or plane.size <= _PIXELS:
        return plane
    ends = plane.min(), plane.max()
    if not np.isfinite(ends).all():
        raise ArrayError(NOT_FINITE)
    shrink = (plane.size / _PIXELS) ** 0.5
    rows, columns = (nearest(max(int(length / shrink), 1), length) for length in plane.shape)
    return plane[rows][:, columns]
