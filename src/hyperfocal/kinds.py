"""Arguments of a kind that is not asked for, told in a sentence where they come in."""

from __future__ import annotations

from typing import Any

from hyperfocal.errors import UsageError


def check_kinds(**given: tuple[object, Any]) -> None:
    """By name a value and the class or union it must be of; :class:`UsageError` otherwise."""
    for name, (value, kind) in given.items():
        if not isinstance(value, kind):
            raise UsageError(f"{name} cannot be a {type(value).__name__}")
