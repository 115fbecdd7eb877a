"""Links that whoever holds them may follow, for a while: signed with HMAC-SHA256."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

from hyperfocal.server.errors import Forbidden, RequestError


class LinkExpired(RequestError):
    """The link was good, and is no more."""

    code = "link-expired"
    status = 410


def sign(name: str, expires: int, secret: str) -> str:
    """The signature of a link to ``name`` that is good until ``expires``, seconds since 1970."""
    # The length keeps a name that ends in digits apart from the time that follows.
    message = f"{len(name)}:{name}:{expires}".encode()
    digest = hmac.new(secret.encode(), message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def check(name: str, expires: int, signature: str, secret: str, now: float | None = None) -> None:
    """Raise :class:`Forbidden` for a signature that is not ours, else :class:`LinkExpired`.

    ``now``: seconds since 1970, left out: this moment. Compared in constant time.
    """
    if not hmac.compare_digest(sign(name, expires, secret).encode(), signature.encode()):
        raise Forbidden("the link's signature is not right")
    if (time.time() if now is None else now) >= expires:
        raise LinkExpired("the link is no longer good")
