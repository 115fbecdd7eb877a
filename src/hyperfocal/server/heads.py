"""HEAD, wherever GET is answered (RFC 9110, 9.3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """ASGI middleware, the innermost: answers HEAD by the head of what GET would be answered.

    The rest is not waited for: of a job's events there might never be an end.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def only_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                # From here on, whoever asks learns that the client needs no more.
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        # Not in a copy: what is found out about the request is read there by those outside.
        scope["method"] = "GET"
        try:
            await self._app(scope, receive, only_head)
        finally:
            scope["method"] = "HEAD"
