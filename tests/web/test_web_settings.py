from __future__ import annotations

import pytest

from hyperfocal.errors import SettingsError
from hyperfocal.server.settings import ServerSettings
from hyperfocal.web.settings import WebSettings


def test_the_limits_are_the_services_where_nothing_is_said():
    got, service = WebSettings.read({}), ServerSettings.read({})
    assert (got.max_body, got.body_seconds) == (service.max_body, service.body_seconds)
    assert got.disk_reserve == service.disk_reserve
    assert (got.api, got.host) == ("http://127.0.0.1:8000", "127.0.0.1")


def test_both_servers_read_the_same_variables():
    environment = {
        "FASTAPI_SERVER_URL": "http://api:8000/",
        "HYPERFOCAL_SERVER_MAX_BODY": "20MB",
        "HYPERFOCAL_SERVER_BODY_SECONDS": "9",
        "HYPERFOCAL_SERVER_DISK_RESERVE": "1GB",
    }
    got = WebSettings.read(environment)
    assert (got.api, got.max_body, got.body_seconds) == ("http://api:8000", 20_000_000, 9)
    assert got.disk_reserve == 10**9
    assert WebSettings.read(environment, api="http://x").api == "http://x"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"api": "api:8000"}, "no address of an API"),
        ({"api": "ftp://api"}, "no address of an API"),
        ({"api": "http://"}, "no address of an API"),
        ({"api": "http://api/?a=b"}, "no address of an API"),
        ({"api": "http://api:port"}, "no address of an API"),
        ({"api": "http://me:secret@api"}, "no address of an API"),
        ({"max_body": 0}, "'max_body' must be positive"),
        ({"answer_seconds": -1}, "'answer_seconds' must be positive"),
        ({"answer_seconds": float("nan")}, "'answer_seconds' must be positive"),
        ({"answer_seconds": float("inf")}, "'answer_seconds' must be 86,400 or less"),
        ({"connect_seconds": 1e9}, "'connect_seconds' must be 86,400 or less"),
        ({"events_seconds": 0}, "'events_seconds' must be positive"),
        ({"held": 0}, "'held' must be positive"),
        ({"disk_reserve": -1}, "'disk_reserve' must not be negative"),
        ({"threads": 10**9}, "'threads' must be 4,096 or less"),
        ({"followers": 64}, "must leave threads"),
        ({"port": 70000}, "no port 70000"),
    ],
)
def test_what_cannot_work_is_refused(given, said):
    with pytest.raises(SettingsError, match=said):
        WebSettings.read({}, **given)


@pytest.mark.parametrize(
    "environment",
    [
        {"HYPERFOCAL_SERVER_MAX_BODY": "much"},
        {"HYPERFOCAL_SERVER_BODY_SECONDS": "long"},
        {"HYPERFOCAL_SERVER_BODY_SECONDS": "inf"},
        {"HYPERFOCAL_SERVER_BODY_SECONDS": "nan"},
    ],
)
def test_numbers_are_numbers(environment):
    with pytest.raises(SettingsError):
        WebSettings.read(environment)


def test_a_password_in_the_address_is_not_shown():
    with pytest.raises(SettingsError) as refused:
        WebSettings.read({}, api="http://me:secret@api")
    assert "secret" not in str(refused.value)
