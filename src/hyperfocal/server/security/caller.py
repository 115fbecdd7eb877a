"""Who sends a request, and whether they may."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hyperfocal.server.errors import Forbidden, Unauthorized

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.requests import Request

    from hyperfocal.server.security.keys import Keys, Scope
    from hyperfocal.server.settings import ServerSettings

# Whoever is not named here needs a key, so that a route added later is closed, not open.
_OPEN = frozenset(
    {
        "/",
        "/healthz",
        "/readyz",
        "/version",
        "/docs",
        "/docs/style.css",
        "/openapi.json",
        "/favicon.ico",
    }
)
_OPEN_BELOW = ("/static/", "/v1/results/")
# 192.0.2.1:5000, [2001:db8::1]:5000 or [2001:db8::1]; an IPv6 address alone has colons, too.
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]+|\[([^\[\]]+)\](?::[0-9]+)?")
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Caller:
    """``owner``: id of the key, "" without one; ``address``: as far as proxies are believed.

    ``direct``: nothing says that the request came through a proxy; where proxies are told of in
    the settings, it is taken to have.
    """

    owner: str
    scopes: frozenset[str]
    address: str
    direct: bool = True

    @property
    def identity(self) -> str:
        """What a rate is counted by."""
        return f"key {self.owner}" if self.owner else f"address {_network(self.address)}"


NOBODY = Caller("", frozenset(), "")


def caller_of(request: Request) -> Caller:
    """The caller of a request."""
    caller: Caller = getattr(request.state, "caller", NOBODY)
    return caller


def owner_of(request: Request) -> str:
    """The id of the key that a request was sent with; "" without one."""
    return caller_of(request).owner


def scope_needed(path: str, *, metrics_public: bool) -> Scope | None:
    """What a key must allow for an address; None: no key is needed."""
    if path in _OPEN or path.startswith(_OPEN_BELOW):
        return None
    if path == "/metrics":
        return None if metrics_public else "admin"
    return "admin" if path.startswith("/v1/admin") else "use"


def without_key(headers: Headers, peer: str, settings: ServerSettings) -> Caller:
    """Whoever sends this, before any key is looked at; ``peer``: the connection's other end."""
    peer = _plain(peer) or peer
    address, direct = _address(headers, peer, settings.trusted_proxy_hops)
    return Caller("", frozenset(), address, direct)


def identify(headers: Headers, caller: Caller, keys: Keys | None) -> Caller:
    """The same with the key that was sent, if any; :class:`Unauthorized` for one not known."""
    given = _given_key(headers)
    if keys is None or given is None:
        return caller
    key = keys.check(given)
    return replace(caller, owner=key.id, scopes=frozenset(key.scopes))


def authorise(caller: Caller, needed: Scope | None, keys: Keys | None, host: str) -> None:
    """Raise :class:`Unauthorized` or :class:`Forbidden` unless the caller may.

    Where no keys are asked for, administration is for programs on this machine that address it
    as such: neither through a proxy nor under a name somebody else made point here.
    """
    if needed is None:
        return
    if keys is None:
        if needed == "admin" and not _is_local(caller, host):
            raise Forbidden("without API keys this is only for the machine itself")
        return
    if not caller.owner:
        raise Unauthorized("send an API key: 'Authorization: Bearer KEY' or 'X-API-Key: KEY'")
    if needed not in caller.scopes:
        raise Forbidden(f"the API key does not have the scope '{needed}'")


def may_still(request: Request, needed: Scope, keys: Keys | None) -> bool:
    """Whether a request that was let in would be now: its key may be gone since."""
    headers = request.headers
    try:
        caller = identify(headers, caller_of(request), keys)
        authorise(caller, needed, keys, headers.get("host", ""))
    except (Unauthorized, Forbidden):
        return False
    return True


def check_origin(method: str, headers: Headers, allowed: tuple[str, ...]) -> None:
    """Raise :class:`Forbidden` for a change that another site's page asks a browser for."""
    origin = headers.get("origin")
    if method in ("GET", "HEAD", "OPTIONS") or origin is None:
        return
    # The browser's own word, which a page cannot change; a proxy may have changed the host.
    if headers.get("sec-fetch-site") == "same-origin":
        return
    host = headers.get("host")
    if host and origin.partition("://")[2] == host:
        return
    if origin not in allowed and "*" not in allowed:
        raise Forbidden("pages of this origin may not call (setting cors)")


def _given_key(headers: Mapping[str, str]) -> str | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    return headers.get("x-api-key")


def _address(headers: Headers, peer: str, hops: int) -> tuple[str, bool]:
    line = ",".join(headers.getlist("x-forwarded-for"))
    # A proxy on this machine that adds none of these headers looks like a program on it.
    told = line or "forwarded" in headers or "x-real-ip" in headers
    direct = not hops and not told
    chain = [part.strip() for part in line.split(",") if part.strip()]
    if hops and len(chain) >= hops:
        # Only the last entries were written by proxies that are ours. What is no address, such
        # as "unknown", is nobody's in particular.
        return _plain(chain[-hops]) or peer, direct
    return peer, direct


def _plain(text: str) -> str | None:
    """An address without the port some proxies add, IPv4 as such; None for what is none."""
    match = _WITH_PORT.fullmatch(text)
    try:
        parsed = ipaddress.ip_address((match[1] or match[2]) if match else text)
    except ValueError:
        return None
    # How IPv4 looks to a proxy that listens for both kinds.
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def _network(address: str) -> str:
    """An IPv4 address, or the /64 that one subscriber has of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network(f"{address.partition('%')[0]}/64", strict=False))


def _is_local(caller: Caller, host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        loopback = ipaddress.ip_address(caller.address).is_loopback
    except ValueError:
        loopback = False
    return loopback and caller.direct and name.lower() in _LOCAL_NAMES
