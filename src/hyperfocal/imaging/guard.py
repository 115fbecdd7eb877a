"""Turning whatever a decoding library raises into this project's errors, and nothing else."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from hyperfocal.errors import BrokenPicture, HyperfocalError, TooLarge

_T = TypeVar("_T")
_LIBRARIES = ("imagecodecs", "tifffile")
# Packages, and modules written in C that call themselves otherwise, whose exceptions are about a
# picture or a model. Python's own modules count as well.
_RAISING = {"PIL", "_pillow_heif", "hyperfocal", "igzip_lib", "imagecodecs", "isal", "isal_zlib",
            "numpy", "onnxruntime", "pillow_heif", "simplejpeg", "tifffile"}  # fmt: skip


def is_hosts(error: BaseException) -> bool:
    """Whether it is none of our libraries', but of the program that calls us.

    A time limit, say, which a handler of signals raises in the midst of whatever runs, or another
    thread does: it says nothing about the picture and must reach the program as it is. Told by
    where its class comes from. A TimeoutError of Python's own is the program's, too: nothing here
    waits, and what the operating system raises has a number.
    """
    if isinstance(error, TimeoutError) and error.errno is None:
        return True
    module = type(error).__module__.partition(".")[0]
    return module not in _RAISING and module not in sys.stdlib_module_names


@contextmanager
def decoding(label: str) -> Iterator[None]:
    """Inside, any exception of a library becomes BrokenPicture; running out of memory TooLarge.

    Ours, and those of the program that calls us, stay what they are.

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
        if is_hosts(error):
            raise
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
    except Exception as error:
        if is_hosts(error):
            raise
        notes.append(note)
        return None
