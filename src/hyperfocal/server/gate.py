"""Whether a request is let in: where it comes from, with which key, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from hyperfocal.errors import HyperfocalError
from hyperfocal.server.errors import Crowded, Unauthorized
from hyperfocal.server.limits import Rate
from hyperfocal.server.problems import respond
from hyperfocal.server.security.caller import (
    authorise,
    check_origin,
    identify,
    scope_needed,
    without_key,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from hyperfocal.server.security.keys import Keys
    from hyperfocal.server.settings import ServerSettings


class Gate:
    """ASGI middleware, before a byte of the body is read; sets ``scope["state"]["caller"]``.

    Where the server has set ``scope["state"]["crowded"]`` nobody is let in.
    """

    def __init__(self, app: ASGIApp, *, settings: ServerSettings, keys: Keys | None) -> None:
        self._app, self._settings, self._keys = app, settings, keys
        self._rate = Rate(settings.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            try:
                self._check(scope)
            except HyperfocalError as error:
                headers = {"connection": "close"} if isinstance(error, Crowded) else None
                await respond(error, scope, headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers, settings, state = Headers(scope=scope), self._settings, scope["state"]
        if state.get("crowded"):
            raise Crowded("too many clients are connected (setting max_connections)")
        needed = scope_needed(scope["path"], metrics_public=settings.metrics_public)
        caller = without_key(headers, (scope.get("client") or ("", 0))[0], settings)
        state["caller"] = caller
        check_origin(scope["method"], headers, settings.cors)
        if needed is None:
            return
        try:
            caller = state["caller"] = identify(headers, caller, self._keys)
        except Unauthorized:
            # Guessing counts, too.
            self._rate.take(caller.identity)
            raise
        self._rate.take(caller.identity)
        authorise(caller, needed, self._keys, headers.get("host", ""))
