"""One call to the service: sending it, trying again, and turning refusals into exceptions."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

import httpx

from hyperfocal.client.errors import NoAnswer, ServiceError, StrangeAnswer, Unreachable, error_of
from hyperfocal.client.retry import BUSY, Retry, read_retry_after
from hyperfocal.errors import Cancelled, UsageError
from hyperfocal.kinds import check_kinds

_T = TypeVar("_T")

# A problem document is short; what is longer is something else and not worth its memory.
_LONGEST_PROBLEM = 1 << 20
# What a status means that comes without a problem document, where that is certain.
_PLAINLY = {
    **dict.fromkeys(BUSY, "is busy or away"),
    HTTPStatus.UNAUTHORIZED: "wants a key, or a name and a password in the address",
    HTTPStatus.FORBIDDEN: "lets nobody through with this key, or from here",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "got more bytes than the service, or a proxy before it, takes"
    ),
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request that can be made more than once.

    ``body``: makes the arguments of httpx that carry the body, anew for every try; it gives files
    to close. ``repeatable``: doing the work twice does no harm, so that a call is also tried again
    when the connection broke and nobody knows how far the service got.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[contextlib.ExitStack], dict[str, Any]] | None = None
    repeatable: bool = True


class Caller:
    """Makes calls over kept connections, as patient as ``retry``. Safe to use from many threads."""

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: float,
        retry: Retry,
        verify: bool | str | ssl.SSLContext = True,
        on_retry: Callable[[ServiceError, float], None] | None = None,
    ) -> None:
        self.retry = retry
        self._on_retry = on_retry
        self._stopped = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        with _usable():
            self._http = httpx.Client(
                base_url=_checked(url),
                headers=dict(headers),
                timeout=httpx.Timeout(timeout, connect=min(timeout, 10.0)),
                # The service redirects nowhere; following would hand the key to someone else.
                follow_redirects=False,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
                verify=ssl.create_default_context(cafile=verify)
                if isinstance(verify, str)
                else verify,
            )

    @property
    def url(self) -> str:
        """Of the service, without a password that it may hold."""
        return _shown(self._http.base_url).rstrip("/")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def cancel(self) -> None:
        """Break off every call in progress, from another thread; they raise Cancelled."""
        self._stopped.set()
        with self._lock:
            for connection in self._sockets:
                _shut(connection)

    def json(
        self,
        call: Call,
        *,
        retry: Retry | None = None,
        timeout: float | None = None,
        until: float | None = None,
    ) -> Any:
        """The answer's JSON."""
        return self.run(call, _json, retry=retry, timeout=timeout, until=until)

    def run(
        self,
        call: Call,
        use: Callable[[httpx.Response], _T],
        *,
        retry: Retry | None = None,
        timeout: float | None = None,
        until: float | None = None,
    ) -> _T:
        """``use`` of the answer, which it may stream; tried again where that may help.

        Raises what the service's problem document says, Unreachable or NoAnswer. ``until``: of
        ``time.monotonic``; NoAnswer then, be there patience left or not.
        """
        retry = self.retry if retry is None else retry
        tried, waited = 0, 0.0
        while True:
            tried += 1
            try:
                with self._answer(call, self._limit(timeout, until)) as response:
                    return use(response)
            except ServiceError as error:
                if not _may_help(error, call):
                    raise
                pause = retry.pause(tried, waited, error.retry_after)
                if pause is None:
                    raise
                if until is not None and time.monotonic() + pause >= until:
                    raise NoAnswer(f"no answer in time; the last was: {error}") from error
                if self._on_retry is not None:
                    self._on_retry(error, pause)
            self.sleep(pause)
            waited += pause

    def _limit(self, timeout: float | None, until: float | None) -> httpx.Timeout | None:
        """Of a try; None: the client's own limits."""
        own = self._http.timeout
        if until is not None:
            left = max(until - time.monotonic(), 1e-3)
            timeout = min(left, own.read or left, timeout or left)
        if timeout is None:
            return None
        return httpx.Timeout(timeout, connect=min(timeout, own.connect or timeout))

    def stream(
        self,
        call: Call,
        parts: Callable[[httpx.Response], Iterator[_T]],
        *,
        timeout: float | None = None,
    ) -> Iterator[_T]:
        """``parts`` of an answer as they come in; not tried again."""
        with self._answer(call, self._limit(timeout, None)) as response:
            yield from parts(response)

    def sleep(self, seconds: float) -> None:
        """Wait; Cancelled when :meth:`cancel` is called meanwhile."""
        self._stopped.wait(seconds)
        self.go_on()

    def go_on(self) -> None:
        """Cancelled where :meth:`cancel` has been called."""
        if self._stopped.is_set():
            raise Cancelled("stopped on request")

    @contextmanager
    def _answer(self, call: Call, timeout: httpx.Timeout | None) -> Iterator[httpx.Response]:
        """A good answer, its body not yet read."""
        self.go_on()
        if self._http.is_closed:
            raise UsageError("the client has been closed")
        options: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
        with contextlib.ExitStack() as files:
            body = call.body(files) if call.body is not None else {}
            headers = {**call.headers, **body.pop("headers", {})}
            try:
                with self._http.stream(
                    call.method,
                    call.path,
                    params=dict(call.params),
                    headers=headers,
                    extensions={"trace": self._watch},
                    **body,
                    **options,
                ) as response:
                    if not response.is_success:
                        raise _refusal(response)
                    yield response
            except httpx.InvalidURL as error:
                raise UsageError(f"the service's address cannot be used: {error}") from error
            except (httpx.TransportError, httpx.DecodingError) as error:
                if self._stopped.is_set():
                    raise Cancelled("stopped on request") from error
                raise self._failure(error) from error

    def _failure(self, error: httpx.HTTPError) -> ServiceError:
        where = f"{self._http.base_url.scheme}://{self._http.base_url.netloc.decode()}"
        reason = str(error) or type(error).__name__
        if isinstance(error, httpx.TimeoutException) and not isinstance(
            error, httpx.ConnectTimeout
        ):
            return NoAnswer(f"{where} gave no answer in time")
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return _Unconnected(f"{where} cannot be reached: {reason}")
        return Unreachable(f"the connection to {where} broke off: {reason}")

    def _watch(self, event: str, facts: Mapping[str, Any]) -> None:
        """Keep the sockets, so that another thread can wake those who wait for them."""
        if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        connection = facts["return_value"].get_extra_info("socket")
        if isinstance(connection, socket.socket):
            with self._lock:
                self._sockets = {old for old in self._sockets if old.fileno() != -1}
                self._sockets.add(connection)
            if self._stopped.is_set():
                _shut(connection)


