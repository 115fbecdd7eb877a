"""Which picture format a client would like, by its Accept header (RFC 9110, 12.5.1)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from hyperfocal.imaging.formats import FORMATS, WRITABLE, missing_extra
from hyperfocal.server.errors import NotAcceptable

if TYPE_CHECKING:
    from starlette.requests import Request

    from hyperfocal.server.pool import Options
    from hyperfocal.server.schemas import UpscaleForm

# Where several will do as well; the others come after them.
_FIRST = ("png", "jpeg", "webp", "tiff", "avif", "bmp")


@cache
def formats() -> dict[str, str]:
    """Names of the formats that can be written, by media type, the most welcome first."""
    return {
        FORMATS[name].media_type: name
        for name in dict.fromkeys((*_FIRST, *WRITABLE))
        if missing_extra(FORMATS[name]) is None
    }


def options_of(form: UpscaleForm, request: Request) -> Options:
    """What is asked for; where the form names no format, Accept decides.

    Raises :class:`NotAcceptable`.
    """
    if form.format is not None:
        return form.options()
    return form.options(wanted_format(", ".join(request.headers.getlist("accept"))))


def wanted_format(accept: str | None) -> str | None:
    """The format with the greatest weight; None where any will do as well.

    Where any but some will do, the first of the others. :class:`NotAcceptable` where the header
    admits no picture that can be written.
    """
    if accept is None or not accept.strip():
        return None
    known = formats()
    named: dict[str, float] = {}
    ranges: dict[str, float] = {}
    for entry in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        place = named if kind in known else ranges
        place[kind] = max(_weight(parameters), place.get(kind, 0.0))
    # What is said of a type itself goes before what is said of all pictures, and that before all.
    others = ranges.get("image/*", ranges.get("*/*", 0.0))
    best = max(named, key=named.__getitem__, default=None)
    if others > 0 and others >= named.get(best or "", 0.0):
        if all(named.values()):
            return None
        best = next((kind for kind in known if named.get(kind, others) >= others), None)
    if best is None or named.get(best, others) == 0:
        raise NotAcceptable(f"Accept admits none of {', '.join(known)}")
    return known[best]


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
