"""Whether a client goes on reading what it is sent."""

from __future__ import annotations

import sys
from typing import Protocol


class _Descriptor(Protocol):
    def fileno(self) -> int: ...


class Reader:
    """The client at the other end of a connection; ``at``: when it last took something.

    What the system takes from the server says little about that: its buffers are some megabytes,
    and once they are full it takes more only when a third has been read, which is a long time for a
    client on a slow line. So what they hold is looked at, too, where the system tells: on Linux.

    ``is_given_up``: set by whoever hangs up because the client took nothing.
    """

    def __init__(self, connection: _Descriptor, now: float) -> None:
        self._connection, self._left = connection, 0
        self.at, self.is_given_up = now, False

    def takes(self, now: float) -> None:
        """It has taken something, or has nothing to take."""
        self.at = now

    def look(self, now: float, waiting: int = 0) -> None:
        """Look, every now and then, whether less is left for it than the last time.

        ``waiting``: bytes that the system has not been given yet.
        """
        left = waiting + unacknowledged(self._connection)
        if left < self._left:
            self.at = now
        self._left = left


def unacknowledged(connection: _Descriptor) -> int:
    """Bytes the system has been given and the client's has not yet said it has."""
    try:
        import fcntl
        import termios

        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    except (ImportError, AttributeError, OSError, ValueError):
        # No such system, or the connection is just being closed.
        return 0
    return int.from_bytes(answer, sys.byteorder)
