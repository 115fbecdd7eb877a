from __future__ import annotations

import asyncio
import json
from urllib.parse import unquote

import pytest

from hyperfocal.server.pool import Options


def test_a_raw_picture_with_options_in_the_address(running):
    answer = running.client.post(
        "/v1/upscale?scale=3&model=photo-fast&format=webp&strip_metadata=1",
        content=b"abc",
        headers={"content-type": "image/png"},
    )
    assert answer.status_code == 200
    assert answer.content == b"cba"
    (task,) = running.pool.tasks
    assert task.kind == "upscale"
    assert task.options == Options(scale=3, model="photo-fast", format="webp", strip_metadata=True)
    assert task.request_id == answer.headers["x-request-id"]
    assert task.reference is None


def test_a_form_with_a_reference(running):
    answer = running.client.post(
        "/v1/upscale",
        files={"image": ("a.png", b"abc"), "reference": ("b.png", b"xyz")},
        data={"width": "100", "min_fidelity": "30"},
    )
    assert answer.content == b"zyxcba"
    (task,) = running.pool.tasks
    assert task.options == Options(size=(100, None), min_fidelity=30.0)
    assert task.reference
    assert task.depth is None


def test_a_form_with_a_depth_map(running):
    for path in ("/v1/upscale", "/v1/preview"):
        files = {"image": ("a.png", b"abc"), "depth": ("map.png", b"xyz")}
        assert running.client.post(path, files=files).content == b"zyxcba"
    assert all(task.options.use_depth for task in running.pool.tasks)
    assert all(task.depth and task.reference is None for task in running.pool.tasks)
    empty = {"image": ("a.png", b"abc"), "depth": ("map.png", b"")}
    answer = running.client.post("/v1/upscale", files=empty)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    assert answer.json()["detail"] == "the depth map is empty"


def test_no_depth_map_at_all(running):
    running.client.post("/v1/upscale?use_depth=false", content=b"abc")
    (task,) = running.pool.tasks
    assert task.options == Options(use_depth=False)
    assert task.depth is None
    answer = running.client.post("/v1/upscale?use_depth=perhaps", content=b"abc")
    assert (answer.status_code, answer.json()["code"]) == (422, "usage")


def test_what_a_depth_map_was_good_for(running):
    told = {"source": "embedded", "used": True, "share": 0.25, "blur": 1.5, "given_back": 1.2}
    running.pool.changes = {"depth": told}
    headers = running.client.post("/v1/upscale", content=b"abc").headers
    assert json.loads(unquote(headers["hyperfocal-depth"])) == told
    running.pool.changes = {}
    assert "hyperfocal-depth" not in running.client.post("/v1/upscale", content=b"abc").headers


def test_a_body_without_a_type_is_a_picture(running):
    request = running.client.build_request("POST", "/v1/upscale", content=b"abc")
    request.headers.pop("content-type", None)
    assert running.client.send(request).content == b"cba"


def test_facts_are_in_the_headers(running):
    headers = running.client.post("/v1/upscale", content=b"abc").headers
    assert headers["content-type"] == "image/png"
    assert headers["content-length"] == "3"
    assert headers["hyperfocal-model"] == "photo-fast-x2"
    assert headers["hyperfocal-model-version"] == "0123456789ab"
    assert (headers["hyperfocal-width"], headers["hyperfocal-height"]) == ("32", "24")
    assert headers["hyperfocal-scale"] == "2"
    assert float(headers["hyperfocal-consistency-db"]) == 44.5
    assert float(headers["hyperfocal-psnr"]) == 43.25
    assert float(headers["hyperfocal-ssim"]) == 0.98765
    assert headers["hyperfocal-basis"] == "consistency"
    assert json.loads(unquote(headers["hyperfocal-notes"])) == ["wide gamut kept, é"]
    assert (
        headers["server-timing"] == "decode;dur=1.0, model;dur=2.0, encode;dur=3.0, total;dur=6.0"
    )


