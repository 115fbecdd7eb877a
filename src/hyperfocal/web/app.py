"""The Flask application: the page, and a way through to the API."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from hyperfocal.server.page import HEADERS, INDEX, assets
from hyperfocal.web import rules
from hyperfocal.web.incoming import Incoming
from hyperfocal.web.problems import (
    MEDIA_TYPE,
    Refused,
    not_found,
    too_large,
    too_many_answers,
    too_many_followers,
    unforeseen,
)
from hyperfocal.web.upstream import Answer, Ask, Gone, Upstream

if TYPE_CHECKING:
    from flask import Flask, Request, Response

    from hyperfocal.web.settings import WebSettings

_log = logging.getLogger(__name__)
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def create_app(settings: WebSettings, upstream: Upstream) -> Flask:
    """The WSGI application; the server under it is expected to count and time what comes."""
    from flask import Flask, Response, request
    from werkzeug.exceptions import HTTPException, MethodNotAllowed

    app = Flask(__name__, static_folder=None)
    # Paths are judged as they are, not as something tidier.
    app.url_map.merge_slashes = False
    app.wsgi_app = _without_upgrades(app.wsgi_app)  # type: ignore[method-assign]
    forwarded = threading.BoundedSemaphore(settings.threads)
    followers = threading.BoundedSemaphore(settings.followers)

    @app.route("/", methods=["GET", "HEAD"])
    def index() -> Response:
        return _asset(INDEX, request)

    @app.route("/static/<name>", methods=["GET", "HEAD"])
    def static(name: str) -> Response:
        if name == INDEX:
            raise not_found(request.path)
        return _asset(name, request)

    @app.route("/healthz", methods=["GET", "HEAD"])
    def healthz() -> Response:
        # Of this process. Whether the API can do anything is what /readyz tells.
        answer = Response('{"status":"alive"}', mimetype="application/json")
        answer.headers.update({**HEADERS, "Cache-Control": "no-store"})
        return answer

    @app.route("/<path:path>", methods=_METHODS, provide_automatic_options=False)
    def forward(path: str) -> Response:
        if not rules.is_forwarded(request.path):
            if _is_own(request.path):
                raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])
            raise not_found(request.path)
        with ExitStack() as held:
            # Each has a thread for as long as its client takes; the page must not wait for them.
            _hold(forwarded, held, too_many_answers)
            if rules.follows_events(request.path):
                _hold(followers, held, too_many_followers)
            return _forward(request, settings, upstream, held)

    @app.errorhandler(Refused)
    def refuse(error: Refused) -> Response:
        name = rules.request_id(request.headers.get("X-Request-ID"))
        answer = Response(error.document(request.path, name), error.status, mimetype=MEDIA_TYPE)
        answer.headers.update({**HEADERS, "X-Request-ID": name, "Cache-Control": "no-store"})
        if error.retry_after is not None:
            answer.headers["Retry-After"] = str(error.retry_after)
        return answer

    @app.errorhandler(HTTPException)
    def refuse_plainly(error: HTTPException) -> Response:
        if isinstance(error, MethodNotAllowed):
            answer = refuse(Refused(405, "method-not-allowed", f"{request.method} cannot be used"))
            answer.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
            return answer
        return refuse(not_found(request.path))

    @app.errorhandler(Exception)
    def refuse_unforeseen(error: Exception) -> Response:
        # The client has left, or the server ends: both happen all the time.
        if not isinstance(error, Gone):
            _log.error("unforeseen", exc_info=error)
        return refuse(unforeseen())

    return app


def _without_upgrades(wsgi: Any) -> Any:
    """An application that stays with HTTP whatever a client would like better (RFC 9110, 7.8).

    For a client that offers WebSocket, too, werkzeug looks for addresses of that kind only.
    """

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ.pop("HTTP_UPGRADE", None)
        pieces: Iterable[bytes] = wsgi(environ, start_response)
        return pieces

    return answer


def _is_own(path: str) -> bool:
    """Whether there is something there, of this server's own, to be read."""
    files = {f"/static/{name}" for name in assets() if name != INDEX}
    return path == "/healthz" or path in files


def _hold(places: threading.Semaphore, held: ExitStack, refusal: Callable[[], Refused]) -> None:
    """Take a place until ``held`` is closed."""
    if not places.acquire(blocking=False):
        raise refusal()
    held.callback(places.release)


def _asset(name: str, request: Request) -> Response:
    from flask import Response

    asset = assets().get(name)
    if asset is None:
        raise not_found(request.path)
    if asset.is_held(request.headers.get("If-None-Match")):
        return Response(status=304, headers=asset.headers)
    return Response(asset.body, headers=asset.headers, content_type=asset.media_type)


def _forward(
    request: Request, settings: WebSettings, upstream: Upstream, held: ExitStack
) -> Response:
    """The API's answer; what is ``held`` is kept until its end."""
    from flask import Response

    length = request.content_length
    if length is not None and length > settings.max_body:
        raise too_large(settings.max_body)
    environ = request.environ
    body = environ["wsgi.input"]
    # Of one that comes in chunks and is not complete there is no length.
    has_body = bool(length) or isinstance(body, Incoming)
    ask = Ask(
        method=request.method,
        address=rules.forwarded_address(request.path, request.query_string),
        headers=rules.request_headers(
            request.headers.items(),
            address=request.remote_addr or "unknown",
            request_id=rules.request_id(request.headers.get("X-Request-ID")),
        ),
        body=body if has_body else None,
        length=length,
        is_gone=environ.get("waitress.client_disconnected") or (lambda: False),
    )
    answer = upstream.send(ask)
    pieces = _Body(answer, held.pop_all())
    response = Response(pieces, status=answer.status, direct_passthrough=True)
    # One by one, because a header may come twice; Flask's own guess of the type goes.
    response.headers.clear()
    response.headers.extend(rules.answer_headers(answer.headers))
    return response


class _Body:
    """The body of an answer; ``held``: closed when it is over, however it ends."""

    def __init__(self, answer: Answer, held: ExitStack) -> None:
        self._answer, self._held = answer, held

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._answer)

    def close(self) -> None:
        """No more of it is wanted."""
        with self._held:
            self._answer.close()
