"""What can be asked of the service for a picture."""

from __future__ import annotations

from dataclasses import dataclass, fields

from hyperfocal.errors import UsageError
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

    def __post_init__(self) -> None:
        targets = ("scale", "size", "long_edge", "megapixels")
        given = [name for name in targets if getattr(self, name) is not None]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} exclude each other")
        if self.size is not None and (
            isinstance(self.size, str) or len(self.size) != 2 or tuple(self.size) == (None, None)
        ):
            raise UsageError("size is a pair of a width and a height, of which one may be None")
        check_text({"model": self.model, "format": self.format})

    def fields(self) -> dict[str, str]:
        """As form fields or query parameters."""
        sent: dict[str, str] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None or value is False:
                continue
            if field.name == "size":
                sent |= {
                    name: str(side)
                    for name, side in zip(("width", "height"), value, strict=True)
                    if side is not None
                }
            elif field.name == "crop":
                sent["crop"] = ",".join(str(part) for part in value)
            else:
                sent[field.name] = "true" if value is True else str(value)
        return sent
