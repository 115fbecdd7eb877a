"""Every error of a user, as the problem document it becomes."""

from __future__ import annotations

import base64

import pytest
from pretending import check_problem

from hyperfocal.errors import (
    FidelityTooLow,
    ModelBroken,
    ModelMissing,
    OutputRefused,
    TooLarge,
    UnknownFormat,
    UsageError,
)
from hyperfocal.server.errors import (
    DeadlinePassed,
    Draining,
    QueueFull,
    WorkerDied,
    WorkerFailed,
    WorkerMemory,
)
from hyperfocal.server.store import StoreUnavailable
from hyperfocal.storage import StorageUnavailable

FORM = {"content-type": "multipart/form-data; boundary=x"}
JSON = {"content-type": "application/json"}
PICTURE = base64.b64encode(b"picture!").decode()


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (("GET", "/nothing"), 404, "not-found"),
        (("GET", "/v1/models/"), 404, "not-found"),
        (("POST", "/v1/upscale/"), 404, "not-found"),
        (("GET", "/docs/"), 404, "not-found"),
        (("GET", "/v1/upscale"), 405, "method-not-allowed"),
        (("DELETE", "/predict"), 405, "method-not-allowed"),
        (("POST", "/v1/upscale", {"content": b""}), 422, "malformed"),
        (("POST", "/v1/upscale", {"content": b"broken"}), 422, "broken-picture"),
        (("POST", "/v1/upscale", {"json": {}}), 415, "unsupported-body"),
        (("POST", "/v1/upscale", {"data": {"a": "b"}}), 415, "unsupported-body"),
        (("POST", "/v1/upscale", {"content": b"--x--\r\n", "headers": FORM}), 422, "malformed"),
        (("POST", "/v1/upscale", {"content": b"--y", "headers": FORM}), 422, "malformed"),
        (("POST", "/v1/upscale", {"files": {"picture": b"x"}}), 413, "body-too-large"),
        (("POST", "/v1/upscale", {"files": {"reference": b"x"}}), 422, "malformed"),
        (("POST", "/v1/upscale", {"files": {"image": b""}}), 422, "malformed"),
        (
            ("POST", "/v1/upscale", {"files": {"image": b"x"}, "data": {"scales": "2"}}),
            422,
            "usage",
        ),
        (("POST", "/v1/upscale?scale=9", {"content": b"x"}), 422, "usage"),
        (("POST", "/v1/upscale?scale=2&scale=3", {"content": b"x"}), 422, "malformed"),
        (("POST", "/v1/upscale?scale=2&width=9", {"content": b"x"}), 422, "usage"),
        (("POST", "/v1/upscale?format=exe", {"content": b"x"}), 422, "usage"),
        (
            ("POST", "/v1/upscale?scale=2", {"files": {"image": b"x"}, "data": {"scale": "3"}}),
            422,
            "malformed",
        ),
        (
            ("POST", "/v1/upscale", {"content": b"x", "headers": {"accept": "text/html"}}),
            406,
            "not-acceptable",
        ),
        (("POST", "/v1/preview?crop=1,2", {"content": b"x"}), 422, "usage"),
        (("POST", "/v1/estimate", {"content": b""}), 422, "malformed"),
        (("POST", "/predict", {"content": b"{}"}), 415, "unsupported-body"),
        (("POST", "/predict", {"content": b"", "headers": JSON}), 422, "malformed"),
        (("POST", "/predict", {"json": []}), 422, "malformed"),
        (("POST", "/predict", {"json": {}}), 422, "usage"),
        (("POST", "/predict", {"json": {"image": ""}}), 422, "usage"),
        (("POST", "/predict", {"json": {"image": "%%%"}}), 422, "malformed"),
        (("POST", "/predict", {"json": {"image": "photos/cat.png"}}), 422, "malformed"),
        (("POST", "/predict", {"json": {"image": "/etc/passwd"}}), 422, "malformed"),
        (("POST", "/predict", {"json": {"image": "http://x.example/a.png"}}), 422, "malformed"),
        (("POST", "/predict", {"json": {"image": PICTURE, "reference": "?"}}), 422, "malformed"),
        (("POST", "/predict", {"json": {"image": PICTURE, "scale": 0}}), 422, "usage"),
        (("POST", "/predict", {"json": {"image": PICTURE, "sacle": 2}}), 422, "usage"),
        (("GET", "/v1/results/1-x.png"), 422, "validation"),
        (("GET", "/v1/results/1-x.png?expires=1&signature=x"), 403, "forbidden"),
        (("GET", "/v1/jobs/nothing"), 404, "not-found"),
        (("POST", "/v1/feedback", {"json": {}}), 422, "usage"),
        (("POST", "/v1/admin/reload", {"content": b"{}"}), 415, "unsupported-body"),
        (("POST", "/v1/admin/reload", {"content": b"{", "headers": JSON}), 422, "malformed"),
        (("POST", "/v1/admin/reload", {"json": []}), 422, "malformed"),
        (("POST", "/v1/admin/reload", {"content": b'{"\\ud800": 1}', "headers": JSON}), 422,
         "malformed"),
        (("POST", "/v1/admin/reload", {"json": {}}), 422, "usage"),
        (("POST", "/v1/admin/reload", {"json": {"models": []}}), 422, "usage"),
        (("POST", "/v1/admin/reload", {"json": {"models": ["../x"]}}), 422, "usage"),
        (("POST", "/v1/admin/reload", {"json": {"models": ["no-such-model"]}}), 404,
         "model-missing"),
        (("POST", "/v1/admin/reload", {"json": {"models": ["x"] * 9000 + ["y" * 70_000]}}), 413,
         "body-too-large"),
        (("POST", "/v1/admin/rollback"), 409, "nothing-before"),
    ],
)  # fmt: skip
def test_what_a_client_does_wrong(running, request_, status, code):
    method, path, *more = request_
    if code == "body-too-large" and path == "/v1/upscale":
        more = [{"files": {"picture": b"x" * 70_000}}]
    answer = running.client.request(method, path, **(more[0] if more else {}))
    check_problem(answer, status, code)
    running.until_clean()


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/v1/upscale", "POST"),
        ("/v1/jobs", "POST"),
        ("/v1/jobs/a", "GET, HEAD, DELETE"),
        ("/v1/jobs/a/events", "GET, HEAD"),
        ("/v1/feedback/a", "DELETE"),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "OPTIONS", "FOO"])
