"""Origins of pages, as browsers write them (RFC 6454)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_USUAL_PORTS = {"http": 80, "https": 443}


def check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """The same; ValueError for one that no browser would ever send. ``*`` is any."""
    for origin in origins:
        if origin == "*":
            continue
        written = _as_written(origin)
        if written is None:
            raise ValueError(f"'{origin}' is no origin; write https://pages.example, or * for any")
        if written != origin:
            raise ValueError(f"'{origin}' is not how browsers write an origin; write {written}")
    return origins


def _as_written(text: str) -> str | None:
    """The origin of an address: scheme, host and, where it is not the usual one, port."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    if not _SCHEME.fullmatch(parts.scheme) or not _HOST.fullmatch(host or ""):
        return None
    usual = port is None or port == _USUAL_PORTS.get(parts.scheme)
    return f"{parts.scheme}://{host}" if usual else f"{parts.scheme}://{host}:{port}"
