"""Bad pictures made on purpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from calling import Run
from PIL import Image

from hyperfocal.quality.resize import imresize

pytest.importorskip("torch", reason="the training extra is not installed")


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    generator = np.random.default_rng(7)
    folder = tmp_path / "originals"
    folder.mkdir()
    for name in ("one", "two"):
        coarse = generator.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(imresize(coarse, size=(96, 96)).astype(np.uint8)).save(
            folder / f"{name}.png"
        )
    return folder


def test_a_preview_is_one_sheet(run: Run, originals: Path) -> None:
    answer = run("train", "preview-degradations", originals, "-o", "sheet.png", "--first", "1")
    assert answer.code == 0
    assert "pictures  1" in answer.text
    with Image.open("sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 3 * 96


def test_a_preview_takes_its_ranges_from_an_experiment(run: Run, originals: Path) -> None:
    Path("a.toml").write_text(
        'name = "a"\n[data]\ntrain = "t"\nvalidation = "v"\ndegradation = "real"\n'
        "[net]\nscale = 2\nchannels = 4\ndepth = 1\n[schedule]\nsteps = 1\n"
        "[degradation]\nclean = 1.0\n"
    )
    options = ("-o", "clean.png", "--experiment", "a.toml")
    assert run("train", "preview-degradations", originals, *options).code == 0
    with Image.open("clean.png") as sheet:
        array = np.asarray(sheet)
    clean, degraded = array[20:116, 108:204], array[20:116, 210:306]
    # One is computed in 8 bits, the other in the unit range.
    np.testing.assert_allclose(clean.astype(int), degraded, atol=1)


def test_a_picture_too_small_to_preview_is_named(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    Image.new("RGB", (5, 3)).save(folder / "a.png")
    answer = run("train", "preview-degradations", folder, "-s", "4")
    assert answer.code == 2
    assert "a.png is too small (5x3) for a scale of 4" in answer.err
    assert run("train", "preview-degradations", folder, "-s", "3", "-o", "s.png").code == 0


def test_a_preview_is_no_folder(run: Run, originals: Path, tmp_path: Path) -> None:
    answer = run("train", "preview-degradations", originals, "-o", tmp_path, "--first", "1")
    assert answer.code == 1
    assert "is a folder, where a file is needed" in answer.err


def test_a_preview_of_nothing_is_refused(run: Run, tmp_path: Path) -> None:
    answer = run("train", "preview-degradations", tmp_path / "nowhere")
    assert answer.code == 3
    assert "there is no folder" in answer.err


def test_a_suite_can_be_measured(run: Run, originals: Path) -> None:
    answer = run("train", "degrade-suite", originals, "suite", "-s", "2")
    assert answer.code == 0
    assert "pairs  8" in answer.text
    measured = run(
        "evaluate", "--suite", "suite", "-m", "bicubic-x2", "--perceptual", "--json"
    ).json
    assert measured["low_resolution"] == "given"
    seen = measured["perceptual"]
    assert 0.0 < seen["fsim"] <= 1.0
    assert 0.0 < seen["haarpsi"] <= 1.0
    table = run("evaluate", "--suite", "suite", "-m", "bicubic-x2", "--quiet", "--perceptual")
    words = [line.split() for line in table.text.splitlines()]
    heading = words.index(["GMSD", "FSIM", "HaarPSI"])
    names = ("gmsd", "fsim", "haarpsi")
    assert words[heading + 1] == ["model", *(f"{seen[name]:.4f}" for name in names)]
    assert words[heading + 2] == ["bicubic", *(f"{seen[f'bicubic_{n}']:.4f}" for n in names)]


def test_a_suite_is_not_written_over(run: Run, originals: Path) -> None:
    answer = run("train", "degrade-suite", originals, originals)
    assert answer.code == 1
    assert "not empty" in answer.err
