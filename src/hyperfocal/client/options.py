"""What can be asked of the service for a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from numbers import Integral, Real

from hyperfocal.errors import UsageError
from hyperfocal.kinds import check_kinds
from hyperfocal.restore.target import is_finite_number, shown
from hyperfocal.text import check_text


@dataclass(frozen=True, slots=True)
class Options:
    """As of ``hyperfocal.upscale``; None is left to the service.

    At most one of ``scale`` (1 to 8), ``size`` ((width, height) of a box to fit into, one of
    them may be None), ``long_edge`` (pixels) and ``megapixels``.
    """

    scale: float | None = None
    size: tuple[int | None, int | None] | None = None
    long_edge: int | None = None
    megapixels: float | None = None
    model: str | None = None
    format: str | None = None
    quality: int | None = None
    bit_depth: int | None = None
    strip_metadata: bool = False
    min_fidelity: float | None = None
    crop: tuple[int, int, int, int] | None = None
    use_depth: bool = True

    def __post_init__(self) -> None:
        targets = ("scale", "size", "long_edge", "megapixels")
        given = [name for name in targets if getattr(self, name) is not None]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} exclude each other")
        numbers = ("scale", "long_edge", "megapixels", "quality", "bit_depth", "min_fidelity")
        for name in numbers:
            value = getattr(self, name)
            if value is not None and not is_finite_number(value):
                raise UsageError(f"{name} must be a number, not {shown(value)}")
        sides = _parts(self.size)
        if self.size is not None and (len(sides) != 2 or not any(map(is_finite_number, sides))):
            raise UsageError("size is a pair of a width and a height, of which one may be None")
        if not all(side is None or is_finite_number(side) for side in sides):
            raise UsageError(f"the sides of size must be numbers or None, not {shown(self.size)}")
        parts = _parts(self.crop)
        if self.crop is not None and (len(parts) != 4 or not all(map(is_finite_number, parts))):
            raise UsageError(f"crop is x, y, width and height in pixels, not {shown(self.crop)}")
        check_kinds(
            model=(self.model, str | None),
            format=(self.format, str | None),
            strip_metadata=(self.strip_metadata, bool),
            use_depth=(self.use_depth, bool),
        )
        check_text({"model": self.model, "format": self.format})

    def fields(self) -> dict[str, str]:
        """As form fields or query parameters."""
        sent: dict[str, str] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None or value is field.default:
                continue
            if field.name == "size":
                sent |= {
                    name: _written(side)
                    for name, side in zip(("width", "height"), value, strict=True)
                    if side is not None
                }
            elif field.name == "crop":
                sent["crop"] = ",".join(map(_written, value))
            else:
                sent[field.name] = _written(value)
        return sent


def _written(value: object) -> str:
    if isinstance(value, Real) and not isinstance(value, bool | Integral):
        # Fractions would write themselves as such.
        value = float(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parts(value: object) -> tuple[object, ...]:
    """Of what has parts that can be counted, and again."""
    if isinstance(value, str | bytes | Iterator) or not isinstance(value, Iterable):
        return ()
    return tuple(value)
