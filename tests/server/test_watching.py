"""What can be seen from outside: metrics and the log."""

from __future__ import annotations

import asyncio
import io
import json
import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hyperfocal import Settings, models
from hyperfocal.errors import BrokenPicture, SettingsError
from hyperfocal.server import logs
from hyperfocal.server.app import create_app
from hyperfocal.server.errors import QueueFull, WorkerDied
from hyperfocal.server.figures import FIGURES
from hyperfocal.server.served import Served, expected
from hyperfocal.server.settings import ServerSettings


@pytest.fixture
def running(pretending):
    """A service whose figures are those of one test."""
    with pretending() as made:
        yield made


def figures(running) -> dict:
    text = running.client.get("/metrics").text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status(running):
    client = running.client
    for _ in range(3):
        client.post("/v1/upscale", content=b"abc")
    client.post("/v1/upscale", content=b"broken")
    client.get("/v1/jobs/one")
    client.get("/v1/jobs/two")
    for path in ("/wp-admin", "/x/y", "/v1/nothing"):
        client.get(path)
    client.request("BREW", "/v1/upscale")
    found = figures(running)

    def count(method, route, status):
        name = "http_requests_total"
        return found[name, ("method", method), ("route", route), ("status", status)]

    assert count("POST", "/v1/upscale", "200") == 3
    assert count("POST", "/v1/upscale", "422") == 1
    assert count("GET", "/v1/jobs/{job_id}", "404") == 2
    assert count("GET", "other", "404") == 3
    assert any(("method", "other") in key for key in found)


def series(found, name, **labels):
    return found[(name, *sorted(labels.items()))]


FAST = {"model": "photo-fast-x2", "version": "0123456789ab"}
LARGE = {"model": "photo-fast-x4", "version": "ba9876543210"}
UNKNOWN = {"model": "unknown", "version": "unknown"}


def test_pictures_are_counted_by_model(running):
    client = running.client
    client.post("/v1/upscale", content=b"abc")
    client.post("/predict", json={"image": "YWJj"})
    client.post("/v1/upscale?model=whatever-i-make-up", content=b"broken")
    client.post("/v1/upscale", content=b"broken")
    client.post("/v1/upscale?format=sideways", content=b"abc")
    running.pool.raises.append(QueueFull("full"))
    client.post("/v1/upscale?model=photo-fast-x4", content=b"abc")
    found = figures(running)
    total = "predict_requests_total"
    assert series(found, total, **FAST, status="200") == 2
    # What a client made up, and what could not be read so far as to name a model.
    assert series(found, total, **UNKNOWN, status="422") == 2
    assert series(found, total, **FAST, status="422") == 1
    assert series(found, total, **LARGE, status="503") == 1
    assert series(found, "predict_request_duration_seconds_count", **FAST) == 2
    assert series(found, "hyperfocal_rejections_total", reason="queue-full") == 1
    assert series(found, "hyperfocal_rejections_total", reason="broken-picture") == 2


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ("", FAST),
        ("scale=4", LARGE),
        ("model=photo-fast", FAST),
        ("model=photo-fast&scale=4", LARGE),
        ("model=photo-fast-x4&scale=2", LARGE),
        ("scale=3", LARGE),
        ("model=auto&scale=3", {"model": "photo-fast-x3", "version": "unknown"}),
        ("model=champion", FAST),
        ("model=champion&scale=4", LARGE),
        ("model=photo-fine-x2", {"model": "photo-fine-x2", "version": "unknown"}),
        ("model=nobody-s", {"model": "unknown", "version": "unknown"}),
    ],
)
def test_what_fails_early_is_counted_for_the_model_that_would_have_had_it(
    pretending, tmp_path, monkeypatch, asked, labels
):
    monkeypatch.setenv("HYPERFOCAL_MODELS", str(tmp_path / "models"))
    models.set_alias("champion", "photo-fast", settings=Settings.read())
    with pretending() as running:
        running.client.post(f"/v1/upscale?{asked}", content=b"broken")
        png = b"\x89PNG\r\n\x1a\n"
        running.pool.raises.append(BrokenPicture("truncated"))
        assert running.client.post(f"/v1/jobs?{asked}", content=png).status_code == 202
        running.until_idle()
        found = figures(running)
    assert series(found, "predict_requests_total", **labels, status="422") == 2


