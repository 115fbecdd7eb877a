from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faking import Fake, picture, serving
from sending_folders import PNG, Call
from typer.testing import CliRunner

from hyperfocal.cli.app import build
from hyperfocal.client import Client, Retry


@pytest.fixture(scope="session")
def service() -> Iterator[Fake]:
    with serving(Fake()) as service:
        yield service


@pytest.fixture
def fake(service: Fake) -> Fake:
    service.reset()
    return service


@pytest.fixture
def client(fake: Fake) -> Iterator[Client]:
    """One that does not sleep."""
    with Client(fake.url, retry=Retry(attempts=4, first=0.0, longest=0.0)) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.jpg", "sub/c.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PNG + name.encode())
    (tmp_path / "in/notes.txt").write_text("no picture")
    return tmp_path / "in"


@pytest.fixture
def send(fake: Fake, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """``hyperfocal send in -o out`` in the folder's parent."""
    monkeypatch.chdir(folder.parent)
    monkeypatch.delenv("HYPERFOCAL_CLIENT_KEY", raising=False)
    # No pauses: the last Retry-After of a fake that is busy for a while is 0.
    fake.otherwise = lambda seen: picture(b"2x" + seen.body)

    def call(*options: str, url: str = fake.url, source: str = "in") -> Any:
        words = ["send", source, "-o", "out", "--url", url, *options]
        result = CliRunner().invoke(build(), words)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call
