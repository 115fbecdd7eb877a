"""What kind of picture a file is, from its first bytes: nothing is decoded here."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hyperfocal.errors import UnknownFormat
from hyperfocal.imaging.content import HEAD, sniff


async def kind_of(path: Path) -> str:
    """The name of the file's format. Raises :class:`UnknownFormat`."""
    name = sniff(await asyncio.to_thread(_head, path))
    if name is None:
        raise UnknownFormat("not a picture in a format that is read here")
    return name


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)
