"""The limit on open files, and how many connections it leaves room for."""

from __future__ import annotations

import contextlib
import logging
import sys

from hyperfocal.errors import SettingsError
from hyperfocal.server.connection import RESERVE

AT_ONCE = 128
"""Connections that are accepted before it is looked whether there are too many."""

_log = logging.getLogger(__name__)
# Of the database, the log, the pipes to workers, jobs in work.
_OWN = 256
_SPARE = RESERVE + AT_ONCE + _OWN
# The connection itself, and the file that comes or goes through it.
_EACH = 2


def room_for(connections: int) -> int:
    """Raise the limit on open files as far as so many connections need; how many there may be.

    They are fewer, and the log says so, where the system does not allow enough files. Raises
    :class:`SettingsError` where it does not allow a single connection.
    """
    if sys.platform == "win32":
        # There is no such limit.
        return connections
    import resource

    needed = _SPARE + _EACH * connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        # Some systems have yet another limit, and do not say so.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    room = (soft - _SPARE) // _EACH
    if room < 1:
        raise SettingsError(
            f"only {soft} files may be open, which leaves none for connections; "
            f"allow {needed} (ulimit -Hn)"
        )
    _log.warning(
        "only %d files may be open: %d connections at once instead of %d (setting "
        "max_connections); for those, allow %d (ulimit -Hn)",
        soft,
        room,
        connections,
        needed,
    )
    return room
