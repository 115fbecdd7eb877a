"""Where on Earth a picture lies, as TIFF tells it: OGC GeoTIFF 1.1 (19-008r4).

The fields tie places of the raster to places of a model, so that a raster of another size needs
other numbers. Coordinates of the raster begin at its corner where pixels are areas, and in the
middle of the first pixel where they are points.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from hyperfocal.imaging import ifd

UNCLEAR = "georeferencing (GeoTIFF) cannot be understood and was dropped"
OF_PILLOW = "georeferencing (GeoTIFF) of a Pillow image was dropped"
TURNED = "georeferencing (GeoTIFF) was dropped, because the picture was turned upright"

_PIXEL_SCALE, _TIEPOINTS, _TRANSFORMATION = 33550, 33922, 34264
_KEYS, _NUMBERS_OF_KEYS, _TEXTS_OF_KEYS = 34735, 34736, 34737
# How many doubles each holds, or a multiple of that.
_DOUBLES = {_PIXEL_SCALE: 3, _TIEPOINTS: 6, _TRANSFORMATION: 16}
_DOUBLE = 12
# True of the raster that was read: band statistics and offsets, the sample that stands for no
# data, and a camera's rational polynomials of rows and columns.
_OTHERS = {
    42112: "GDAL's metadata were dropped",
    42113: "GDAL's value for no data was dropped: such pixels are restored as any others",
    50844: "rational polynomial coefficients (RPC) were dropped",
}
TAGS = (*_DOUBLES, _KEYS, _NUMBERS_OF_KEYS, _TEXTS_OF_KEYS, *_OTHERS)
_RASTER_TYPE = 1025
# Where nothing is said, or that it is not known, areas are meant (annex D, and every reader).
_UNKNOWN, _AREA, _POINT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Georeference:
    """``fields``: tag, type and little-endian value of each; ``width`` and ``height``: of the
    raster that they are about.
    """

    fields: tuple[tuple[int, int, bytes], ...]
    width: int
    height: int


def read(main: ifd.Directory, width: int, height: int) -> Georeference | None:
    """What the directory of a picture of that size says, or None.

    ValueError where it cannot be understood, so that it could not be kept true either.
    """
    found = tuple(
        (tag, main.fields[tag].type, main.fields[tag].data)
        for tag in (*_DOUBLES, _KEYS, _NUMBERS_OF_KEYS, _TEXTS_OF_KEYS)
        if tag in main.fields
    )
    for tag, kind, data in found:
        unit = _DOUBLES.get(tag)
        if unit is None:
            continue
        count = len(data) // 8
        too_many = tag != _TIEPOINTS and count != unit
        if kind != _DOUBLE or not count or count % unit or too_many:
            raise ValueError(f"field {tag} does not hold what it should")
        if not all(map(math.isfinite, _doubles(data))):
            raise ValueError(f"field {tag} holds what is no number")
    if any(tag in _DOUBLES for tag, _, _ in found):
        _raster_type(main)
    return Georeference(found, width, height) if found else None


def dropped(main: ifd.Directory) -> list[str]:
    """What else such files say of their raster and is not kept, as notes."""
    return [said for tag, said in _OTHERS.items() if tag in main.fields and main.fields[tag].data]


def resized(geo: Georeference, width: int, height: int) -> Georeference:
    """The same place for the raster enlarged or reduced to another size, whose edges stay."""
    if (width, height) == (geo.width, geo.height):
        return geo
    across, down = width / geo.width, height / geo.height
    middle = any(tag in _DOUBLES for tag, _, _ in geo.fields) and _is_point(geo)

    def change(tag: int, values: list[float]) -> None:
        if tag == _PIXEL_SCALE:
            values[0], values[1] = values[0] / across, values[1] / down
        elif tag == _TIEPOINTS:
            for at in range(0, len(values), 6):
                values[at] = _moved(values[at], across, middle)
                values[at + 1] = _moved(values[at + 1], down, middle)
        else:
            _transform(values, across, down, middle)

    return Georeference(_changed(geo, change), width, height)


def cut(geo: Georeference, left: int, top: int, width: int, height: int) -> Georeference:
    """Of a part of the raster, whose upper left corner lies ``left`` and ``top`` inside it."""

    def change(tag: int, values: list[float]) -> None:
        if tag == _TIEPOINTS:
            for at in range(0, len(values), 6):
                values[at], values[at + 1] = values[at] - left, values[at + 1] - top
        elif tag == _TRANSFORMATION:
            for row in range(0, 16, 4):
                values[row + 3] += values[row] * left + values[row + 1] * top

    return Georeference(_changed(geo, change), width, height)


def _changed(
    geo: Georeference, change: Callable[[int, list[float]], None]
) -> tuple[tuple[int, int, bytes], ...]:
    """The fields, those of doubles changed in place by their tag."""
    fields = []
    for tag, kind, data in geo.fields:
        if tag in _DOUBLES:
            values = _doubles(data)
            change(tag, values)
            data = struct.pack(f"<{len(values)}d", *values)
        fields.append((tag, kind, data))
    return tuple(fields)


def _moved(place: float, factor: float, middle: bool) -> float:
    """A coordinate of the raster, of the larger one."""
    return (place + 0.5) * factor - 0.5 if middle else place * factor


def _transform(matrix: list[float], across: float, down: float, middle: bool) -> None:
    """Rows of four: what column, row, depth and 1 are multiplied by."""
    for row in range(0, 16, 4):
        # The old coordinate of what is 0 in the new raster.
        first, second = (_moved(0.0, 1 / factor, middle) for factor in (across, down))
        matrix[row + 3] += matrix[row] * first + matrix[row + 1] * second
        matrix[row] /= across
        matrix[row + 1] /= down


def _is_point(geo: Georeference) -> bool:
    main = ifd.Directory({tag: ifd.Field(kind, data) for tag, kind, data in geo.fields})
    return _raster_type(main) == _POINT


def _raster_type(main: ifd.Directory) -> int:
    """ValueError where it is one that only its writer knows."""
    if _KEYS not in main.fields:
        return _AREA
    keys = main.integers(_KEYS)
    if len(keys) < 4 or len(keys) < 4 + 4 * keys[3]:
        raise ValueError("the directory of keys is cut short")
    found = _UNKNOWN
    for at in range(4, 4 + 4 * keys[3], 4):
        key, where, _, value = keys[at : at + 4]
        if key == _RASTER_TYPE and where == 0:
            found = value
    if found not in (_UNKNOWN, _AREA, _POINT):
        raise ValueError(f"what a pixel of type {found} is cannot be known")
    return found or _AREA


def _doubles(data: bytes) -> list[float]:
    count = len(data) // 8
    return list(struct.unpack(f"<{count}d", data[: 8 * count]))
