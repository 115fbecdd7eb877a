"""What an unfinished task may leave behind, and how it is taken away."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path


def workplace(output: Path) -> Path:
    """The folder beside ``output`` in which it is written; known also to whoever cleans up."""
    return output.with_name(f".{output.name}.part")


def sweep(output: Path | None) -> None:
    """Take away the result of a task that nobody waits for, whole or not."""
    if output is not None:
        shutil.rmtree(workplace(output), ignore_errors=True)
        with suppress(OSError):
            output.unlink()
