"""stdin, stdout and stderr where there are none, or none that can be used."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hyperfocal.errors import UsageError


@contextmanager
def usable_streams() -> Iterator[None]:
    """While inside, each stream is one; at the end, a full log is not the program's failure.

    A shell closes them with ``<&-``, ``>&-`` and ``2>&-``, and Python has None for them then.
    """
    # In this order the null devices get the numbers of what was closed. Otherwise the next file
    # that is opened would, and what an engine prints there would be written into it.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115
    try:
        yield
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            # Python would try once more at its end, and make another exit code of the failure.
            sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115


def check_in() -> None:
    """:class:`UsageError` where stdin was closed, so that nothing can come from it."""
    if _was_closed(sys.stdin):
        raise UsageError("there is no stdin for '-' to read; name a file")


def check_out() -> None:
    """:class:`UsageError` where stdout was closed, so that nothing can go to it."""
    if _was_closed(sys.stdout):
        raise UsageError("there is no stdout to write a picture to; name a file with -o")


def _was_closed(stream: object) -> bool:
    # What the caller's shell has connected is called "<stdin>" or "<stdout>", the null device too.
    return getattr(stream, "name", None) == os.devnull
