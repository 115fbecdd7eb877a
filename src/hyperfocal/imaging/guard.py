"""Turning whatever a decoding library raises into this project's errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from hyperfocal.errors import BrokenPicture, HyperfocalError, TooLarge

_T = TypeVar("_T")
_LIBRARIES = ("imagecodecs", "tifffile")


@contextmanager
def decoding(label: str) -> Iterator[None]:
    """Inside, any exception but ours becomes BrokenPicture; running out of memory TooLarge.

    What the libraries log goes where the program sends it, and nowhere if it does not: without a
    handler of their own, Python would print their warnings on stderr.
    """
    for library in _LIBRARIES:
        log = logging.getLogger(library)
        if not log.handlers:
            log.addHandler(logging.NullHandler())
    try:
        yield
    except HyperfocalError:
        raise
    except MemoryError as error:
        raise TooLarge("not enough memory to decode it") from error
    except Exception as error:
        if type(error).__name__ == "DecompressionBombError":
            raise TooLarge("declares more pixels than allowed") from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BrokenPicture(f"truncated or corrupt {label}: {reason}") from error


def attempt(action: Callable[[], _T], notes: list[str], note: str) -> _T | None:
    """What ``action`` gives, or None with a note: metadata must never cost the picture."""
    try:
        return action()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - any failure at all, and it is reported in the notes
        notes.append(note)
        return None
