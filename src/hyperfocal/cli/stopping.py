"""Being told to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from hyperfocal.terminating import terminated_by


@contextmanager
def terminated_as_interrupt() -> Iterator[None]:
    """While inside, a request to terminate is what Ctrl-C is: nothing half-written stays."""
    with terminated_by(signal.default_int_handler):
        yield
