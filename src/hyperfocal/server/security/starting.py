"""Settings that the service refuses to start with."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from hyperfocal.errors import SettingsError
from hyperfocal.server.errors import ProductionRefused

if TYPE_CHECKING:
    from pathlib import Path

    from hyperfocal.server.settings import ServerSettings

_SHORTEST_SECRET = 32
# Words that stand in examples, and by chance in no random text of that length.
_EXAMPLES = ("change", "secret", "default", "example", "password", "hyperfocal")


def check_production(settings: ServerSettings, keys: int) -> None:
    """Raise :class:`ProductionRefused` for what must not meet the world.

    ``keys``: how many API keys there are. Without ``production`` anything goes.
    """
    if not settings.production:
        return
    secret = settings.secret
    if len(secret) < _SHORTEST_SECRET or len(set(secret)) < 8 or _is_example(secret):
        raise ProductionRefused(
            "production needs a secret of 32 random characters or more "
            "(setting secret); make one with: python -c "
            "'import secrets; print(secrets.token_urlsafe(32))'"
        )
    if not keys and (settings.trusted_proxy_hops or not settings.loopback):
        where = f"on {settings.host}" if not settings.loopback else "behind a proxy"
        raise ProductionRefused(
            f"production {where}, which others can reach, needs API keys: make one "
            "with 'hyperfocal serve keys add NAME' and name the file (setting keys)"
        )
    if "*" in settings.cors:
        raise ProductionRefused("production needs cors to list the origins, not '*'")


def check_media(settings: ServerSettings) -> None:
    """Raise :class:`SettingsError` for a media folder that is none."""
    root = settings.media_root
    if root is None:
        return
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except OSError as error:
        raise SettingsError(f"setting 'media_root': {root}: {error.strerror}") from error
    if not is_folder:
        raise SettingsError(f"setting 'media_root': {root} is no folder")


def make_private(folder: Path, called: str) -> None:
    """Make a folder where there is none, for its owner only: it will hold who said what.

    Raises :class:`SettingsError`, which begins with what the folder is ``called``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(f"{called} cannot be made: {error.strerror}") from error


def _is_example(secret: str) -> bool:
    return any(word in secret.lower() for word in _EXAMPLES)
