"""What can go wrong in the service, beyond what restoring can raise.

    HyperfocalError
    ├── Busy                        the work cannot be taken now; trying again later may help
    │   ├── QueueFull         503
    │   ├── Draining          503
    │   ├── Crowded           503
    │   ├── SpoolFull         503
    │   ├── SpoolUnusable     503
    │   └── RateLimited       429
    ├── DeadlinePassed        504   the time allowed is over
    ├── WorkerError                 the process that did the work
    │   ├── WorkerDied        500
    │   ├── WorkerFailed      500
    │   └── WorkerMemory      413
    ├── RequestError                the request, whatever picture it carries
    │   ├── BodyTooLarge      413
    │   ├── BodyTooSlow       408
    │   ├── Malformed         422
    │   ├── UnsupportedBody   415
    │   ├── NotAcceptable     406
    │   ├── RangeNotSatisfiable 416
    │   ├── Unauthorized      401
    │   ├── Forbidden         403
    │   └── NotFound          404
    └── ProductionRefused           settings that must not meet the world

The number is the HTTP status. Codes are stable.
"""

from __future__ import annotations

from hyperfocal.errors import HyperfocalError, SettingsError


class Busy(HyperfocalError):
    """The work cannot be taken now."""

    code = "busy"
    status = 503


class QueueFull(Busy):
    """As many pictures wait as may wait."""

    code = "queue-full"


class Draining(Busy):
    """The service is starting up or shutting down and takes no work."""

    code = "draining"


class Crowded(Busy):
    """As many clients are connected as may be."""

    code = "crowded"


class SpoolFull(Busy):
    """There is no room on the disk for a picture."""

    code = "spool-full"


class SpoolUnusable(Busy):
    """The folder of pictures in work cannot be used."""

    code = "spool-unusable"


class RateLimited(Busy):
    """More requests a minute, or pictures a day, than one caller may send.

    ``retry_after``: seconds until the next.
    """

    code = "rate-limited"
    status = 429

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlinePassed(HyperfocalError):
    """The time that the work was given is over."""

    code = "deadline"
    status = 504


class WorkerError(HyperfocalError):
    """The process that did the work did not bring it to an end."""

    code = "worker"


class WorkerDied(WorkerError):
    """The worker process ended in the middle of the work."""

    code = "worker-died"


class WorkerFailed(WorkerError):
    """An error that nobody foresaw; the log has the details."""

    code = "worker-failed"


class WorkerMemory(WorkerError):
    """The picture needs more memory than a worker may use."""

    code = "out-of-memory"
    status = 413


class RequestError(HyperfocalError):
    """The request cannot be answered, whatever picture it carries."""

    code = "request"
    status = 400


class BodyTooLarge(RequestError):
    """More bytes than a request may have."""

    code = "body-too-large"
    status = 413


class BodyTooSlow(RequestError):
    """The request did not arrive in the time it was given."""

    code = "body-too-slow"
    status = 408


class Malformed(RequestError):
    """The body is not what its type says, or lacks something."""

    code = "malformed"
    status = 422


class UnsupportedBody(RequestError):
    """A kind of body that is not taken here."""

    code = "unsupported-body"
    status = 415


class NotAcceptable(RequestError):
    """No answer can be of a kind that the client accepts."""

    code = "not-acceptable"
    status = 406


class RangeNotSatisfiable(RequestError):
    """None of the bytes asked for are there; ``size``: how many there are."""

    code = "range-not-satisfiable"
    status = 416

    def __init__(self, message: str, size: int = 0) -> None:
        super().__init__(message)
        self.size = size


class Unauthorized(RequestError):
    """No key, or none that is known."""

    code = "unauthorized"
    status = 401


class Forbidden(RequestError):
    """The key does not allow this."""

    code = "forbidden"
    status = 403


class NotFound(RequestError):
    """Nothing of that name, or not for this caller."""

    code = "not-found"
    status = 404


class ProductionRefused(SettingsError):
    """Settings that are unsafe where strangers can reach the service."""

    code = "production-refused"
