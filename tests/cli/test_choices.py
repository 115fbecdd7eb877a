"""Contradictions and mistakes among options, told in the words of the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from calling import Photo, Run

from hyperfocal import Picture


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["-o", "b.png", "-f", "jpeg"], "-f says jpeg"),
        (["-o", "b.xyz"], "suffix of no format"),
        (["-f", "xyz"], "xyz"),
        (["--long-edge", "0"], "--long-edge"),
        (["--megapixels", "-1"], "--megapixels"),
        (["--scale", "2", "--long-edge", "10"], "--scale and --long-edge exclude each other"),
        (["--memory", "lots"], "amount of memory"),
        (["--threads", "-3"], "--threads"),
        (["-o", "b.jpg", "--bit-depth", "16"], "16"),
        (["--back-project", "nan"], "--back-project is a number of dB"),
        (["--min-fidelity", "inf"], "--min-fidelity is a number of dB"),
    ],
)
def test_mistakes_are_usage_errors(
    upscale: Run, photo: Photo, options: list[str], text: str
) -> None:
    answer = upscale(photo("a.png"), *options)
    assert answer.code == 2
    assert text in " ".join(answer.err.split())
    assert sorted(path.name for path in Path().glob("*.*") if path.is_file()) == ["a.png"]


def test_a_format_whose_extra_is_missing_is_told_before_the_work(
    upscale: Run, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for more in (["-f", "heic"], ["-o", "b.heic"], ["-f", "heic", "--dry-run"]):
        answer = upscale(photo("a.png"), *more)
        assert answer.code == 2
        assert "hyperfocal[heif]" in answer.err


def test_an_empty_folder_still_gives_a_document(upscale: Run) -> None:
    Path("empty").mkdir()
    answer = upscale("empty", "--json")
    assert answer.code == 2
    assert "no pictures in empty" in str(answer.json)


def test_back_projection_brings_a_result_nearer(upscale: Run) -> None:
    # Of noise, bicubic loses a lot.
    noise = np.random.default_rng(1).integers(60, 200, (40, 40, 3), dtype=np.uint8)
    one = Path("a.png")
    Picture(noise).save(one)
    plain = upscale(one, "-o", "plain.png", "--json").json
    bent = upscale(one, "-o", "bent.png", "--back-project", "90", "--json").json
    assert bent["files"][0]["fidelity"] > plain["files"][0]["fidelity"] + 1.0


def test_a_dry_run_refuses_what_a_run_would(
    run: Run, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = photo("a.png", 40, 40)
    monkeypatch.setenv("HYPERFOCAL_MAX_PIXELS", "100")
    assert run("upscale", "-m", "bicubic", one, "--dry-run").code != 0


def test_compare_takes_small_pictures_and_pipes(run: Run, photo: Photo) -> None:
    one, other = photo("a.png", 8, 8), photo("b.png", 8, 8)
    small = run("compare", one, other, "--json")
    assert small.code == 0
    assert small.json["ssim"] is None
    assert any("SSIM needs at least" in note for note in small.json["notes"])
    piped = run("compare", "-", other, "--json", stdin=Path(one).read_bytes())
    assert piped.code == 0
    assert piped.json["a"] == "-"
    assert piped.json["mse"] == 0.0
    assert run("compare", "-", "-").code == 2


def test_compare_shaves_one_size_only(run: Run, photo: Photo) -> None:
    answer = run("compare", photo("a.png", 16, 16), photo("b.png", 32, 32), "--shave", "2")
    assert answer.code == 2
    assert "16x16 and 32x32" in answer.err or "32x32 and 16x16" in answer.err


def test_an_import_under_a_taken_name_names_the_options(run: Run) -> None:
    from hyperfocal.models.registry import SHIPPED

    weights = SHIPPED / "photo-realtime-x2.float.onnx"
    given = ("models", "import", weights, "--name", "mine-x2")
    assert run(*given).code == 0
    again = run(*given)
    assert again.code != 0
    assert "--overwrite" in again.err


def test_pictures_are_written_as_before(upscale: Run, photo: Photo) -> None:
    assert upscale(photo("a.png"), "-o", "b.jpeg", "-f", "jpeg").code == 0
    assert Path("b.jpeg").read_bytes()[:2] == b"\xff\xd8"


@pytest.mark.parametrize("digits", [400, 5000])
@pytest.mark.parametrize(
    ("option", "form"),
    [("--long-edge", "{}"), ("--size", "{}x"), ("--size", "10x{}"), ("--scale", "{}"),
     ("--megapixels", "{}"), ("--back-project", "{}"), ("--min-fidelity", "{}"), ("-q", "{}"),
     ("--memory", "{}"), ("--bit-depth", "{}")],
)  # fmt: skip
def test_numbers_of_hundreds_of_digits_are_usage_errors(
    upscale: Run, photo: Photo, option: str, form: str, digits: int
) -> None:
    answer = upscale(photo("a.png"), option, form.format("9" * digits), "--json")
    assert answer.code == 2
    assert answer.json["stopped"]["code"] in ("usage", "settings")