class _Unconnected(Unreachable):
    """Nothing of the request has reached the service."""


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _may_help(error: ServiceError, call: Call) -> bool:
    if isinstance(error, _Unconnected):
        return True
    if isinstance(error, Unreachable):
        return call.repeatable
    return error.status in BUSY


@contextmanager
def _usable() -> Iterator[None]:
    """:class:`UsageError` where the certificates or the environment's proxy are of no use."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"the file of authorities to trust cannot be read: {reason}") from error
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise UsageError(f"the environment's proxy cannot be used: {error}") from error


def _shown(url: httpx.URL) -> str:
    return str(url.copy_with(userinfo=b""))


def has_password(url: str) -> bool:
    """Whether the address says who calls; :class:`UsageError` for what is no address."""
    return bool(httpx.URL(_checked(url)).userinfo)


def _checked(url: str) -> str:
    check_kinds(url=(url, str))
    try:
        parsed = httpx.URL(url)
        # As it is looked up; labels that are too long or empty show nowhere else before.
        parsed.raw_host.decode("ascii").encode("idna")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise UsageError(f"'{url}' is no address: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UsageError(f"'{url}' is no address of a service; write http://host:port")
    if parsed.query or parsed.fragment:
        raise UsageError(
            f"'{_shown(parsed)}' is more than the address of a service: leave out ?…#…"
        )
    return url


def _json(response: httpx.Response) -> Any:
    response.read()
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        raise StrangeAnswer(
            f"{_shown(response.url)} answered something that is not JSON",
            status=response.status_code,
        ) from error


def _refusal(response: httpx.Response) -> ServiceError:
    """The exception for an answer that is no success."""
    request_id = response.headers.get("x-request-id")
    retry_after = read_retry_after(response.headers.get("retry-after"))
    document = _problem(response)
    if document is not None:
        error = error_of(document, response.status_code, request_id, retry_after)
        error.is_own = "code" in document
        return error
    said = _PLAINLY.get(response.status_code)
    if said is not None:
        # A proxy before the service says so in words of its own.
        status = f"{response.status_code} {response.reason_phrase}".strip()
        title = f"{_shown(response.url)} {said} (HTTP status {status})"
        error = error_of({"title": title}, response.status_code, request_id, retry_after)
        error.is_own = False
        return error
    if response.status_code == HTTPStatus.GATEWAY_TIMEOUT:
        return NoAnswer(
            f"{_shown(response.url)}: the proxy before the service got no answer in time",
            status=response.status_code,
            request_id=request_id,
        )
    url, to = _shown(response.url), response.headers.get("location")
    strange = (
        f"{url} redirects to {to}, which is not followed; give the address of the service itself"
        if response.is_redirect and to
        else f"{url} answered HTTP status {response.status_code} without saying why; "
        "is it the address of the service?"
    )
    return StrangeAnswer(
        strange,
        status=response.status_code,
        request_id=request_id,
    )


def _problem(response: httpx.Response) -> Mapping[str, object] | None:
    """What the service says, or a gateway in a document of the same kind, which names no code.

    None where it is somebody else's answer.
    """
    kind = response.headers.get("content-type", "")
    if "json" not in kind:
        return None
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > _LONGEST_PROBLEM:
            return None
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    names = {"code", "title", "detail"} if "problem+json" in kind else {"code"}
    return document if names & document.keys() else None