@pytest.mark.parametrize(
    ("restoring", "model"),
    [((), "photo-fast-x3"), ((2,), "photo-fast-x3"), ((2, 4), "photo-fast-x4")],
)
def test_a_choice_that_is_loaded_is_made_among_what_is_loaded(restoring, model):
    usual = {f"photo-fast-x{scale}": "1" for scale in (2, 4)}
    loaded = {**usual, **{f"restore-fast-x{scale}": "1" for scale in restoring}}
    names = {*loaded, "photo-fast-x3", "restore-fast-x4"}
    assert expected("auto", 3, loaded=loaded, names=names).model == model
    assert expected(None, 3, loaded=loaded, names=names).model == "photo-fast-x4"


def test_what_fails_in_a_worker_is_counted_for_the_model_it_told(running):
    """Whatever the client called it, and though it was not there when the service started."""
    running.pool.chooses = Served("photo-mine-x2", "feedfacecafe")
    running.client.post("/v1/upscale?model=mine", content=b"broken")
    running.pool.raises += [WorkerDied("gone"), BrokenPicture("truncated")]
    running.client.post("/v1/upscale", content=b"abc")
    png = b"\x89PNG\r\n\x1a\n"
    assert running.client.post("/v1/jobs", content=png).status_code == 202
    running.until_idle()
    found, total = figures(running), "predict_requests_total"
    mine = {"model": "photo-mine-x2", "version": "feedfacecafe"}
    assert series(found, total, **mine, status="422") == 2
    assert series(found, total, **mine, status="500") == 1


@pytest.mark.parametrize("name", ["photo-fast-x2", "imported-since-x2"])
def test_a_model_loaded_later_is_counted_as_its_worker_told(running, name):
    later = {"model": name, "version": "feedfacecafe"}
    running.pool.changes |= {"model": name, "model_version": "feedfacecafe"}
    running.client.post("/v1/upscale", content=b"abc")
    found = figures(running)
    assert series(found, "predict_requests_total", **later, status="200") == 1
    assert series(found, "hyperfocal_consistency_db_count", **later) == 1
    assert series(found, "hyperfocal_stage_seconds_count", stage="model", model=name) == 1


def test_an_estimate_is_no_picture(running):
    assert running.client.post("/v1/estimate", content=b"abc").status_code == 200
    assert running.client.post("/v1/estimate", content=b"broken").status_code == 422
    assert not [key for key in figures(running) if key[0].startswith("predict_")]


def test_a_preview_is_no_picture(running):
    """It is of a part, by the quickest model, and would hide how the others do."""
    answer = running.client.post("/v1/preview", content=b"abc")
    assert answer.status_code == 200
    assert running.client.post("/v1/preview", content=b"broken").status_code == 422
    about_pictures = ("predict_", "hyperfocal_stage", "hyperfocal_consistency")
    found = figures(running)
    assert not [key for key in found if key[0].startswith(about_pictures)]
    assert series(found, "hyperfocal_input_megapixels_count") == 0
    verdict = {"request_id": answer.headers["x-request-id"], "verdict": "up"}
    assert running.client.post("/v1/feedback", json=verdict).status_code == 404


