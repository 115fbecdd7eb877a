"""One real service for all hostile requests: a process of its own, a worker, a small model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from pictures import photograph
from PIL import Image

from bound import bound

SETTINGS = {
    "models": "bicubic-x2",
    "max_body": "3MB",
    "max_pixels": "1000000",
    "max_output_pixels": "2000000",
    "max_frames": "50",
    "worker_memory": "600MB",
    "task_seconds": "60",
    "body_seconds": "6",
    "queue": "64",
    "log_level": "warning",
}


class Service:
    """``hyperfocal serve``, and what can be seen of it from outside."""

    def __init__(self, folder: Path) -> None:
        media = folder / "media"
        media.mkdir()
        Image.fromarray(photograph()).save(media / "photo.png")
        (folder / "outside.png").write_bytes((media / "photo.png").read_bytes())
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("HYPERFOCAL_SERVER_")
        }
        environment |= {f"HYPERFOCAL_SERVER_{name.upper()}": v for name, v in SETTINGS.items()}
        environment["HYPERFOCAL_SERVER_MEDIA_ROOT"] = str(media)
        self.folder = folder
        self.data = folder / "data"
        # To append: the process writes where this one last read, were it not for that.
        self._log = (folder / "log").open("a+b")
        self._process = subprocess.Popen(
            bound(sys.executable, "-m", "hyperfocal", "serve", "--port", "0", "--workers", "1",
                  "--threads", "1", "--data", str(self.data)),
            env=environment, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.log()
        self.client = httpx.Client(base_url=self.url, timeout=120, trust_env=False)
        while self.client.get("/readyz").status_code != 200:
            assert self._process.poll() is None, self.log()

    def restarts(self) -> int:
        """Workers replaced since the start, whatever the reason."""
        lines = self.client.get("/metrics").text.splitlines()
        name = "hyperfocal_worker_restarts_total{"
        return int(sum(float(line.split()[-1]) for line in lines if line.startswith(name)))

    def spooled(self) -> list[str]:
        """What lies in the spool folder."""
        return sorted(path.name for path in (self.data / "spool").glob("request-*"))

    def alive(self) -> bool:
        """Whether the process that listens is still the one that was started."""
        return self._process.poll() is None

    def log(self) -> str:
        """What it has logged."""
        self._log.seek(0)
        return self._log.read().decode()

    def close(self) -> None:
        """End it."""
        self.client.close()
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    made = Service(tmp_path_factory.mktemp("hostile"))
    yield made
    made.close()
