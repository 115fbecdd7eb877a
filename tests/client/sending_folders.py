"""Folders to send and what came of them, for the tests of ``hyperfocal send``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from faking import whole

from hyperfocal.cli import ledger

PNG = b"\x89PNG\r\n\x1a\n "

Call = Callable[..., Any]


def twice(content: bytes, form: str = "png") -> bytes:
    """The result of a picture of the folder."""
    return whole(b"2x" + PNG + content, form)


def results(folder: Path) -> dict[str, bytes]:
    out = folder.parent / "out"
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != ledger.NAME
    }
