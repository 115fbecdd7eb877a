"""Being told to stop in the middle of a training."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch.utilities.exceptions import SIGTERMException

from hyperfocal.terminating import kept_handler, terminated_by


@contextmanager
def kept_interrupts() -> Iterator[None]:
    """Raises Ctrl-C, and a request to terminate, as :class:`KeyboardInterrupt`.

    Lightning makes of the one the end of the process with code 1, and of the other, where
    nobody else handles it, that with code 0, as if the training were done. After the first
    Ctrl-C it is deaf to others; what comes after the training can be stopped again.
    """
    try:
        with kept_handler(signal.SIGINT):
            yield
    except SystemExit as stopped:
        is_interrupt = isinstance(stopped.__context__, KeyboardInterrupt)
        if is_interrupt or isinstance(stopped, SIGTERMException):
            raise KeyboardInterrupt from stopped
        raise


@contextmanager
def terminated_between_steps() -> Iterator[None]:
    """Leaves a request to terminate to Lightning, which obeys it when a step is whole.

    It would call an earlier handler as well, and the command line's ends whatever is running.
    """
    with terminated_by(signal.SIG_DFL):
        yield
