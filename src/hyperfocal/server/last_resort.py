"""Answers for requests that nothing else has answered: exceptions nobody foresaw, and the end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from hyperfocal.server.errors import Draining
from hyperfocal.server.problems import respond, unforeseen

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger(__name__)


class LastResort:
    """ASGI middleware: 500 for an exception, and 503 for what the end of the service cuts off.

    Inside what says which pages may read an answer (CORS), as these are to be read like any others.
    An answer that has begun breaks off.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ConnectionError:
            # The client went away: nobody is left to answer.
            raise
        except Exception:
            _log.exception("unforeseen")
            if begun:
                raise
            await unforeseen(scope)(scope, receive, send)
        except asyncio.CancelledError:
            # The service ends, and has waited long enough.
            scope["state"].setdefault("problem", Draining.code)
            if not begun:
                ending = Draining("the service is stopping; try again in a moment")
                await respond(ending, scope, {"connection": "close"})(scope, receive, send)
