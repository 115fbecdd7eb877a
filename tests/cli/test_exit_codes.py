from __future__ import annotations

import os
from pathlib import Path

import pytest
from calling import Photo, Run

from hyperfocal import Upscaler


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["a.png", "--nonsense"],
        ["a.png", "-s", "two"],
        ["a.png", "-s", "9"],
        ["a.png", "-s", "0.5"],
        ["a.png", "-s", "nan"],
        ["a.png", "-s", "2", "--size", "40x30"],
        ["a.png", "--size", "40"],
        ["a.png", "--size", "x"],
        ["a.png", "--size", "0x30"],
        ["a.png", "--long-edge", "-3"],
        ["a.png", "--megapixels", "0"],
        ["a.png", "-q", "101"],
        ["a.png", "--memory", "lots"],
        ["a.png", "--threads", "-1"],
        ["a.png", "--precision", "int3"],
        ["a.png", "--overwrite", "--skip-existing"],
        ["a.png", "--quiet", "-v"],
        ["a.png", "a.jpg", "-o", "b.png"],
        ["a.png", "a.jpg", "-o", "-"],
        ["a.png", "-o", "-", "--json"],
        ["empty"],
        [""],
        ["a.png", "-o", ""],
        ["a.png", "--suffix", "../up"],
        ["a.png", "--long-edge", "4000"],
    ],
    ids=" ".join,
)
def test_usage_is_2(upscale: Run, photo: Photo, options: list[str]) -> None:
    photo("a.png")
    photo("a.jpg")
    Path("empty").mkdir()
    answer = upscale(*options)
    assert answer.code == 2
    assert answer.err
    assert answer.out == b"" or "--json" in options


