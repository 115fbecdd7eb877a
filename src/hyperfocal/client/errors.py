"""What the service refused, as exceptions.

    ServiceError                  1   any refusal; knows the status and the request's id
    ├── Unreachable               1   no connection, or it broke off
    ├── NoAnswer                  1   connected, and no answer in time
    ├── StrangeAnswer             1   an answer that is not this service's
    ├── QueueFull                 1   too many tasks are waiting; try later
    ├── Draining                  1   the service is being stopped; try later
    ├── RateLimited               1   too many requests for this key or address
    ├── DeadlinePassed            1   the work took longer than the service allows
    ├── WorkerDied                1   the process doing the work ended
    ├── WorkerMemory              3   the picture needs more memory than a worker may use
    ├── BodyTooLarge              3   more bytes than the service, or a proxy before it, takes
    ├── BodyTooSlow               1   the bytes arrived too slowly
    ├── Unauthorized              2   no key, or an unknown one
    ├── Forbidden                 2   the key may not do this
    └── NotFound                  1   no such job, result or request

What is an error of restoring itself comes as that error *and* as a ServiceError: a broken picture
is caught by ``except BrokenPicture`` as well as by ``except ServiceError``. The number is the
exit code of the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from hyperfocal import errors
from hyperfocal.errors import HyperfocalError


class ServiceError(HyperfocalError):
    """The service refused, or could not be asked.

    ``code``: stable, for programs. ``status``: of HTTP, 0 where no answer came. ``request_id``:
    names the request in the service's log, None where no answer came. ``retry_after``: seconds
    after which the service asks to be tried again.
    """

    is_own = True
    """Whether the service itself said so, and not somebody before it, in words of their own."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status
        self.request_id = request_id
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, where what is joined here is another class of the same code."""
        kind = type(self)
        told = kind.code if _joined().get(kind.code) is kind else kind
        return _again, (told, self.args), self.__dict__


def _again(told: str | type[ServiceError], args: tuple[object, ...]) -> ServiceError:
    kind = _joined()[told] if isinstance(told, str) else told
    return kind.__new__(kind, *args)


class Unreachable(ServiceError):
    """No connection, or it broke off before the whole answer was there."""

    code = "unreachable"
    status = 0


class NoAnswer(ServiceError):
    """Connected, and no answer within the time limit of the client, or of a proxy (status 504)."""

    code = "no-answer"
    status = 0


class StrangeAnswer(ServiceError):
    """Not what this service answers: another server at that address, or a proxy's page."""

    code = "strange-answer"


class QueueFull(ServiceError):
    """Too many tasks are waiting."""

    code = "queue-full"
    status = 503


class Draining(ServiceError):
    """The service is being stopped and takes nothing new."""

    code = "draining"
    status = 503


class RateLimited(ServiceError):
    """More requests than this key or address may make."""

    code = "rate-limited"
    status = 429


class DeadlinePassed(ServiceError):
    """The work took longer than the service allows; a job may take longer."""

    code = "deadline"
    status = 504


class WorkerDied(ServiceError):
    """The process that did the work ended."""

    code = "worker-died"


class WorkerMemory(ServiceError):
    """The picture needs more memory than a worker may use."""

    code = "out-of-memory"
    status = 413
    exit_code = 3


class BodyTooLarge(ServiceError):
    """More bytes than the service, or a proxy before it, takes."""

    code = "body-too-large"
    status = 413
    exit_code = 3


class BodyTooSlow(ServiceError):
    """The bytes arrived too slowly."""

    code = "body-too-slow"
    status = 408


class Unauthorized(ServiceError):
    """No key was given, or one the service does not know; or a proxy before it wants to be told."""

    code = "unauthorized"
    status = 401
    exit_code = 2


class Forbidden(ServiceError):
    """The key may not do this, or a proxy before the service lets nobody through."""

    code = "forbidden"
    status = 403
    exit_code = 2


class NotFound(ServiceError):
    """No such job, result or request, or it belongs to another key."""

    code = "not-found"
    status = 404


# What a status means in whatever words it comes: a proxy before the service has its own.
_BY_STATUS = {kind.status: kind for kind in (Unauthorized, Forbidden, BodyTooLarge)}


def error_of(
    document: Mapping[str, object], status: int, request_id: str | None, retry_after: float | None
) -> ServiceError:
    """The exception for a problem document (RFC 9457) and the headers it came with.

    A code that this version of the client does not know gives what the status says, or a plain
    :class:`ServiceError`.
    """
    by_status = _BY_STATUS.get(status, ServiceError)
    code = _text(document, "code")
    kind = class_of(code) if code else by_status
    if kind is ServiceError:
        kind = by_status
    code = code or (f"http-{status}" if kind is ServiceError else kind.code)
    message = _text(document, "detail") or _text(document, "title") or f"HTTP status {status}"
    return kind(
        message,
        code=code,
        status=status,
        request_id=_text(document, "request_id") or request_id,
        retry_after=retry_after,
    )


def is_away(error: ServiceError) -> bool:
    """Whether nobody answered, or somebody else than the service.

    A service that is busy says so in a problem document; a 503 without is a proxy's that has no
    service behind it. A 502 or 504 is a proxy's whoever words it.
    """
    if isinstance(error, Unreachable | NoAnswer | StrangeAnswer | NotFound):
        return True
    return error.status in (502, 504) or error.code == "http-503"


def class_of(code: str) -> type[ServiceError]:
    """The exception for a code."""
    for kind in ServiceError.__subclasses__():
        if kind.__bases__ == (ServiceError,) and kind.code == code:
            return kind
    return _joined().get(code, ServiceError)


@cache
def _joined() -> dict[str, type[ServiceError]]:
    """Every error of restoring, as a class that is a ServiceError too; by code."""
    return {
        kind.code: type(kind.__name__, (ServiceError, kind), {"__doc__": kind.__doc__})
        for kind in _tree(HyperfocalError)
        if kind.__module__ == errors.__name__
    }


def _tree(kind: type[HyperfocalError]) -> Iterator[type[HyperfocalError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _tree(child)


def _text(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""
