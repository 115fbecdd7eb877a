"""The server under the application: waitress.

It takes requests in by one loop for all connections. A thread gets one once it is complete or a
quarter of a megabyte has come; the rest is then passed on while it comes, with a megabyte at most
held in memory. Where too many such threads are busy a body is taken whole first, into a temporary
file, so that slow uploads cannot hold all of them; these files have a limit together. Answers go
out as they come, events one by one; what a client is slow to read waits in memory up to a megabyte,
then the API waits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hyperfocal.errors import SettingsError
from hyperfocal.web.channel import channel_class

if TYPE_CHECKING:
    from hyperfocal.web.settings import WebSettings

# As the API's.
_HEAD_BYTES = 32 * 1024
_WAITING_BYTES = 1024 * 1024
# How often it is looked whether something takes too long.
_LOOK_SECONDS = 1.0


def make_server(application: Any, settings: WebSettings) -> Any:
    """A waitress server, bound; :class:`~hyperfocal.web.loop.Loop` serves.

    Raises :class:`SettingsError` where it cannot listen.
    """
    from waitress.server import BaseWSGIServer, create_server

    # What waits for a thread is no news.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    try:
        server = create_server(
            application,
            host=settings.host,
            port=settings.port,
            threads=settings.threads + settings.own,
            connection_limit=settings.connections,
            # Its limit is the first size that is refused.
            max_request_body_size=settings.max_body + 1,
            max_request_header_size=_HEAD_BYTES,
            outbuf_high_watermark=_WAITING_BYTES,
            # Watches the connection while a thread answers: whether the client is still there.
            channel_request_lookahead=1,
            asyncore_use_poll=hasattr(__import__("select"), "poll"),
            ident=None,
        )
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{settings.host}, port {settings.port}, cannot be listened on: {error}"
        ) from error
    # A name with several addresses has a server for each, by the number of its socket.
    several = getattr(server, "map", {}).values()
    channel = channel_class(settings)
    for each in {server, *several}:
        if isinstance(each, BaseWSGIServer):
            each.channel_class = channel
            each.maintenance = _maintenance(each)
    # Its own settings take whole seconds only.
    server.adj.asyncore_loop_timeout = server.adj.cleanup_interval = min(
        _LOOK_SECONDS, settings.body_seconds / 4
    )
    return server


def addresses(server: Any) -> list[tuple[str, int]]:
    """Where it listens."""
    listens = getattr(server, "effective_listen", None)
    return list(listens or [(server.effective_host, int(server.effective_port))])


def _maintenance(server: Any) -> Callable[[float], None]:
    def look(_: float) -> None:
        now = time.monotonic()
        for channel in list(server.active_channels.values()):
            channel.look(now)

    return look
