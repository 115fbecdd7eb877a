"""Keys and scopes at the door, and administration."""

from __future__ import annotations

import pytest
from pretending import check_problem

from hyperfocal.server.app import create_app
from hyperfocal.server.errors import ProductionRefused
from hyperfocal.server.security.keys import add_key
from hyperfocal.server.settings import ServerSettings


@pytest.fixture
def keys(tmp_path):
    """A file of keys, and their texts by name."""
    file = tmp_path / "keys"
    texts = {
        name: {"x-api-key": add_key(file, name, scopes)[1]}
        for name, scopes in (("use", ("use",)), ("other", ("use",)), ("admin", ("use", "admin")))
    }
    return file, texts


GUARDED = [
    ("POST", "/predict"),
    ("POST", "/v1/upscale"),
    ("POST", "/v1/preview"),
    ("POST", "/v1/estimate"),
    ("GET", "/v1/models"),
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs/1"),
    ("GET", "/v1/jobs/1/events"),
    ("GET", "/v1/jobs/1/result"),
    ("DELETE", "/v1/jobs/1"),
    ("POST", "/v1/feedback"),
    ("DELETE", "/v1/feedback/1"),
    ("GET", "/metrics"),
    ("POST", "/v1/admin/reload"),
    ("POST", "/v1/admin/rollback"),
    ("GET", "/v1/nothing"),
]


def test_without_a_key_nothing_but_the_open_doors(pretending, keys):
    with pretending(keys=keys[0]) as running:
        for method, path in GUARDED:
            answer = running.client.request(method, path)
            check_problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"].startswith("Bearer")
            answer = running.client.request(method, path, headers={"x-api-key": "hf_wrong"})
            check_problem(answer, 401, "unauthorized")
        for path in ("/", "/healthz", "/readyz", "/version", "/docs", "/openapi.json"):
            assert running.client.get(path).status_code == 200
        assert running.pool.tasks == []


def test_a_refused_body_is_not_read(pretending, keys):
    with pretending(keys=keys[0]) as running, running.connection() as connection:
        connection.sendall(
            b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert connection.recv(12) == b"HTTP/1.1 401"


def test_with_a_key_its_scopes(pretending, keys):
    file, texts = keys
    with pretending(keys=file) as running:
        client = running.client
        answer = client.post("/v1/upscale", content=b"abc", headers=texts["use"])
        assert answer.content == b"cba"
        bearer = {"authorization": "Bearer " + texts["use"]["x-api-key"]}
        assert client.get("/v1/models", headers=bearer).status_code == 200
        for path in ("/v1/admin/reload", "/v1/admin/rollback"):
            check_problem(client.post(path, headers=texts["use"]), 403, "forbidden")
        check_problem(client.get("/metrics", headers=texts["use"]), 403, "forbidden")
        assert client.get("/metrics", headers=texts["admin"]).status_code == 200


def test_a_link_is_its_own_key(pretending, keys):
    file, texts = keys
    with pretending(keys=file) as running:
        sent = {"image": "YWJj"}
        found = running.client.post("/predict", json=sent, headers=texts["use"]).json()
        assert running.client.get(found["url"]).content == b"cba"
        changed = found["url"][:-1] + ("A" if found["url"][-1] != "A" else "B")
        check_problem(running.client.get(changed), 403, "forbidden")
        longer = found["url"].replace("expires=", "expires=9")
        check_problem(running.client.get(longer), 403, "forbidden")


def test_verdicts_belong_to_the_key_that_asked(pretending, keys):
    file, texts = keys
    with pretending(keys=file) as running:
        answer = running.client.post("/v1/upscale", content=b"abc", headers=texts["use"])
        verdict = {"request_id": answer.headers["x-request-id"], "verdict": "down"}
        refused = running.client.post("/v1/feedback", json=verdict, headers=texts["other"])
        check_problem(refused, 404, "not-found")
        taken = running.client.post("/v1/feedback", json=verdict, headers=texts["use"])
        assert taken.status_code == 201


def test_metrics_may_be_public(pretending, keys):
    with pretending(keys=keys[0], metrics_public=True) as running:
        assert running.client.get("/metrics").status_code == 200


def test_production_does_not_start_unsafely(tmp_path):
    for settings in ({}, {"secret": "x" * 40}, {"secret": "short"}):
        with pytest.raises(ProductionRefused):
            create_app(ServerSettings(data=tmp_path, production=True, **settings))


def test_behind_a_proxy_that_tells_nothing_administration_is_for_nobody(pretending):
    """Not only where it forwards the address: it connects from this machine for everybody."""
    with pretending(trusted_proxy_hops=1) as running:
        for method, path in (("GET", "/metrics"), ("POST", "/v1/admin/rollback")):
            check_problem(running.client.request(method, path), 403, "forbidden")
        assert running.client.get("/v1/models").status_code == 200


@pytest.fixture
def alone(pretending):
    """A service for one test."""
    with pretending() as made:
        yield made


def test_reload_and_roll_back(alone):
    running = alone

    def post(path, **content):
        return running.client.post(f"/v1/admin/{path}", **content)

    check_problem(post("rollback"), 409, "nothing-before")
    answer = post("reload", json={"models": ["photo-realtime-x2"]})
    assert answer.json() == {"models": ["photo-realtime-x2"], "version": "version 1"}
    assert running.client.get("/version").json()["models"] == ["photo-realtime-x2"]
    loaded = {one["name"] for one in running.client.get("/v1/models").json() if one["loaded"]}
    assert loaded == {"photo-realtime-x2"}
    assert 'model="photo-realtime-x2"' in running.client.get("/metrics").text
    # What cannot be loaded changes nothing, and is nothing to go back to.
    failed = post("reload", json={"models": ["no-such-model"]})
    check_problem(failed, 404, "model-missing")
    post("reload", json={"models": ["photo-realtime-x2"]})
    answer = post("rollback")
    assert answer.json()["models"] == list(ServerSettings.model_fields["models"].default)
    check_problem(post("rollback"), 409, "nothing-before")


def test_another_sites_page_cannot_change_the_models(running):
    # What a browser sends without asking first.
    for headers in (
        {"content-type": "text/plain"},
        {"content-type": "application/json", "origin": "https://evil.example"},
        {"content-type": "application/json", "host": "evil.example"},
    ):
        answer = running.client.post(
            "/v1/admin/reload", content=b'{"models": ["photo-fast-x4"]}', headers=headers
        )
        assert answer.status_code in (403, 415)
    assert running.pool.reloads == []


def test_models_are_listed_as_they_are(running):
    listed = {entry["name"]: entry for entry in running.client.get("/v1/models").json()}
    fast = listed["photo-fast-x2"]
    assert (fast["scale"], fast["tier"], fast["licence"]) == (2, "fast", "MIT")
    assert fast["loaded"] is True
    assert len(fast["version"]) == 12
    assert listed["bicubic-x2"]["loaded"] is False
