"""Writing the pictures that training draws: curves and contact sheets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hyperfocal.errors import OutputRefused


def check_drawing(path: Path) -> None:
    """:class:`OutputRefused` where there can be no file of that name."""
    if not path.name or path.is_dir():
        raise OutputRefused(f"{path} is a folder, where a file is needed")


def write_drawing(path: Path, save: Callable[[Path], object]) -> None:
    """Write a picture whole or not at all; :class:`OutputRefused` where it cannot be.

    ``save``: writes it into the path that it is given, which has another ending.
    """
    check_drawing(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        save(partial)
        partial.replace(path)
    except (OSError, ValueError) as error:
        partial.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        raise OutputRefused(f"{path} cannot be written: {reason}") from error
