"""The program itself: a process with workers, real pictures, and signals."""

from __future__ import annotations

import base64
import io
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from waiting import wait_until

from bound import bound
from hyperfocal.quality import psnr

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


class Process:
    """``hyperfocal serve`` in a process of its own."""

    def __init__(self, folder, *, workers: int = 1, **settings: str) -> None:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("HYPERFOCAL_SERVER_")
        }
        environment |= {f"HYPERFOCAL_SERVER_{name.upper()}": v for name, v in settings.items()}
        self._spool = folder / "data" / "spool"
        self._pictures = folder / "data" / "pictures"
        # To append: the process writes where this one last read, were it not for that.
        self._log = (folder / "log").open("a+b")
        self.process = subprocess.Popen(
            bound(sys.executable, "-m", "hyperfocal", "serve", "--port", "0",
                  "--workers", str(workers), "--threads", "1", "--data", str(folder / "data")),
            env=environment, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )  # fmt: skip
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.log()
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        wait_until(self.ready, 180)

    def ready(self) -> bool:
        """Whether pictures are taken; it must be alive."""
        self.check_alive()
        return self.client.get("/readyz").status_code == 200

    def check_alive(self) -> None:
        assert self.process.poll() is None, self.log()

    def until_begun(self) -> None:
        """Until a request is being received."""
        wait_until(lambda: list(self._spool.glob("request-*")))

    def pictures(self) -> list[Path]:
        """Those kept with consent."""
        return sorted(self._pictures.glob("*"))

    def figures(self) -> dict[str, float]:
        """Of /metrics, labels summed over."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(self.client.get("/metrics").text):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0) + sample.value
        return found

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode()

    def close(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait(60)
        self.process.stdout.close()
        self._log.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    media = tmp_path_factory.mktemp("media")
    Image.fromarray(photograph()).save(media / "photo.png")
    made = Process(
        tmp_path_factory.mktemp("service"),
        models="photo-realtime-x2",
        media_root=str(media),
        max_pixels="1000000",
        max_output_pixels="900000",
    )
    yield made
    made.close()


def photograph(height=48, width=64) -> np.ndarray:
    """Soft shapes, as photographs have."""
    y, x = np.mgrid[:height, :width] / 16
    channels = [np.sin(x + 2 * y), np.cos(2 * x - y), np.sin(x * y / 2)]
    return np.uint8(np.stack(channels, axis=-1) * 90 + 128)


def encoded(array, kind="PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_a_picture_comes_back_larger_and_true(service):
    small = photograph()
    answer = service.client.post("/v1/upscale", files={"image": ("a.png", encoded(small))})
    assert answer.status_code == 200, answer.text
    large = opened(answer.content)
    assert (large.size, large.format) == ((128, 96), "PNG")
    again = np.asarray(large.resize((64, 48), Image.Resampling.BICUBIC))
    assert psnr(again / 255.0, small / 255.0) > 35
    assert float(answer.headers["hyperfocal-consistency-db"]) > 35
    assert answer.headers["hyperfocal-model"] == "photo-realtime-x2"


@pytest.mark.parametrize(
    ("accept", "expected"), [("image/webp", "WEBP"), ("image/jpeg", "JPEG"), ("*/*", "PNG")]
)
def test_the_format_is_what_the_client_accepts(service, accept, expected):
    answer = service.client.post(
        "/v1/upscale", content=encoded(photograph()), headers={"accept": accept}
    )
    assert opened(answer.content).format == expected
    assert answer.headers["content-type"] == f"image/{expected.lower()}"


def test_a_size_can_be_asked_for(service):
    answer = service.client.post("/v1/upscale?width=100", content=encoded(photograph()))
    assert opened(answer.content).size == (100, 75)


def test_predict_gives_the_same_picture_three_ways(service):
    picture = encoded(photograph())
    plain = base64.b64encode(picture).decode()
    results = []
    for image in (plain, f"data:image/png;base64,{plain}", "photo.png"):
        answer = service.client.post("/predict", json={"image": image, "return": "image"})
        assert answer.status_code == 200, answer.text
        content = base64.b64decode(answer.json()["image"])
        assert service.client.get(answer.json()["url"]).content == content
        results.append(np.asarray(opened(content)))
    for result in results:
        np.testing.assert_array_equal(result, results[0])


def test_a_reference_is_what_the_result_is_scored_against(service):
    large = photograph(96, 128)
    small = np.asarray(Image.fromarray(large).resize((64, 48), Image.Resampling.BICUBIC))
    answer = service.client.post(
        "/v1/upscale", files={"image": encoded(small), "reference": encoded(large)}
    )
    assert answer.headers["hyperfocal-basis"] == "reference"
    assert 25 < float(answer.headers["hyperfocal-psnr"]) < 60
    wrong = service.client.post(
        "/v1/upscale", files={"image": encoded(small), "reference": encoded(small)}
    )
    assert wrong.status_code == 422


def test_previews_and_estimates(service):
    picture = encoded(photograph())
    preview = service.client.post("/v1/preview?crop=4,4,20,10", content=picture)
    assert opened(preview.content).size == (40, 20)
    estimate = service.client.post("/v1/estimate?scale=2", content=picture).json()
    assert (estimate["width"], estimate["height"]) == (64, 48)
    assert (estimate["output_width"], estimate["output_height"]) == (128, 96)
    assert estimate["seconds"] > 0
    assert estimate["memory_bytes"] > 0


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"hello", 415, "unknown-format"),
        (encoded(photograph())[:200], 422, "broken-picture"),
        (encoded(np.zeros((1001, 1000), np.uint8)), 413, "too-large"),
        (encoded(np.zeros((500, 500), np.uint8)), 413, "too-large"),
    ],
)
def test_what_cannot_be_restored_is_refused_and_the_next_is_not(service, content, status, code):
    answer = service.client.post("/v1/upscale", content=content)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert "spool" not in answer.text
    assert service.client.post("/v1/upscale", content=encoded(photograph())).status_code == 200


def test_only_pictures_are_kept(service):
    def judge(picture):
        fields = {"request_id": "to-judge", "verdict": "up", "keep_picture": "true"}
        return service.client.post(
            "/v1/feedback", data=fields, files={"picture": ("a.png", picture)}
        )

    whole = encoded(photograph())
    headers = {"x-request-id": "to-judge"}
    assert service.client.post("/v1/upscale", content=whole, headers=headers).status_code == 200
    noise = np.random.default_rng(0).bytes(20_000)
    for picture, status, code in (
        (whole[:33] + noise, 422, "broken-picture"),
        (whole[:-30], 422, "broken-picture"),
        (encoded(np.zeros((1100, 1000), np.uint8)), 413, "too-large"),
    ):
        answer = judge(picture)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert "spool" not in answer.text
    assert service.pictures() == []
    assert judge(whole).json()["picture"] is True
    assert [path.read_bytes() for path in service.pictures()] == [whole]


def test_the_log_is_json_and_knows_the_requests(service):
    import json

    answer = service.client.get("/v1/models")
    # A request's line is written just after its answer.
    wait_until(lambda: answer.headers["x-request-id"] in service.log())
    lines = [json.loads(line) for line in service.log().splitlines()]
    assert answer.headers["x-request-id"] in {line.get("request_id") for line in lines}


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_a_picture_be_finished(tmp_path, sent):
    service = Process(tmp_path, models="bicubic-x2")
    try:
        picture = encoded(photograph(400, 500))
        body = picture[: len(picture) // 2]
        rest = picture[len(picture) // 2 :]

        def slowly():
            yield body
            # The picture is on its way when the signal comes.
            service.until_begun()
            service.process.send_signal(sent)
            with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as other:
                wait_until(lambda: other.get("/readyz").status_code == 503)
            yield rest

        answer = service.client.post("/v1/upscale?model=bicubic-x2", content=slowly())
        assert answer.status_code == 200, answer.text
        assert opened(answer.content).size == (1000, 800)
        assert service.process.wait(60) == 0
    finally:
        service.close()


def test_a_second_signal_does_not_wait(tmp_path):
    service = Process(tmp_path, models="bicubic-x2")
    try:
        address = urlsplit(service.url)
        with socket.create_connection((address.hostname, address.port), timeout=60) as held:
            held.sendall(b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
            service.until_begun()
            service.process.send_signal(signal.SIGTERM)
            wait_until(lambda: service.client.get("/readyz").status_code != 200)
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(60) == 0
    finally:
        service.close()


def test_figures_are_of_all_workers_those_that_died_included(tmp_path):
    made = Process(tmp_path, workers=2, models="photo-realtime-x2")
    try:
        picture = encoded(photograph(300, 400))

        def send(_) -> int:
            return made.client.post("/v1/upscale?scale=2", content=picture).status_code

        with ThreadPoolExecutor(4) as clients:
            assert list(clients.map(send, range(8))) == [200] * 8
        assert made.figures()["hyperfocal_worker_restarts_total"] == 0
        workers = psutil.Process(made.process.pid).children()
        assert len(workers) == 2
        for worker in workers:
            worker.kill()
        wait_until(lambda: made.figures()["hyperfocal_worker_restarts_total"] == 2)
        made.check_alive()
        wait_until(lambda: send(0) == 200)
        found = made.figures()
    finally:
        made.close()
    # Decoding, model and encoding of each.
    assert found["hyperfocal_stage_seconds_count"] == 3 * 9
    assert found["hyperfocal_consistency_db_count"] == 9
    assert found["hyperfocal_input_brightness_count"] == 9
    assert found["predict_request_duration_seconds_count"] == 9
    assert found["hyperfocal_worker_restarts_total"] == 2
