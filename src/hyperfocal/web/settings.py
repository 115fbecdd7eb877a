"""What the page's own server may be told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from hyperfocal.errors import SettingsError
from hyperfocal.server.settings import ServerSettings
from hyperfocal.settings import parse_bytes

_MAX_BODY: int = ServerSettings.model_fields["max_body"].default
_BODY_SECONDS: float = ServerSettings.model_fields["body_seconds"].default
_DISK_RESERVE: int = ServerSettings.model_fields["disk_reserve"].default
_DAY = 86_400.0
# Beyond them nothing is meant any more.
_MOST: dict[str, float] = {
    "max_body": 2**50,
    "body_seconds": _DAY,
    "connect_seconds": _DAY,
    "answer_seconds": _DAY,
    "events_seconds": _DAY,
    "threads": 4096,
    "own": 4096,
    "followers": 4096,
    "uploads": 4096,
    "held": 4096,
    "connections": 1_000_000,
}


@dataclass(frozen=True, slots=True)
class WebSettings:
    """``api``: address of the API, without a slash at the end. ``max_body``: bytes of a request.

    ``body_seconds``: within which a request must have arrived, and for which an answer may wait to
    be read. ``connect_seconds`` and ``answer_seconds``: how long the API may take to be reached,
    and to begin its answer or go on with it; ``events_seconds``: to go on with events, of which it
    sends some, or a sign of life, every five seconds. ``threads``: answers of the API at once.
    ``followers``: how many of these may be events of jobs; ``uploads``: how many may be large
    bodies that are still coming (others are taken whole first, into files). ``own``: threads
    besides, for the page and for what says that this server lives. ``held``: how many
    bodies of the largest size these files may be, or as many bytes of smaller ones;
    ``disk_reserve``: bytes to be free on their disk when another one begins, or a tenth of the disk
    if that is less. ``connections`` at once; more wait.
    """

    api: str = "http://127.0.0.1:8000"
    host: str = "127.0.0.1"
    port: int = 8080
    max_body: int = _MAX_BODY
    body_seconds: float = _BODY_SECONDS
    connect_seconds: float = 5.0
    answer_seconds: float = 120.0
    events_seconds: float = 30.0
    threads: int = 64
    own: int = 8
    followers: int = 44
    uploads: int = 12
    held: int = 20
    disk_reserve: int = _DISK_RESERVE
    connections: int = 1000

    def __post_init__(self) -> None:
        if not _is_address(self.api):
            # Not shown where it may hold a password.
            shown = "what is set" if "@" in self.api else f"'{self.api}'"
            raise SettingsError(f"{shown} is no address of an API; write http://127.0.0.1:8000")
        for name, most in _MOST.items():
            value = getattr(self, name)
            # Nor is what is no number.
            if not value > 0:
                raise SettingsError(f"setting '{name}' must be positive")
            if value > most:
                raise SettingsError(f"setting '{name}' must be {most:,.0f} or less")
        if self.disk_reserve < 0:
            raise SettingsError("setting 'disk_reserve' must not be negative")
        if self.followers + self.uploads >= self.threads:
            raise SettingsError(
                "settings 'followers' and 'uploads' must leave threads for other answers"
            )
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"there is no port {self.port}")

    @classmethod
    def read(
        cls, environment: Mapping[str, str] | None = None, **given: str | int | float
    ) -> WebSettings:
        """From ``FASTAPI_SERVER_URL`` and the API's own limits, overridden by ``given``.

        These are ``HYPERFOCAL_SERVER_MAX_BODY``, ``HYPERFOCAL_SERVER_DISK_RESERVE`` and
        ``HYPERFOCAL_SERVER_BODY_SECONDS``, so that both servers are told in the same way. Raises
        :class:`SettingsError`.
        """
        environment = os.environ if environment is None else environment
        values: dict[str, str | int | float] = {}
        if url := environment.get("FASTAPI_SERVER_URL"):
            values["api"] = url
        for name in ("max_body", "disk_reserve"):
            if limit := environment.get(f"HYPERFOCAL_SERVER_{name.upper()}"):
                values[name] = parse_bytes(limit)
        if seconds := environment.get("HYPERFOCAL_SERVER_BODY_SECONDS"):
            try:
                values["body_seconds"] = float(seconds)
            except ValueError:
                raise SettingsError(f"'{seconds}' is no number of seconds") from None
        values.update(given)
        if isinstance(api := values.get("api"), str):
            values["api"] = api.rstrip("/")
        return cls(**values)  # type: ignore[arg-type]


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain
