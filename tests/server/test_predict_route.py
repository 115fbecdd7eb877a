from __future__ import annotations

import base64
import math

import pytest
from pretending import check_problem

from hyperfocal.server.pool import Options
from hyperfocal.server.schemas import PredictAnswer


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_the_answer_is_what_existing_clients_rely_on(running, png):
    answer = running.client.post(
        "/predict", json={"image": b64(png), "scale": 2, "model": "photo-fast"}
    )
    assert answer.status_code == 200
    found = answer.json()
    assert set(found) == {
        "prediction", "metrics", "url", "request_id", "model", "width", "height", "timing_ms",
    }  # fmt: skip
    assert found["metrics"] == {"PSNR": 43.25, "SSIM": 0.98765, "basis": "consistency"}
    assert found["request_id"] == answer.headers["x-request-id"]
    assert (found["model"], found["width"], found["height"]) == ("photo-fast-x2", 32, 24)
    assert set(found["timing_ms"]) == {"decode", "model", "encode", "total"}
    assert found["prediction"].endswith(".png")
    assert found["prediction"] in found["url"]
    assert running.client.get(found["url"]).content == png[::-1]
    assert running.pool.tasks[0].options == Options(scale=2, model="photo-fast")
    running.until_clean()
    # The example in the documentation is such an answer.
    example = PredictAnswer.model_config["json_schema_extra"]["example"]
    assert PredictAnswer.model_validate(example).model_dump(exclude_none=True) == example
    assert example.keys() == found.keys()
    assert example["timing_ms"].keys() == found["timing_ms"].keys()


@pytest.mark.parametrize("size", [8, 9, 10, 200_000, 200_001])
def test_the_picture_itself_on_request(running, size):
    content = (b"picture!" * (size // 8 + 1))[:size]
    answer = running.client.post("/predict", json={"image": b64(content), "return": "image"})
    found = answer.json()
    assert base64.b64decode(found["image"], validate=True) == content[::-1]
    assert running.client.get(found["url"]).content == content[::-1]
    running.until_clean()


def test_data_urls_and_references(running):
    running.pool.changes = {"basis": "reference"}
    answer = running.client.post(
        "/predict",
        json={"image": f"data:image/jpeg;base64,{b64(b'abcdef')}", "reference": b64(b"xyz")},
    )
    assert answer.json()["metrics"]["basis"] == "reference"
    assert running.client.get(answer.json()["url"]).content == b"zyxfedcba"


def test_identical_pictures_have_no_psnr_in_json(running):
    running.pool.changes = {"psnr": math.inf, "ssim": 1.0}
    found = running.client.post("/predict", json={"image": b64(b"abc")}).json()
    assert found["metrics"]["PSNR"] is None


def test_json_by_another_name(running):
    import json

    content = json.dumps({"image": b64(b"abc")}).encode()
    for kind in ("application/json; charset=utf-8", "application/vnd.x+json", "APPLICATION/JSON"):
        answer = running.client.post("/predict", content=content, headers={"content-type": kind})
        assert answer.status_code == 200


@pytest.fixture
def media(tmp_path):
    root = tmp_path / "media"
    (root / "photos").mkdir(parents=True)
    (root / "photos" / "cat.png").write_bytes(b"meow")
    # Names that are also base64.
    (root / "abcd").write_bytes(b"no suffix")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (root / "out").symlink_to(tmp_path / "secret.png")
    return root


def test_paths_below_the_media_folder(pretending, media, png):
    with pretending(media_root=str(media)) as running:

        def send(**fields):
            return running.client.post("/predict", json=fields)

        def content(answer):
            return running.client.get(answer.json()["url"]).content

        assert content(send(image="photos/cat.png")) == b"woem"
        assert content(send(image="abcd")) == b"xiffus on"
        assert content(send(image=b64(png))) == png[::-1]
        assert content(send(image="photos/cat.png", reference=b64(png))) == (b"meow" + png)[::-1]
        for name in ("../secret.png", "/etc/passwd", str(media / "photos/cat.png"), "a\0.png"):
            check_problem(send(image=name), 403, "forbidden")
        for name in ("out", "photos", "missing.png", "x" * 3000 + ".png"):
            check_problem(send(image=name), 404, "input-missing")
        check_problem(send(image=b64(png), reference="../secret.png"), 403, "forbidden")
        assert all(b"secret" not in task.source.name.encode() for task in running.pool.tasks)


def test_paths_are_not_even_looked_at_without_a_media_folder(running, tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    for name in (str(tmp_path / "a.png"), "a.png", "no-such.png"):
        problem = check_problem(
            running.client.post("/predict", json={"image": name}), 422, "malformed"
        )
        assert "media_root" in problem["detail"]


def test_a_file_of_the_media_folder_may_not_be_larger_than_a_request(pretending, media):
    (media / "big.png").write_bytes(b"x" * 2000)
    with pretending(media_root=str(media), max_body=1000) as running:
        answer = running.client.post("/predict", json={"image": "big.png"})
        check_problem(answer, 413, "body-too-large")


def test_the_folder_itself_is_never_changed(pretending, media):
    with pretending(media_root=str(media)) as running:
        before = (media / "photos" / "cat.png").stat().st_mtime_ns
        running.client.post("/predict", json={"image": "photos/cat.png"})
        running.until_clean()
    assert (media / "photos" / "cat.png").stat().st_mtime_ns == before