def test_what_is_answered_instead_is_told(running, method, path, methods):
    answer = running.client.request(method, path)
    check_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == methods


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnknownFormat("not a picture"), 415, "unknown-format"),
        (TooLarge("too many pixels"), 413, "too-large"),
        (UsageError("scaled by 9"), 422, "usage"),
        (OutputRefused("WebP holds 16383 pixels at most"), 422, "output-refused"),
        (FidelityTooLow("31 dB"), 422, "fidelity-too-low"),
        (ModelMissing("there is no model 'x'"), 404, "model-missing"),
        (QueueFull("too many wait"), 503, "queue-full"),
        (Draining("stopping"), 503, "draining"),
        (DeadlinePassed("not done in time"), 504, "deadline"),
        (WorkerMemory("needs more memory"), 413, "out-of-memory"),
        (WorkerDied("the worker ended"), 500, "worker-died"),
        (WorkerFailed("something"), 500, "worker-failed"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/upscale", "/predict"])
def test_what_goes_wrong_in_the_work(running, path, error, status, code):
    running.pool.raises.append(error)
    if path == "/predict":
        answer = running.client.post(path, json={"image": PICTURE})
    else:
        answer = running.client.post(path, content=b"picture!")
    problem = check_problem(answer, status, code)
    assert problem["detail"] == str(error)
    assert ("retry-after" in answer.headers) == (status == 503)
    if status == 503:
        assert answer.headers["retry-after"] == "7"
    assert running.client.post("/v1/upscale", content=b"picture!").status_code == 200


def test_a_bug_is_answered_without_a_word_about_it(running):
    running.pool.raises.append(RuntimeError("hush hush"))
    answer = running.client.post("/v1/upscale", content=b"picture!")
    problem = check_problem(answer, 500, "unexpected")
    assert "hush" not in answer.text
    assert "request id" in problem["detail"]
    running.until_clean()


def test_paths_of_the_machine_are_not_told(running):
    running.pool.raises.append(ModelBroken("/home/somebody/models/x.onnx is damaged"))
    answer = running.client.post("/v1/upscale", content=b"picture!")
    check_problem(answer, 500, "model-broken")
    assert "somebody" not in answer.text


@pytest.mark.parametrize("error", [StorageUnavailable, StoreUnavailable])
def test_where_things_are_kept_is_logged_and_not_told(running, caplog, error):
    running.pool.raises.append(error("no connection to 10.0.0.7, user somebody"))
    problem = check_problem(running.client.post("/v1/upscale", content=b"x"), 503, error.code)
    assert problem["detail"] == error.told
    assert "somebody" in caplog.text
