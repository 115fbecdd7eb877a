"""Texts that come from outside."""

from __future__ import annotations

from collections.abc import Mapping

from hyperfocal.errors import UsageError


def encodable(text: str) -> str:
    """``text`` for a file that only tells: bytes of a name that are no text are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def check_text(given: Mapping[str, object]) -> None:
    """By name. :class:`UsageError` for half a pair of surrogates: bytes of a command line, say.

    No service can be sent it, and no database asked for it.
    """
    for name, value in given.items():
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise UsageError(f"{name} {value!r} is no text") from error
