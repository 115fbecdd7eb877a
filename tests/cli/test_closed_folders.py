"""Folders that may not be entered, such as another user's home."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from calling import Photo, Run

from hyperfocal import paths


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Made by hand, because permissions mean nothing to those who test as root."""
    folder = tmp_path / "closed"

    def refusing(real: Any) -> Any:
        def call(path: Any = ".", *more: Any, **options: Any) -> Any:
            if isinstance(path, str | os.PathLike) and Path(path).is_relative_to(folder):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *more, **options)

        return call

    for name in ("stat", "lstat", "scandir", "listdir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    return folder


def test_nothing_is_seen_there(closed: Path) -> None:
    inside = closed / "a.png"
    with pytest.raises(PermissionError):
        os.stat(inside)  # noqa: PTH116 - the fixture works
    assert not paths.exists(inside)
    assert not paths.is_file(inside)
    assert not paths.is_folder(inside)
    assert paths.matching(closed, "*") == []


@pytest.mark.parametrize(
    "verb", [["upscale", "a.png", "-m", "bicubic"], ["models", "list"], ["models", "verify"]]
)
def test_models_and_cache_there_are_done_without(
    run: Run, photo: Photo, closed: Path, monkeypatch: pytest.MonkeyPatch, verb: list[str]
) -> None:
    photo("a.png")
    monkeypatch.setenv("HYPERFOCAL_MODELS", str(closed / "models"))
    monkeypatch.setenv("HYPERFOCAL_CACHE", str(closed / "cache"))
    assert run(*verb).code == 0
    assert run("doctor").code == 0
    assert run("models", "show", "no-such").code == 4


def test_one_input_there_does_not_stop_the_rest(upscale: Run, photo: Photo, closed: Path) -> None:
    photo("a.png")
    answer = upscale(closed / "b.png", "a.png", "-o", "out/")
    assert answer.code == 1
    assert "1 done, 1 failed" in answer.err
    assert upscale(closed / "b.png").code == 3


def test_an_output_there_is_no_unexpected_failure(upscale: Run, photo: Photo, closed: Path) -> None:
    answer = upscale(photo("a.png"), "-o", closed / "b.png", "--json")
    assert answer.json["files"][0]["error"]["code"] == "output-refused"


def test_what_may_not_be_listed_is_told(run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    def refuse(path: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    answer = run("evaluate", "--suite", tmp_path, "-m", "bicubic-x2")
    assert answer.code == 1
    assert f"{tmp_path}: may not be read" in answer.err


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        (["models", "import", "{}/net.toml"], 4),
        (["models", "import", "{}/net.onnx"], 4),
        (["evaluate", "--suite", "{}/suite", "-m", "bicubic-x2"], 3),
        (["send", "{}/in", "-o", "out", "--url", "http://127.0.0.1:1"], 2),
        (["send", "a.png", "-o", "{}/out", "--url", "http://127.0.0.1:1"], 1),
        (["retrain", "--data", "{}/pictures", "--no-suite"], 3),
        (["train", "fit", "{}/net.toml"], 3),
        (["train", "curves", "{}/run"], 3),
        (["train", "export", "{}/best.ckpt"], 3),
        (["inspect", "{}/a.png"], 3),
        (["compare", "a.png", "{}/a.png"], 3),
        (["train", "preview-degradations", "{}/a.png"], 3),
    ],
)
def test_what_lies_there_is_told_to_be_missing(
    run: Run, photo: Photo, closed: Path, verb: list[str], code: int
) -> None:
    photo("a.png")
    answer = run(*(word.format(closed) for word in verb))
    assert answer.code == code
    assert "closed" in answer.err