def test_a_job_is_counted_once_when_it_ends(running):
    png = b"\x89PNG\r\n\x1a\n"
    headers = {"idempotency-key": "one"}
    for _ in range(2):
        answer = running.client.post("/v1/jobs", content=png, headers=headers)
        assert answer.status_code == 202
    assert running.client.post("/v1/jobs", content=b"words").status_code == 415
    running.until_idle()
    found = figures(running)
    total = "predict_requests_total"
    assert series(found, total, **FAST, status="200") == 1
    assert series(found, total, **FAST, status="415") == 1
    assert series(found, "predict_request_duration_seconds_count", **FAST) == 1
    # From its order to its end: longer than the 6 ms that the worker tells of.
    assert series(found, "predict_request_duration_seconds_sum", **FAST) != 0.006


def test_what_workers_report_is_there(running):
    running.client.post("/v1/upscale", content=b"abc")
    running.client.post("/v1/estimate", content=b"abc")
    found = figures(running)
    model = FAST["model"]
    stage = "hyperfocal_stage_seconds"
    assert series(found, f"{stage}_sum", stage="model", model=model) == pytest.approx(0.002)
    assert series(found, f"{stage}_count", stage="encode", model=model) == 1
    assert series(found, "hyperfocal_consistency_db_sum", **FAST) == 44.5
    assert series(found, "hyperfocal_input_megapixels_sum") == pytest.approx(16 * 12 / 1e6)
    assert series(found, "hyperfocal_input_brightness_count") == 1
    assert series(found, "hyperfocal_input_jpeg_quality_count") == 0
    assert series(found, "hyperfocal_queue_depth") == 0
    assert series(found, "hyperfocal_running") == 0
    assert series(found, "hyperfocal_worker_restarts_total", reason="died") == 2
    assert series(found, "hyperfocal_model_info", **FAST) == 1


def test_the_models_told_are_those_that_are_loaded_now(running):
    running.pool.versions = {"photo-fast-x2": "feedfacecafe"}
    later = {"model": "photo-fast-x2", "version": "feedfacecafe"}
    info = "hyperfocal_model_info"
    assert [key for key in figures(running) if key[0] == info] == [(info, *sorted(later.items()))]


def test_what_is_told_is_what_is_described(running):
    """Names, kinds, meanings and labels are those of the table that the reference is made from."""
    running.client.post("/v1/upscale", content=b"abc")
    running.client.post("/v1/upscale", content=b"broken")
    judge(running, "up")
    running.pool.waiting = 3
    text = running.client.get("/metrics").text
    told = {}
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        told[name] = (family.type, family.documentation, labels)
        if name == "hyperfocal_queue_depth":
            assert family.samples[0].value == 3
    assert told == {
        name: (figure.kind, figure.text, set(figure.labels)) for name, figure in FIGURES.items()
    }


def judge(running, *verdicts):
    """Have a picture restored, and give these verdicts on it."""
    name = running.client.post("/v1/upscale", content=b"abc").headers["x-request-id"]
    for verdict in verdicts:
        given = {"request_id": name, "verdict": verdict}
        assert running.client.post("/v1/feedback", json=given).status_code == 201


def test_results_judged_are_counted_by_model(running):
    total = "hyperfocal_feedback_total"
    judge(running, "up", "down")
    running.pool.changes |= {"model": LARGE["model"], "model_version": LARGE["version"]}
    for _ in range(2):
        judge(running, "down", "down")
    found = {key: value for key, value in figures(running).items() if key[0] == total}
    assert series(found, total, verdict="up", **FAST) == 1
    assert series(found, total, verdict="down", **LARGE) == 2
    # A change of mind is none more.
    assert sum(found.values()) == 3


def test_labels_do_not_grow_with_what_clients_send(running):
    running.client.post("/v1/upscale?model=a", content=b"broken")
    running.client.get("/a")
    before = len(figures(running))
    for number in range(30):
        running.client.post(f"/v1/upscale?model=m{number}", content=b"broken")
        running.client.get(f"/a{number}/{number}")
        running.client.get(f"/static/{number}")
        running.client.request(f"M{number}", "/a")
    # One for the methods that are none, and two for files that are not there.
    assert len(figures(running)) <= before + 6


