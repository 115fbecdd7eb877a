from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from hyperfocal.server.errors import Forbidden, ProductionRefused, Unauthorized
from hyperfocal.server.security.caller import (
    authorise,
    check_origin,
    identify,
    scope_needed,
    without_key,
)
from hyperfocal.server.security.keys import Keys, add_key
from hyperfocal.server.security.starting import check_production
from hyperfocal.server.settings import ServerSettings


def caller(peer="127.0.0.1", hops=0, **headers):
    named = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return without_key(named, peer, ServerSettings(trusted_proxy_hops=hops))


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/", None),
        ("/static/main.js", None),
        ("/docs", None),
        ("/openapi.json", None),
        ("/healthz", None),
        ("/readyz", None),
        ("/version", None),
        ("/v1/results/x.png", None),
        ("/metrics", "admin"),
        ("/predict", "use"),
        ("/v1/upscale", "use"),
        ("/v1/jobs/1/events", "use"),
        ("/v1/models", "use"),
        ("/v1/feedback", "use"),
        ("/v1/admin/reload", "admin"),
        ("/v1/admin/rollback", "admin"),
        ("/v1/anything-new", "use"),
        ("/static", "use"),
        ("//", "use"),
        ("/v1/results", "use"),
        ("/healthz/", "use"),
    ],
)
def test_whatever_is_not_said_to_be_open_needs_a_key(path, scope):
    assert scope_needed(path, metrics_public=False) == scope


def test_metrics_may_be_public():
    assert scope_needed("/metrics", metrics_public=True) is None


@pytest.mark.parametrize(
    ("line", "hops", "address"),
    [
        ("1.1.1.1", 0, "9.9.9.9"),
        ("1.1.1.1", 1, "1.1.1.1"),
        ("6.6.6.6, 1.1.1.1", 1, "1.1.1.1"),
        ("6.6.6.6, 1.1.1.1, 2.2.2.2", 2, "1.1.1.1"),
        ("1.1.1.1", 2, "9.9.9.9"),
        ("", 1, "9.9.9.9"),
        (" , ", 1, "9.9.9.9"),
        ("1.1.1.1:5000", 1, "1.1.1.1"),
        ("2001:DB8::1", 1, "2001:db8::1"),
        ("[2001:db8::1]", 1, "2001:db8::1"),
        ("[2001:db8::1]:5000", 1, "2001:db8::1"),
        ("::ffff:1.1.1.1", 1, "1.1.1.1"),
        ("[::ffff:1.1.1.1]:5000", 1, "1.1.1.1"),
        # What is no address is not somebody else each time.
        ("unknown", 1, "9.9.9.9"),
        ("_hidden:1", 1, "9.9.9.9"),
        ("1.1.1.1:5000:1", 1, "9.9.9.9"),
        ("6.6.6.6, 1.1.1.300", 1, "9.9.9.9"),
    ],
)
def test_forwarded_addresses_are_believed_as_far_as_proxies_are_ours(line, hops, address):
    assert caller("9.9.9.9", hops, x_forwarded_for=line).address == address


def test_one_subscriber_is_one_identity():
    assert caller("2001:db8:1:2::5").identity == caller("2001:db8:1:2:ffff::1").identity
    assert caller("2001:db8:1:2::5").identity != caller("2001:db8:1:3::5").identity
    assert caller("10.0.0.1").identity != caller("10.0.0.2").identity
    assert caller("fe80::1%eth0").identity == caller("fe80::2%eth0").identity
    assert caller("unix:").identity
    assert caller("::ffff:9.9.0.4").identity != caller("::ffff:9.9.1.4").identity
    assert caller("::ffff:9.9.0.4").identity == caller("9.9.0.4").identity


def test_a_key_may_come_in_either_header(tmp_path):
    key, text = add_key(tmp_path / "keys", "batch", ("use",))
    keys = Keys(tmp_path / "keys")
    for headers in (
        {"authorization": f"Bearer {text}"},
        {"authorization": f"bearer  {text} "},
        {"x-api-key": text},
        {"authorization": "Basic abc", "x-api-key": text},
    ):
        found = identify(Headers(headers), caller(), keys)
        assert (found.owner, found.scopes) == (key.id, {"use"})
    for headers in ({"authorization": "Bearer "}, {"x-api-key": ""}, {"x-api-key": text + "x"}):
        with pytest.raises(Unauthorized):
            identify(Headers(headers), caller(), keys)
    assert identify(Headers({}), caller(), keys).owner == ""
    assert identify(Headers({"x-api-key": "whatever"}), caller(), None).owner == ""