def test_what_is_not_known_is_left_out(running):
    running.pool.changes = {"consistency_db": None, "notes": ()}
    headers = running.client.post("/v1/upscale", content=b"abc").headers
    assert "hyperfocal-consistency-db" not in headers
    assert "hyperfocal-notes" not in headers


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("cat.jpg", 'attachment; filename="cat@2x.png"'),
        ("café.jpg", "attachment; filename=\"caf_@2x.png\"; filename*=UTF-8''caf%C3%A9%402x.png"),
        ("../../etc/passwd", 'attachment; filename="passwd@2x.png"'),
        ("C:\\photos\\cat.jpg", 'attachment; filename="cat@2x.png"'),
        ("a<b;c.png", 'attachment; filename="a_b_c@2x.png"'),
        ("...", 'attachment; filename="picture@2x.png"'),
        ("x" * 300 + ".png", f'attachment; filename="{"x" * 100}@2x.png"'),
    ],
)
def test_the_result_is_called_after_the_input(running, sent, expected):
    answer = running.client.post("/v1/upscale", files={"image": (sent, b"abc")})
    assert answer.headers["content-disposition"] == expected


@pytest.mark.parametrize(
    ("accept", "query", "expected"),
    [
        ("image/webp", "", "webp"),
        ("*/*", "", None),
        ("image/webp", "?format=png", "png"),
        ("text/html, image/avif;q=0.5", "", "avif"),
    ],
)
def test_the_format_is_chosen_by_option_or_header(running, accept, query, expected):
    running.client.post(f"/v1/upscale{query}", content=b"x", headers={"accept": accept})
    assert running.pool.tasks[0].options.format == expected


def test_a_preview_is_a_preview(running):
    answer = running.client.post("/v1/preview?crop=1,2,30,40", content=b"abc")
    assert answer.content == b"cba"
    (task,) = running.pool.tasks
    assert (task.kind, task.options.crop) == ("preview", (1, 2, 30, 40))


def test_an_estimate_makes_no_picture(running):
    answer = running.client.post("/v1/estimate?scale=2", content=b"abc")
    assert answer.json() == {
        "width": 16,
        "height": 12,
        "output_width": 32,
        "output_height": 24,
        "seconds": 0.5,
        "memory_bytes": 1_000_000,
        "model": "photo-fast-x2",
        "format": "png",
        "tiles": 1,
    }
    (task,) = running.pool.tasks
    assert (task.kind, task.output) == ("estimate", None)


def test_nothing_is_left_of_a_request(running):
    for content in (b"abc", b"broken", b""):
        running.client.post("/v1/upscale", content=content)
    running.client.post("/v1/upscale", files={"image": b"abc", "reference": b"x"})
    running.until_clean()


def test_a_large_result_arrives_whole(running):
    content = bytes(range(256)) * 20_000
    assert running.client.post("/v1/upscale", content=content).content == content[::-1]


def test_each_of_many_clients_gets_its_own(running):
    from concurrent.futures import ThreadPoolExecutor

    contents = [f"picture {number} ".encode() * 500 for number in range(40)]

    def send(content):
        return running.client.post("/v1/upscale", files={"image": content}).content

    running.pool.capacity = 1000
    with ThreadPoolExecutor(20) as threads:
        for content, answer in zip(contents, threads.map(send, contents), strict=True):
            assert answer == content[::-1]


def test_a_request_that_was_answered_can_be_judged(running):
    answer = running.client.post("/v1/upscale", content=b"abc")
    verdict = {"request_id": answer.headers["x-request-id"], "verdict": "up"}
    assert running.client.post("/v1/feedback", json=verdict).status_code == 201
    failed = running.client.post("/v1/upscale", content=b"broken")
    verdict = {"request_id": failed.headers["x-request-id"], "verdict": "up"}
    assert running.client.post("/v1/feedback", json=verdict).status_code == 404


def test_the_picture_is_given_even_if_it_cannot_be_recorded(running, monkeypatch):
    from hyperfocal.server.store import StoreUnavailable

    async def refuse(_):
        raise StoreUnavailable("locked")

    monkeypatch.setattr(running.service.store, "record", refuse)
    assert running.client.post("/v1/upscale", content=b"abc").content == b"cba"


def test_a_database_that_is_locked_does_not_hold_the_answer_up(running, monkeypatch, caplog):
    monkeypatch.setattr("hyperfocal.server.work._RECORDING", 0.01)

    async def wait(_):
        await asyncio.Event().wait()

    monkeypatch.setattr(running.service.store, "record", wait)
    assert running.client.post("/v1/upscale", content=b"abc").content == b"cba"
    assert "may not be recorded" in caplog.text
