"""What an answer depends on: what the client has already, and which part of it is wanted."""

from __future__ import annotations

import re

from hyperfocal.server.errors import RangeNotSatisfiable

_PART = r"(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})"
_PARTS = re.compile(rf"bytes=[ \t]*({_PART}(?:[ \t]*,[ \t]*{_PART})*)[ \t]*", re.IGNORECASE)


def is_held(etag: str, if_none_match: str | None) -> bool:
    """Whether a client that sends this ``If-None-Match`` has it already (RFC 9110, 13.1.2)."""
    held = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in held or held == ["*"]


def is_part_wanted(header: str | None, size: int) -> bool:
    """Whether this ``Range`` asks for parts of so many bytes (RFC 9110, 14.2).

    Not where it cannot be understood, or only some of the parts are there: then everything is
    sent. Raises :class:`RangeNotSatisfiable` where none is there.
    """
    match = _PARTS.fullmatch(header or "")
    if match is None:
        return False
    parts = [part.strip().split("-") for part in match[1].split(",")]
    if any(first and last and int(first) > int(last) for first, last in parts):
        return False
    there = [int(first) < size if first else int(last) > 0 for first, last in parts]
    if not any(there):
        raise RangeNotSatisfiable(f"there are only {size:,} bytes", size)
    return all(there)