def test_scopes_are_held(tmp_path):
    _, use = add_key(tmp_path / "keys", "batch", ("use",))
    _, admin = add_key(tmp_path / "keys", "boss", ("use", "admin"))
    keys = Keys(tmp_path / "keys")

    def may(text, needed):
        authorise(identify(Headers({"x-api-key": text}), caller(), keys), needed, keys, "h")

    may(use, "use")
    may(admin, "use")
    may(admin, "admin")
    with pytest.raises(Forbidden):
        may(use, "admin")
    with pytest.raises(Unauthorized):
        authorise(caller(), "use", keys, "127.0.0.1")
    with pytest.raises(Unauthorized):
        authorise(caller(), "admin", keys, "127.0.0.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:8000", "[::1]:80"])
def test_without_keys_administration_is_for_this_machine(host):
    authorise(caller(), "admin", None, host)
    authorise(caller("::1"), "admin", None, host)
    authorise(caller("::ffff:127.0.0.1"), "admin", None, host)


@pytest.mark.parametrize(
    ("who", "host"),
    [
        (caller("192.168.1.2"), "127.0.0.1"),
        (caller("nonsense"), "127.0.0.1"),
        (caller(x_forwarded_for="127.0.0.1"), "127.0.0.1"),
        (caller(forwarded="for=1.1.1.1"), "127.0.0.1"),
        (caller(x_real_ip="1.1.1.1"), "127.0.0.1"),
        # A proxy that adds no header, and passes on its own name for this machine.
        (caller(hops=1), "127.0.0.1:8000"),
        (caller("::1", hops=2), "localhost"),
        # A name of somebody else's that was made to point here.
        (caller(), "evil.example:8000"),
        (caller(), ""),
    ],
)
def test_without_keys_administration_is_for_nobody_else(who, host):
    with pytest.raises(Forbidden):
        authorise(who, "admin", None, host)
    authorise(who, "use", None, host)


HOST = {"host": "here.example:8000"}


@pytest.mark.parametrize(
    ("method", "headers", "allowed"),
    [
        ("POST", {}, ()),
        ("POST", {"origin": "http://here.example:8000"}, ()),
        ("GET", {"origin": "https://evil.example"}, ()),
        ("POST", {"origin": "https://a.example"}, ("https://a.example",)),
        ("POST", {"origin": "https://a.example"}, ("*",)),
        # A proxy in front changed the host, but the browser knows.
        ("POST", {"origin": "https://public.example", "sec-fetch-site": "same-origin"}, ()),
    ],
)
def test_pages_of_this_service_may_call_it(method, headers, allowed):
    check_origin(method, Headers(HOST | headers), allowed)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {"origin": "https://evil.example"}),
        ("DELETE", {"origin": "https://evil.example"}),
        ("POST", {"origin": "null"}),
        ("POST", {"origin": ""}),
        ("POST", {"origin": "http://here.example"}),
        ("POST", {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}),
        ("POST", {"origin": "https://evil.example", "sec-fetch-site": "same-site"}),
    ],
)
def test_pages_of_others_may_not(method, headers):
    with pytest.raises(Forbidden, match="cors"):
        check_origin(method, Headers(HOST | headers), ("https://a.example",))
    with pytest.raises(Forbidden):
        check_origin("POST", Headers({"origin": "null"}), ())


GOOD = "vJ3bq0Zx8Qm1Lr5Tn7Wc2Yd4Ks6Hf9Ga-xe"


@pytest.mark.parametrize(
    ("settings", "keys", "said"),
    [
        ({"secret": ""}, 1, "secret"),
        ({"secret": "short"}, 1, "secret"),
        ({"secret": "a" * 64}, 1, "secret"),
        ({"secret": "change-me-please-4f7a9c2e1b8d6035"}, 1, "secret"),
        ({"secret": "this-is-the-default-0123456789abcd"}, 1, "secret"),
        ({"secret": GOOD, "host": "0.0.0.0"}, 0, "keys"),
        ({"secret": GOOD, "host": "example.org"}, 0, "keys"),
        ({"secret": GOOD, "trusted_proxy_hops": 1}, 0, "behind a proxy.*keys"),
        ({"secret": GOOD, "cors": ("*",)}, 1, "cors"),
    ],
)
def test_production_refuses_what_must_not_meet_the_world(settings, keys, said):
    with pytest.raises(ProductionRefused, match=said):
        check_production(ServerSettings(production=True, **settings), keys)
    check_production(ServerSettings(**settings), keys)


def test_production_starts_when_all_is_well():
    check_production(ServerSettings(production=True, secret=GOOD, host="0.0.0.0"), 1)
    check_production(ServerSettings(production=True, secret=GOOD), 0)
    check_production(ServerSettings(production=True, secret=GOOD, trusted_proxy_hops=1), 1)
