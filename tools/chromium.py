"""The browser for the tests of the page and for the pictures of it."""

from __future__ import annotations

import shutil
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without a GPU or a sandbox, as in a container; and nothing that a browser does by itself.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def find() -> str | None:
    """Path of a Chromium; None where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


def launch(playwright: Any, path: str) -> Any:
    """A browser without a window."""
    return playwright.chromium.launch(executable_path=path, headless=True, args=list(_FLAGS))
