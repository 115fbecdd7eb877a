"""The web page: plain files, and what a server has to say about them.

Both the service and the page's own server (``hyperfocal web``) hand out these files, so nothing
here needs either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from hyperfocal.server.conditions import is_held

INDEX = "index.html"

# Not guessed from the system's tables, which may say anything: a module of the wrong type is not
# run by any browser.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# blob: for the photographs, which never leave the page but to the service it came from.
_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": "; ".join(_POLICY),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
)
"""Of every file. The policy allows no inline script or style, and nothing from elsewhere."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page."""

    body: bytes
    media_type: str
    etag: str

    @property
    def headers(self) -> dict[str, str]:
        """What is said along with it.

        The files refer to one another by plain names, so each is asked for again every time and
        mostly answered by 304: after an update no old script meets a new page.
        """
        return {**HEADERS, "ETag": self.etag, "Cache-Control": "no-cache"}

    def is_held(self, if_none_match: str | None) -> bool:
        """Whether a client that sends this ``If-None-Match`` has it already."""
        return is_held(self.etag, if_none_match)


@cache
def assets() -> Mapping[str, Asset]:
    """All files of the page by name, ``index.html`` among them."""
    folder = Path(__file__).parent
    return MappingProxyType(
        {
            path.name: _read(path)
            for path in sorted(folder.iterdir())
            if path.suffix in _TYPES and path.is_file()
        }
    )


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    return Asset(body, _TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')