@pytest.fixture
def log():
    """What is logged, as parsed lines."""
    stream = io.StringIO()
    kept = {
        name: (logging.getLogger(name).handlers[:], logging.getLogger(name).level,
               logging.getLogger(name).propagate)
        for name in ("hyperfocal", *logs._LEVELS)
    }  # fmt: skip
    logs.configure("debug", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    for name, (handlers, level, propagate) in kept.items():
        logger = logging.getLogger(name)
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


def requests(lines):
    return [line for line in lines if line["message"] == "request"]


def test_each_request_is_one_line_of_json(log, pretending):
    with pretending() as running:
        answer = running.client.post("/v1/upscale", content=b"abc")
        running.client.post("/v1/upscale", content=b"broken")
        running.until_clean()
    ids = {line["request_id"]: line for line in requests(log())}
    line = ids[answer.headers["x-request-id"]]
    assert (line["method"], line["route"], line["status"]) == ("POST", "/v1/upscale", 200)
    assert (line["bytes_in"], line["bytes_out"]) == (3, 3)
    assert line["model"] == "photo-fast-x2"
    assert line["client"] == "127.0.0.1"
    assert line["ms"] >= 0
    assert line["time"].endswith("+00:00")
    assert any(line.get("problem") == "broken-picture" for line in ids.values())


def test_nothing_private_is_logged(log, pretending, tmp_path):
    from hyperfocal.server.security.keys import add_key

    key, text = add_key(tmp_path / "keys", "batch", ("use",))
    headers = {"authorization": f"Bearer {text}", "cookie": "PRIVATE4"}
    with pretending(keys=tmp_path / "keys") as running:
        client = running.client
        client.post("/v1/upscale", files={"image": ("PRIVATE1.png", b"PRIVATE2")}, headers=headers)
        client.post("/v1/upscale?model=x&zzz=PRIVATE3", content=b"broken", headers=headers)
        client.post("/predict", json={"image": "PRIVATE5"}, headers=headers)
        client.post("/predict", content=b'{"image": "PRIVATE6', headers=headers)
        running.pool.raises.append(RuntimeError("a bug"))
        client.post("/v1/upscale", content=b"PRIVATE7", headers=headers)
        found = client.post("/predict", json={"image": "YWJj"}, headers=headers).json()
        client.get(found["url"])
        running.until_clean()
    lines = log()
    whole = json.dumps(lines)
    assert "PRIVATE" not in whole
    assert text.split("_", 2)[2] not in whole
    assert found["url"].rpartition("=")[2] not in whole
    assert {line.get("key") for line in requests(lines)} == {None, key.id}


def test_a_bug_is_logged_under_its_request(log, pretending):
    with pretending() as running:
        running.pool.raises.append(RuntimeError("a bug"))
        answer = running.client.post("/v1/upscale", content=b"abc")
    (line,) = [line for line in log() if line["message"] == "unforeseen"]
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["error"] == "RuntimeError"
    assert "a bug" in line["trace"]


def test_why_it_cannot_start_is_told_in_a_sentence(tmp_path):
    (tmp_path / "hyperfocal.db").write_bytes(b"no database" * 200)
    app = create_app(ServerSettings(data=tmp_path))
    told = []

    async def start():
        async def receive():
            return {"type": "lifespan.startup"}

        async def send(message):
            told.append(message)

        with pytest.raises(SettingsError):
            await app({"type": "lifespan"}, receive, send)

    asyncio.run(start())
    assert [message["type"] for message in told] == ["lifespan.startup.failed"]
    assert told[0]["message"].startswith("the database cannot be opened")
    assert "Traceback" not in told[0]["message"]


def test_a_line_stays_a_line_whatever_is_in_it(log):
    logging.getLogger("hyperfocal.x").info("two\nlines %s", "\x1b[31m\u2028")
    (line,) = log()
    assert line["message"] == "two\nlines \x1b[31m\u2028"
