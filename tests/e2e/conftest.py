"""A browser, a real service in a process of its own, and the page in front of it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from running import wait_until

from bound import bound

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import chromium

Start = Callable[..., str]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts ``hyperfocal`` with some arguments and gives the address that it prints."""
    running: list[subprocess.Popen[str]] = []

    def call(*arguments: str, **environment: str) -> str:
        folder = tmp_path_factory.mktemp(arguments[0])
        own = {"HYPERFOCAL_SERVER_DATA": str(folder / "data")}
        log = (folder / "log").open("w")
        program = subprocess.Popen(
            bound(sys.executable, "-m", "hyperfocal", *arguments, "--port", "0"),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=folder,
            env={**os.environ, **own, **environment},
        )
        running.append(program)
        assert program.stdout is not None
        address = program.stdout.readline().strip()
        assert address.startswith("http"), (folder / "log").read_text()
        # Whatever else is said there must not fill the pipe.
        wait_until(lambda: httpx.get(f"{address}/readyz").status_code == 200, 180)
        return address

    yield call
    for program in running:
        program.terminate()
    for program in running:
        program.wait(60)


@pytest.fixture(scope="session")
def service(start: Start) -> str:
    """Address of a real ``hyperfocal serve``."""
    return start("serve", "--workers", "1", "--models", "photo-fast-x2")


@pytest.fixture(scope="session")
def web(start: Start, service: str) -> str:
    """Address of a real ``hyperfocal web`` in front of it."""
    pytest.importorskip("flask", reason="the extra [web] is not installed")
    pytest.importorskip("waitress", reason="the extra [web] is not installed")
    return start("web", FASTAPI_SERVER_URL=service)


# Not of the session: while Playwright is there its event loop counts as running, and no other test
# could run one of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium.find()
    if path is None:
        pytest.skip("there is no Chromium here")
    with api.sync_playwright() as playwright:
        browser = chromium.launch(playwright, path)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens an address in a fresh profile; what the browser complains of fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_(address: str, *, expected: tuple[str, ...] = (), **options: Any) -> Any:
        settings = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
        context = browser.new_context(**settings | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)

        def note(text: str) -> None:
            if not any(word in text for word in expected):
                complaints.append(text)

        page.on("console", lambda message: message.type == "error" and note(message.text))
        page.on("pageerror", lambda error: note(str(error)))
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture(params=["service", "web"])
def address(request: pytest.FixtureRequest) -> str:
    """Of the service's own page, and of the same page from ``hyperfocal web`` in front of it."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def page(open_page: Callable[..., Any], address: str) -> Any:
    """For what has to be the same from both."""
    return open_page(address)


@pytest.fixture
def own_page(open_page: Callable[..., Any], service: str) -> Any:
    """For what the page does by itself."""
    return open_page(service)


@pytest.fixture
def photo(tmp_path: Path) -> Callable[..., Path]:
    """Writes a smooth picture, different for every seed, and gives its path."""

    def write(name: str = "lake.png", width: int = 120, height: int = 80, seed: int = 1) -> Path:
        path = tmp_path / name
        path.write_bytes(drawn(path.suffix, width, height, seed))
        return path

    return write


def drawn(suffix: str, width: int, height: int, seed: int) -> bytes:
    generator = np.random.default_rng(seed)
    small = Image.fromarray(generator.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    form = {".jpg": "JPEG", ".tif": "TIFF", ".png": "PNG"}[suffix]
    buffer = io.BytesIO()
    small.resize((width, height), Image.Resampling.BICUBIC).save(buffer, form)
    return buffer.getvalue()
