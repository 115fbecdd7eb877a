"""Which picture format a client would like, by its Accept header (RFC 9110, 12.5.1)."""

from __future__ import annotations

from hyperfocal.server.errors import NotAcceptable

_FORMATS = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/webp": "webp",
    "image/tiff": "tiff",
    "image/avif": "avif",
    "image/bmp": "bmp",
}
_ANY = ("*/*", "image/*")


def wanted_format(accept: str | None) -> str | None:
    """The format with the greatest weight; None where any will do as well.

    :class:`NotAcceptable` where the header admits no picture that can be written.
    """
    if accept is None or not accept.strip():
        return None
    best: tuple[float, str | None] = (0.0, None)
    for entry in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        weight = _weight(parameters)
        if kind in _ANY and weight >= best[0] and weight > 0:
            best = (weight, None)
        elif kind in _FORMATS and weight > best[0]:
            best = (weight, _FORMATS[kind])
    if best[0] == 0:
        raise NotAcceptable(f"Accept admits none of {', '.join(_FORMATS)}")
    return best[1]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            return weight if 0 <= weight <= 1 else 0.0
    return 1.0