@pytest.mark.parametrize(
    ("words", "code", "error", "message"),
    [
        (["upscale", "--json"], 2, "usage", "Missing argument 'IN...'."),
        (["upscale", "a.png", "--json", "--nonsense"], 2, "usage", "No such option: --nonsense"),
        (["upscale", "a.png", "--json", "-s", "two"], 2, "usage", "Invalid value for '-s'"),
        (["upscale", "a.png", "--json", "-s", "9"], 2, "usage", "--scale must be from 1 to 8"),
        (["upscale", "a.png", "--json", "-q"], 2, "usage", "Option '-q' requires an argument"),
        (["upscale", "empty", "--json"], 2, "usage", "no pictures in empty"),
        (["send", "a.png", "--json"], 2, "usage", "Missing option"),
        (["inspect", "--json"], 2, "usage", "Missing argument 'IN...'."),
        (["compare", "a.png", "--json"], 2, "usage", "Missing argument 'B'."),
        (["compare", "a.png", "b.png", "--json"], 3, "input-missing", "b.png: no such file"),
        (["models", "show", "x", "--json"], 4, "model-missing", "no model 'x'"),
        (["models", "nonsense", "--json"], 2, "usage", "No such command 'nonsense'"),
        (["nonsense", "--json"], 2, "usage", "No such command 'nonsense'"),
        (["--nonsense", "upscale", "--json"], 2, "usage", "No such option: --nonsense"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_where_json_is_asked_for_errors_come_in_it_too(
    run: Run, photo: Photo, words: list[str], code: int, error: str, message: str
) -> None:
    photo("a.png")
    Path("empty").mkdir()
    answer = run(*words)
    assert answer.code == code
    # Of a batch it is the batch's own document, whatever ended it.
    told = answer.json["stopped" if words[0] in ("upscale", "send") else "error"]
    assert told["code"] == error
    assert message in told["message"]
    assert message in answer.err


def test_what_stands_behind_two_dashes_asks_for_nothing(run: Run) -> None:
    answer = run("compare", "--", "--json")
    assert (answer.code, answer.out) == (2, b"")


@pytest.mark.parametrize("names", [["missing.png"], ["text.png"], ["missing.png", "text.png"]])
def test_bad_input_is_3_where_nothing_else_happened(upscale: Run, names: list[str]) -> None:
    Path("text.png").write_text("no picture")
    answer = upscale(*names)
    assert answer.code == 3
    assert all(name in answer.err for name in names)


def test_some_failed_is_1(upscale: Run, photo: Photo) -> None:
    assert upscale(photo("a.png"), "missing.png").code == 1


def test_failures_of_different_kinds_are_1(upscale: Run, photo: Photo) -> None:
    photo("a.png")
    Path("a@2x.png").write_bytes(b"")
    assert upscale("a.png", "missing.png").code == 1


def test_a_missing_model_is_4_and_names_the_nearest(run: Run, photo: Photo) -> None:
    answer = run("upscale", "-m", "bicubic-x5", photo("a.png"))
    assert answer.code == 4
    assert "bicubic-x2" in answer.err


def test_a_damaged_model_is_4(run: Run, photo: Photo) -> None:
    import hyperfocal.models.registry as registry

    Path(".models").mkdir()
    card = (registry.SHIPPED / "bicubic-x2.toml").read_text(encoding="utf-8")
    Path(".models/mine-x2.toml").write_text(card.replace("bicubic-x2", "mine-x2"))
    answer = run("upscale", "-m", "mine-x2", photo("a.png"))
    assert answer.code == 4
    assert "mine-x2" in answer.err


def test_no_arguments_show_the_verbs(run: Run) -> None:
    answer = run()
    assert "upscale" in answer.text + answer.err


def test_an_unknown_setting_in_the_environment_is_2(
    upscale: Run, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPERFOCAL_MEMROY", "1GB")
    answer = upscale(photo("a.png"))
    assert answer.code == 2
    assert "memory" in answer.err


@pytest.mark.parametrize("more", [["--dry-run"], []])
@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("file/out/", "the folder file/out cannot be made: file is no folder"),
        ("nowhere/out/", "the folder nowhere/out cannot be made: nowhere is no folder"),
        ("file/b.png", "file/b.png: the folder does not exist"),
        ("closed/b.png", "closed/b.png: may not be written (no permission)"),
        ("closed/x/y/", "the folder closed/x/y cannot be made: closed may not be written to"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_the_work(
    upscale: Run,
    photo: Photo,
    monkeypatch: pytest.MonkeyPatch,
    output: str,
    reason: str,
    more: list[str],
) -> None:
    photo("a.png")
    Path("file").write_bytes(b"in the way")
    Path("nowhere").symlink_to("missing")
    Path("closed").mkdir()
    # Permissions mean nothing to those who test as root.
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path).name != "closed" and real(path, mode)
    )

    def work(*_: object, **__: object) -> None:
        raise AssertionError("restored in vain")

    monkeypatch.setattr(Upscaler, "__call__", work)
    answer = upscale("a.png", "-o", output, *more)
    assert answer.code == 1
    assert reason in answer.err


def test_an_unwritable_format_is_2(upscale: Run, photo: Photo) -> None:
    answer = upscale(photo("a.png"), "-f", "xcf")
    assert answer.code == 2
    assert "png" in answer.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_1(upscale: Run, photo: Photo) -> None:
    answer = upscale(photo("a.png"), "-o", "/dev/full", "-f", "png", "--overwrite")
    assert answer.code == 1
    assert "no space" in answer.err


def test_a_folder_that_may_not_be_read_is_told_and_the_rest_is_done(
    upscale: Run, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo("in/a.png")
    photo("in/closed/b.png")
    real = os.scandir

    def closed(path: object) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", closed)
    answer = upscale("in", "-r", "-o", "out")
    assert answer.code == 1
    assert "closed: the folder cannot be read" in answer.err
    assert Path("out/a.png").is_file()


def test_links_in_a_circle_are_bad_input(upscale: Run) -> None:
    Path("a.png").symlink_to("b.png")
    Path("b.png").symlink_to("a.png")
    assert upscale("a.png").code == 3
