"""Being told to stop in the middle of a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch.utilities.exceptions import SIGTERMException


@contextmanager
def kept_interrupts() -> Iterator[None]:
    """Raises Ctrl-C, and a request to terminate, as :class:`KeyboardInterrupt`.

    Lightning makes of the one the end of the process with code 1, and of the other, where
    nobody else handles it, that with code 0, as if the training were done.
    """
    try:
        yield
    except SystemExit as stopped:
        is_interrupt = isinstance(stopped.__context__, KeyboardInterrupt)
        if is_interrupt or isinstance(stopped, SIGTERMException):
            raise KeyboardInterrupt from stopped
        raise
