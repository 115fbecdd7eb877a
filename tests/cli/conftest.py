from __future__ import annotations

from pathlib import Path

import pytest
from calling import Answer, Photo, Run, pixels
from typer.testing import CliRunner

from hyperfocal import Picture
from hyperfocal.cli.app import build


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line in this process, in an empty folder and with settings of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYPERFOCAL_CACHE", str(tmp_path / ".cache"))
    monkeypatch.setenv("HYPERFOCAL_MODELS", str(tmp_path / ".models"))

    def call(*arguments: str | Path, stdin: bytes | None = None) -> Answer:
        result = CliRunner().invoke(build(), [str(part) for part in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout_bytes, result.stderr)

    return call


@pytest.fixture
def upscale(run: Run) -> Run:
    """``hyperfocal upscale`` with the model that needs no weights."""

    def call(*arguments: str | Path, stdin: bytes | None = None) -> Answer:
        return run("upscale", "-m", "bicubic", *arguments, stdin=stdin)

    return call


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    """Writes a picture below the test's folder and gives its path relative to that."""

    def write(name: str, height: int = 12, width: int = 16) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Picture(pixels(height, width)).save(path)
        return Path(name)

    return write
