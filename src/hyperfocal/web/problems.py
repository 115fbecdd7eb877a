"""What goes wrong here rather than in the API, as RFC 9457 problem documents like the API's."""

from __future__ import annotations

import json

MEDIA_TYPE = "application/problem+json"


class Refused(Exception):
    """A request that is answered by a problem; ``code`` is stable, ``status`` that of HTTP.

    ``retry_after``: seconds after which it may be asked again; None where that would not help.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.retry_after = retry_after

    def document(self, instance: str, request_id: str) -> bytes:
        """The body of the answer."""
        return json.dumps(
            {
                "type": f"urn:hyperfocal:problem:{self.code}",
                "title": self.code.replace("-", " ").capitalize(),
                "status": self.status,
                "detail": self.detail,
                "instance": instance,
                "code": self.code,
                "request_id": request_id,
            }
        ).encode()


def not_found(path: str) -> Refused:
    """Nothing there, or nothing that is passed on."""
    return Refused(404, "not-found", f"there is nothing at {path}")


def no_address() -> Refused:
    """An address with control characters in it."""
    return Refused(400, "malformed", "the address has characters that none may have")


def too_large(max_body: int) -> Refused:
    """More bytes than a request may have."""
    return Refused(
        413, "body-too-large", f"the request has more than the {max_body:,} bytes allowed"
    )


def too_late(seconds: float) -> Refused:
    """A request that has not arrived in time."""
    return Refused(408, "body-too-slow", f"the request did not arrive within {seconds:g} s")


def too_many_answers() -> Refused:
    """All threads but those of the page are busy with answers of the API."""
    return Refused(
        503,
        "too-many-answers",
        "too many answers are on their way; try again in a moment",
        retry_after=2,
    )


def too_many_followers() -> Refused:
    """More jobs are followed than there are threads to spare."""
    return Refused(
        503,
        "too-many-followers",
        "too many jobs are being followed; ask for the job itself",
        retry_after=2,
    )


def too_many_uploads() -> Refused:
    """More bytes on their way than there is room for."""
    return Refused(
        503,
        "too-many-uploads",
        "too much is being sent at present; try again in a moment",
        retry_after=10,
    )


def unforeseen() -> Refused:
    """An error in this program; what it was is in the log."""
    return Refused(500, "internal", "something went wrong here; the log has it")


def unreachable() -> Refused:
    """No API there, or it hung up."""
    return Refused(502, "api-unreachable", "the API behind this page cannot be reached")


def too_slow() -> Refused:
    """The API takes longer than it may."""
    return Refused(504, "api-timeout", "the API behind this page did not answer in time")
