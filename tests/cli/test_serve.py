"""``hyperfocal serve``: keys, and settings that cannot work."""

from __future__ import annotations

import socket

import pytest

from hyperfocal.server.security.keys import Keys
from hyperfocal.storage import without_password

_SECRET = "vJ3bq0Zx8Qm1Lr5Tn7Wc2Yd4Ks6Hf9Ga-xe"


@pytest.fixture
def serve(run, monkeypatch, tmp_path):
    """``hyperfocal serve`` with its data in the test's folder, and no log.

    It would be that of the whole process, to a stream that goes with the test.
    """
    monkeypatch.setenv("HYPERFOCAL_SERVER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("hyperfocal.server.logs.configure", lambda level: None)

    def call(*arguments):
        return run("serve", *arguments)

    return call


def test_a_key_is_made_listed_and_revoked(serve, tmp_path):
    file = tmp_path / "data" / "keys"
    made = serve("keys", "add", "batch")
    assert made.code == 0
    assert Keys(file).check(made.text.strip()).scopes == ("use",)
    assert "not shown again" in made.err
    admin = serve("keys", "add", "boss", "--admin", "--json").json
    assert Keys(file).check(admin["key"]).scopes == ("use", "admin")
    listed = serve("keys", "list", "--json").json["keys"]
    assert [key["name"] for key in listed] == ["batch", "boss"]
    assert made.text.strip() not in str(listed)
    assert "boss" in serve("keys", "list").text
    assert serve("keys", "revoke", "batch").code == 0
    assert [key["name"] for key in serve("keys", "list", "--json").json["keys"]] == ["boss"]


def test_the_file_of_the_settings_is_the_one_meant(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("HYPERFOCAL_SERVER_KEYS", str(tmp_path / "elsewhere"))
    serve("keys", "add", "a")
    assert len(Keys(tmp_path / "elsewhere")) == 1
    serve("keys", "add", "b", "--keys", tmp_path / "third")
    assert len(Keys(tmp_path / "third")) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("keys", "add", "a b"), "letters"),
        (("keys", "revoke", "nobody"), "no key 'nobody'"),
        (("keys", "list", "--keys", "."), "is a folder"),
        (("--port", "70000"), "port"),
        (("--workers", "-1"), "workers"),
        (("--log-level", "loud"), "log_level"),
        (("--keys", "missing"), "keys add"),
        (("--production",), "secret"),
    ],
)
def test_what_cannot_work_is_said_and_exits_with_2(serve, arguments, said):
    answer = serve(*arguments)
    assert answer.code == 2
    assert said in answer.err


def test_an_unknown_setting_of_the_environment_exits_with_2(serve, monkeypatch):
    monkeypatch.setenv("HYPERFOCAL_SERVER_PROT", "1")
    answer = serve()
    assert answer.code == 2
    assert "did you mean 'port'" in answer.err


def test_production_needs_keys_where_others_can_reach_it(serve, monkeypatch):
    monkeypatch.setenv("HYPERFOCAL_SERVER_SECRET", _SECRET)
    answer = serve("--production", "--host", "0.0.0.0")
    assert answer.code == 2
    assert "keys add" in answer.err


def test_a_port_that_is_taken_exits_with_2(serve):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = serve("--port", port)
    assert answer.code == 2
    assert f"port {port}" in answer.err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:p@ssword@host/name", "postgresql://host/name"),
        ("postgresql://me:pass/word@host/name", "postgresql://host/name"),
        ("postgresql://host/name?user=me&password=p@ss&sslmode=require",
         "postgresql://host/name?user=me&password=&sslmode=require"),
        ("s3://key@bucket/folder", "s3://bucket/folder"),
        ("sqlite:////home/a@b/jobs.db", "sqlite:////home/a@b/jobs.db"),
        ("/data/a@b", "/data/a@b"),
    ],
)  # fmt: skip
def test_addresses_are_shown_without_a_password(url, shown):
    assert without_password(url) == shown


def test_settings_are_shown_without_the_secret(serve, monkeypatch):
    monkeypatch.setenv("HYPERFOCAL_SERVER_SECRET", _SECRET)
    monkeypatch.setenv("HYPERFOCAL_SERVER_MAX_BODY", "20MB")
    monkeypatch.setenv("HYPERFOCAL_SERVER_DATABASE", "postgresql://me:p@ssword@host/name")
    shown = serve("settings", "--json")
    assert shown.json["database"] == "postgresql://host/name"
    assert shown.json["max_body"] == 20_000_000
    assert shown.json["secret"] == "set"
    assert _SECRET not in serve("settings").text


def test_the_services_variables_do_not_disturb_other_verbs(serve, run, monkeypatch):
    monkeypatch.setenv("HYPERFOCAL_SERVER_PORT", "9000")
    assert run("models", "list").code == 0
