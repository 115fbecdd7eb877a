from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from calling import Photo, Run, pixels
from PIL import Image

import hyperfocal
from hyperfocal import imaging
from hyperfocal.errors import GarbledOutput
from hyperfocal.quality.resize import imresize
from hyperfocal.restore import Upscaler


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_beside_the_input_at_the_models_own_scale(upscale: Run, photo: Photo) -> None:
    answer = upscale(photo("a.png"))
    assert answer.code == 0
    assert size(Path("a@2x.png")) == (32, 24)
    assert "a.png -> a@2x.png" in answer.err
    assert "16x12 -> 32x24" in answer.err
    assert "fidelity" in answer.err
    assert answer.out == b""


def test_the_pixels_are_those_of_the_model(upscale: Run, photo: Photo) -> None:
    upscale(photo("a.png"), "-o", "b.png")
    expected = imresize(pixels().astype(np.float32), 2.0)
    found = np.asarray(Image.open("b.png")).astype(np.float32)
    assert np.abs(found - np.clip(expected, 0, 255)).max() <= 1.0


@pytest.mark.parametrize(
    ("options", "expected", "name"),
    [
        (["-s", "3"], (48, 36), "a@3x.png"),
        (["-s", "1.5"], (24, 18), "a@1.5x.png"),
        (["--size", "40x100"], (40, 30), "a@40x100.png"),
        (["--size", "40x"], (40, 30), "a@40x.png"),
        (["--size", "x30"], (40, 30), "a@x30.png"),
        (["--long-edge", "64"], (64, 48), "a@64px.png"),
        (["--megapixels", "0.001728"], (48, 36), "a@0.001728mp.png"),
        (["-m", "bicubic-x4"], (64, 48), "a@4x.png"),
        (["--suffix", "-big"], (32, 24), "a-big.png"),
        (["-f", "tif"], (32, 24), "a@2x.tif"),
    ],
)
def test_size_and_name(
    upscale: Run, photo: Photo, options: list[str], expected: tuple[int, int], name: str
) -> None:
    assert upscale(photo("a.png"), *options).code == 0
    assert size(Path(name)) == expected


def test_a_folder_with_its_tree(upscale: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/a.png")
    photo("in/sub/b.jpg")
    (tmp_path / "in/notes.txt").write_text("no picture")
    (tmp_path / "in/Thumbs.db").write_bytes(b"\0" * 100)
    answer = upscale("in", "-r", "-o", "out")
    assert answer.code == 0
    assert files(tmp_path / "out") == ["a.png", "sub/b.jpg"]
    assert "2 done, 2 other files ignored" in answer.err


def test_a_picture_is_known_by_its_content(upscale: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/a.png").rename("in/without-ending")
    assert upscale("in", "-o", "out").code == 0
    assert files(tmp_path / "out") == ["without-ending.png"]


def test_a_second_call_does_not_enlarge_results(upscale: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/a.png")
    upscale("in")
    answer = upscale("in", "--skip-existing")
    assert answer.code == 0
    assert files(tmp_path / "in") == ["a.png", "a@2x.png"]
    assert "1 skipped" in answer.err


@pytest.mark.parametrize(
    "options",
    [
        ["-s", "4"],
        ["-s", "1.5"],
        ["--size", "40x100"],
        ["--size", "40x"],
        ["--size", "x30"],
        ["--long-edge", "64"],
        ["--megapixels", "0.001728"],
        ["-f", "webp"],
    ],
    ids=" ".join,
)
def test_results_of_other_calls_are_no_inputs(
    upscale: Run, photo: Photo, options: list[str]
) -> None:
    photo("in/a.JPG")
    photo("in/2024.01.05.png")
    upscale("in", *options)
    for more in ([], ["-o", "out"], ["--suffix", "x"]):
        answer = upscale("in", *more, "--json")
        inputs = [one["input"] for one in answer.json["files"]]
        assert inputs == ["in/2024.01.05.png", "in/a.JPG"]
        assert answer.json["ignored"] >= 2
        assert "note: passed over in/2024.01.05@" in answer.err
    assert "note" not in upscale("in", "--quiet", "--overwrite").err


def test_a_photograph_that_is_called_like_a_result_is_restored(
    upscale: Run, photo: Photo, tmp_path: Path
) -> None:
    """Where no input lies beside it, and wherever it is named itself."""
    photo("in/alone@2x.png")
    photo("in/a.png")
    photo("in/a@2x.bmp")
    photo("in/hidden@3x.png")
    photo("in/hidden.png").rename("in/.hidden.png")
    Path("in/notes.txt").write_text("no picture")
    photo("in/notes@2x.png")
    inputs = [one["input"] for one in upscale("in", "-o", "x", "--json").json["files"]]
    assert inputs == ["in/a.png", "in/alone@2x.png", "in/hidden@3x.png", "in/notes@2x.png"]
    for named in (["in/a@2x.bmp"], ["in/a@2x.bmp", "in"], ["in", "in/a@2x.bmp"]):
        answer = upscale(*named, "-o", f"out{len(named)}/", "--overwrite", "--json")
        assert "in/a@2x.bmp" in [one["input"] for one in answer.json["files"]]
        assert "note: passed over" not in answer.err
    answer = upscale("in", "--suffix", "_1", "-o", "y", "--json")
    assert answer.json["done"] == 4
    photo("in/a_1.png")
    answer = upscale("in", "--suffix", "_1", "-o", "z", "--json")
    assert "in/a_1.png" in [one["input"] for one in answer.json["files"]]


def test_one_bad_file_does_not_stop_the_rest(upscale: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/a.png")
    (tmp_path / "in/b.png").write_bytes(Path(photo("c.png")).read_bytes()[:60])
    photo("in/d.png")
    answer = upscale("in", "-o", "out")
    assert answer.code == 1
    assert files(tmp_path / "out") == ["a.png", "d.png"]
    end = answer.err.splitlines()
    assert end[-2].startswith("2 done, 1 failed")
    assert end[-1].startswith("  failed: ")
    assert "b.png" in end[-1]


def test_what_is_there_is_not_replaced_unless_asked(upscale: Run, photo: Photo) -> None:
    photo("a.png")
    Path("b.png").write_bytes(b"precious")
    refused = upscale("a.png", "-o", "b.png")
    assert refused.code == 1
    assert "--overwrite" in refused.err
    assert upscale("a.png", "-o", "b.png", "--skip-existing").code == 0
    assert Path("b.png").read_bytes() == b"precious"
    assert upscale("a.png", "-o", "b.png", "--overwrite").code == 0
    assert size(Path("b.png")) == (32, 24)


def test_two_inputs_with_one_output(upscale: Run, photo: Photo) -> None:
    answer = upscale(photo("a.png"), photo("a.jpg"), "-o", "out", "-f", "png")
    assert answer.code == 1
    assert "already the result of a.png" in answer.err
    assert size(Path("out/a.png")) == (32, 24)


@pytest.mark.parametrize("more", [["--dry-run"], []])
def test_a_broken_input_leaves_its_output_to_the_next(
    upscale: Run, photo: Photo, more: list[str]
) -> None:
    Path("a.jpg").write_bytes(b"no picture")
    answer = upscale("a.jpg", photo("a.png"), photo("a.webp"), "-o", "out", "-f", "png", *more)
    assert answer.code == 1
    assert "is already the result of a.png" in answer.err
    assert "result of a.jpg" not in answer.err
    assert Path("out/a.png").exists() == (not more)


@pytest.mark.parametrize("options", [["-o", "."], ["--suffix", ""], ["-o", "a.png"]])
def test_an_input_is_never_replaced(upscale: Run, photo: Photo, options: list[str]) -> None:
    before = photo("a.png").read_bytes()
    answer = upscale("a.png", *options, "--overwrite")
    assert answer.code == 1
    assert "replace the input" in answer.err
    assert Path("a.png").read_bytes() == before


def test_from_pipe_to_pipe(upscale: Run, photo: Photo) -> None:
    answer = upscale("-", stdin=photo("a.png").read_bytes())
    assert answer.code == 0
    assert Image.open(io.BytesIO(answer.out)).size == (32, 24)
    assert Image.open(io.BytesIO(answer.out)).format == "PNG"


def test_a_format_for_the_pipe(upscale: Run, photo: Photo) -> None:
    answer = upscale(photo("a.png"), "-o", "-", "-f", "jpg")
    assert Image.open(io.BytesIO(answer.out)).format == "JPEG"


def test_an_empty_pipe_is_bad_input(upscale: Run) -> None:
    answer = upscale("-", stdin=b"")
    assert answer.code == 3
    assert answer.out == b""


def test_names_that_are_not_ascii(upscale: Run, photo: Photo) -> None:
    assert upscale(photo("снимок 写真 é.png")).code == 0
    assert size(Path("снимок 写真 é@2x.png")) == (32, 24)


def test_json_and_nothing_else(upscale: Run, photo: Photo) -> None:
    photo("in/a.png")
    photo("in/sub/b.png")
    Path("in/c.png").write_bytes(b"no picture at all")
    answer = upscale("in", "-r", "-o", "out", "--json")
    assert answer.code == 1
    document = answer.json
    assert {name: document[name] for name in ("done", "failed", "skipped", "ignored")} == {
        "done": 2, "failed": 1, "skipped": 0, "ignored": 0,
    }  # fmt: skip
    good, bad, _ = document["files"]
    assert (good["input"], good["output"]) == ("in/a.png", "out/a.png")
    assert (good["input_width"], good["input_height"]) == (16, 12)
    assert (good["width"], good["height"], good["scale"]) == (32, 24, 2.0)
    assert good["model"] == "bicubic-x2"
    assert good["fidelity"] > 30.0
    assert good["bytes"] == Path("out/a.png").stat().st_size
    assert set(good["timings"]) == {
        "open", "load", "prepare", "model", "resize", "depth", "fidelity", "save", "total",
    }  # fmt: skip
    assert good["error"] is None
    assert bad["status"] == "failed"
    assert bad["error"]["code"] == "unknown-format"


def test_a_dry_run_makes_nothing(upscale: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/a.png", height=120, width=160)
    answer = upscale("in", "-s", "8", "-o", "out", "--dry-run", "--json")
    assert answer.code == 0
    (one,) = answer.json["files"]
    assert one["status"] == "planned"
    assert (one["width"], one["height"]) == (1280, 960)
    assert one["model"] == "bicubic-x4+bicubic-x2"
    assert one["tiles"] == 2
    assert files(tmp_path) == ["in/a.png"]


@pytest.mark.parametrize("memory", ["2GB", "165MB"])
def test_a_dry_run_says_what_a_run_does(upscale: Run, photo: Photo, memory: str) -> None:
    photo("a.png", height=300, width=333)
    options = ("a.png", "-s", "5", "--json", "--memory", memory)
    planned = upscale(*options, "--dry-run").json["files"][0]
    done = upscale(*options).json["files"][0]
    for fact in ("output", "width", "height", "model", "tiles", "scale"):
        assert planned[fact] == done[fact], fact


def test_a_dry_run_tells_bad_files_too(upscale: Run) -> None:
    Path("a.png").write_bytes(b"no picture at all")
    assert upscale("a.png", "--dry-run").code == 3


def test_quality_reaches_the_encoder(upscale: Run, photo: Photo) -> None:
    photo("a.jpg", height=200, width=200)
    upscale("a.jpg", "-q", "20", "-o", "low.jpg")
    upscale("a.jpg", "-q", "98", "-o", "high.jpg")
    assert Path("low.jpg").stat().st_size < Path("high.jpg").stat().st_size / 2


def test_bit_depth_reaches_the_encoder(upscale: Run, photo: Photo) -> None:
    assert upscale(photo("a.png"), "--bit-depth", "16", "-o", "b.png").code == 0
    assert imaging.inspect("b.png").bit_depth == 16


@pytest.mark.parametrize("more", [["--dry-run"], []])
@pytest.mark.parametrize(
    ("options", "reason", "code"),
    [
        (["--bit-depth", "16", "-f", "jpg"], "8 bits, not 16", 2),
        (["-s", "4", "-f", "webp"], "at most 16383 pixels a side", 1),
    ],
)
def test_what_cannot_be_written_is_told_before_the_work(
    upscale: Run,
    photo: Photo,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    reason: str,
    code: int,
    more: list[str],
) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("restored in vain")

    monkeypatch.setattr(Upscaler, "__call__", work)
    answer = upscale(photo("a.png", width=4200), *options, *more)
    assert answer.code == code
    assert reason in answer.err


@pytest.mark.parametrize("more", [["--dry-run"], []])
@pytest.mark.parametrize(
    "where",
    [
        ["in/a.jpg"],
        ["in/a.jpg", "-o", "b.jpg"],
        ["in/a.jpg", "-f", "jpg"],
        ["in/a.jpg", "-o", "out/"],
        ["in/a.jpg", "-o", "-"],
        ["in"],
        ["in", "-o", "out/"],
    ],
    ids=" ".join,
)
def test_a_depth_that_a_format_lacks_is_wrong_usage_wherever_the_format_is_from(
    upscale: Run,
    photo: Photo,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    where: list[str],
    more: list[str],
) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("restored in vain")

    monkeypatch.setattr(Upscaler, "__call__", work)
    photo("in/a.jpg")
    photo("in/0.png")
    answer = upscale(*where, "--bit-depth", "16", *more)
    assert answer.code == 2
    assert (
        "JPEG is written with 8 bits, not 16; leave --bit-depth out or name another format"
        in answer.err
    )
    assert files(tmp_path) == ["in/0.png", "in/a.jpg"]


@pytest.mark.skipif(not Path("/dev/null").is_char_device(), reason="needs /dev/null")
@pytest.mark.parametrize("more", [[], ["--skip-existing"], ["--overwrite"]])
def test_a_device_is_written_to_and_not_refused(
    upscale: Run, photo: Photo, more: list[str]
) -> None:
    answer = upscale(photo("a.png"), "-o", "/dev/null", "-f", "png", "--json", *more)
    assert answer.code == 0
    assert answer.json["done"] == 1
    assert answer.json["files"][0]["bytes"] > 100


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("form", ["png", "tiff"])
def test_what_went_into_a_named_pipe_is_counted(upscale: Run, photo: Photo, form: str) -> None:
    os.mkfifo("pipe")
    # It waits for nobody and keeps what is written until it is read.
    with os.fdopen(os.open("pipe", os.O_RDONLY | os.O_NONBLOCK), "rb") as source:
        answer = upscale(photo("a.png"), "-o", "pipe", "-f", form, "--json")
        assert answer.json["files"][0]["bytes"] == len(source.read()) > 100


@pytest.mark.parametrize("more", [["--dry-run"], []])
def test_a_link_that_leads_nowhere_takes_a_name(
    upscale: Run, photo: Photo, more: list[str]
) -> None:
    photo("a.png")
    Path("b.png").symlink_to("c.png")
    assert "b.png exists" in upscale("a.png", "-o", "b.png", *more).err
    answer = upscale("a.png", "-o", "b.png", "--skip-existing", "--json", *more)
    assert (answer.code, answer.json["skipped"]) == (0, 1)
    assert upscale("a.png", "-o", "b.png", "--overwrite").code == 0
    assert Path("c.png").is_file()


def test_metadata_is_kept_or_stripped(upscale: Run) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera maker"
    Image.fromarray(pixels()).save("a.jpg", exif=exif)
    upscale("a.jpg", "-o", "kept.jpg")
    upscale("a.jpg", "-o", "stripped.jpg", "--strip-metadata")
    assert Image.open("kept.jpg").getexif().get(0x010F) == "Camera maker"
    assert not Image.open("stripped.jpg").getexif()


def test_too_little_fidelity_is_a_failure(upscale: Run, photo: Photo) -> None:
    answer = upscale(photo("a.png"), "--min-fidelity", "99")
    assert answer.code == 1
    assert "99 dB were asked for" in answer.err
    assert not Path("a@2x.png").exists()


def test_quiet_says_only_what_failed(upscale: Run, photo: Photo) -> None:
    photo("in/a.png")
    assert upscale("in", "-o", "out", "--quiet").err == ""
    Path("in/b.png").write_bytes(b"no picture at all")
    answer = upscale("in", "-o", "again", "--quiet")
    assert answer.err.count("\n") == 1
    assert "b.png" in answer.err


def test_what_was_dropped_is_told(upscale: Run) -> None:
    Image.fromarray(pixels()).convert("RGBA").save("a.png")
    answer = upscale("a.png", "-f", "jpg")
    assert "over white" in answer.err
    assert "load" not in answer.err
    answer = upscale("a.png", "-f", "jpg", "-v", "--overwrite")
    assert "over white" in answer.err
    assert "model" in answer.err
    assert upscale("a.png", "-f", "jpg", "--quiet", "--overwrite").err == ""


def test_samples_that_are_no_numbers_are_bad_input(upscale: Run) -> None:
    samples = np.full((8, 8), 0.5, np.float32)
    samples[3, 3] = np.nan
    Image.fromarray(samples).save("a.tif")
    answer = upscale("a.tif")
    assert answer.code == 3
    assert "not finite" in answer.err


def test_a_bug_on_one_file_is_told_and_the_rest_is_done(
    upscale: Run, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo("in/a.png")
    photo("in/b.png")
    real = imaging.open

    def buggy(source: object, **options: object) -> object:
        if "a.png" in str(source):
            raise KeyError("oops")
        return real(source, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(imaging, "open", buggy)
    answer = upscale("in", "-o", "out", "--json", "-v")
    assert answer.code == 1
    assert [one["status"] for one in answer.json["files"]] == ["failed", "done"]
    assert answer.json["files"][0]["error"]["code"] == "unexpected"
    assert "Traceback" in answer.err


def test_a_full_memory_fails_the_file(
    upscale: Run, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Upscaler, "__call__", exhausted)
    answer = upscale(photo("a.png"), "--json")
    assert answer.code == 1
    assert answer.json["files"][0]["error"]["code"] == "out-of-memory"


def test_garbage_from_a_model_fails_the_file_and_no_other(
    upscale: Run, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo("in/a.png")
    photo("in/b.png", width=20)
    real = Upscaler.__call__

    def garbled(
        self: Upscaler, picture: hyperfocal.Picture, *rest: object, **more: object
    ) -> object:
        if picture.width == 16:
            raise GarbledOutput("not a picture")
        return real(self, picture, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Upscaler, "__call__", garbled)
    answer = upscale("in", "-o", "out", "--json")
    assert answer.code == 1
    assert [one["status"] for one in answer.json["files"]] == ["failed", "done"]


def test_json_stays_json_where_the_model_is_missing(run: Run, photo: Photo) -> None:
    answer = run("upscale", "-m", "bicubic-x9", "-s", "2", photo("a.png"), "--json")
    assert answer.code == 4
    assert json.loads(answer.out)["stopped"]["code"] == "model-missing"


def test_without_a_model_auto_chooses_and_says_why(run: Run, photo: Photo) -> None:
    Image.open(photo("a.png", 96, 120)).save("a.jpg", quality=40)
    answer = run("upscale", "a.jpg", "-v")
    assert answer.code == 0, answer.err
    assert size(Path("a@2x.jpg")) == (240, 192)
    assert "restore-fast-x2" in answer.err
    assert "restore: a JPEG of quality 40" in answer.err
    told = run("upscale", "a.jpg", "-o", "b.png", "--json").json
    assert told["files"][0]["choice"]["kind"] == "restore"
    planned = run("upscale", "a.jpg", "-s", "3", "--dry-run")
    assert planned.code == 0, planned.err


def test_auto_fine_chooses_among_the_better_models(run: Run, photo: Photo) -> None:
    Image.open(photo("a.png", 64, 48)).save("a.jpg", quality=40)
    answer = run("upscale", "a.jpg", "-m", "auto-fine", "-v")
    assert answer.code == 0, answer.err
    assert "restore-fine-x2" in answer.err
    planned = run("upscale", "a.jpg", "-m", "auto-fine", "-o", "b.png", "--dry-run", "--json").json
    assert planned["files"][0]["model"] == "restore-fine-x2"


@pytest.mark.parametrize(("quality", "kind"), [(40, "restore"), (97, "photo")])
def test_a_dry_run_chooses_as_the_run_does(run: Run, quality: int, kind: str) -> None:
    with Image.open(Path(__file__).parents[1] / "data/skyline.png") as clean:
        clean.save("a.jpg", quality=quality)
    data = Path("a.jpg").read_bytes()
    planned = run("upscale", "a.jpg", "-s", "3", "--dry-run", "--json").json["files"][0]
    piped = run("upscale", "-", "-s", "3", "--dry-run", "--json", stdin=data).json["files"][0]
    done = run("upscale", "a.jpg", "-s", "3", "--json").json["files"][0]
    for fact in ("width", "height", "scale", "model", "tiles", "choice"):
        assert planned[fact] == piped[fact] == done[fact], fact
    assert planned["choice"]["kind"] == kind
    assert planned["model"].startswith(f"{kind}-fast")


@pytest.mark.parametrize(
    "options",
    [["--size", ""], ["--bit-depth", "11"], ["--min-fidelity", "nan"], ["--bit-depth", "0"]],
)
def test_nonsense_is_usage_before_any_work(upscale: Run, photo: Photo, options: list[str]) -> None:
    assert upscale(photo("a.png"), *options).code == 2
    assert not Path("a@2x.png").exists()


def test_a_budget_that_cannot_be_kept_to_is_said(upscale: Run, photo: Photo) -> None:
    answer = upscale(photo("a.png"), "--memory", "10MB")
    assert answer.code == 0
    assert "cannot be kept to" in answer.err
    assert "note:" not in upscale(photo("b.png"), "--memory", "400MB").err


def test_what_another_program_makes_meanwhile_is_skipped(
    upscale: Run, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several with --skip-existing share the work on one folder."""
    photo("in/a.png")
    photo("in/b.png")
    real = Upscaler.__call__

    def slow(self: Upscaler, *rest: object, **more: object) -> object:
        Path("out").mkdir(exist_ok=True)
        if not Path("out/a.png").exists():
            Path("out/a.png").write_bytes(b"of another program")
        return real(self, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Upscaler, "__call__", slow)
    answer = upscale("in", "-o", "out", "--skip-existing", "--json")
    assert [one["status"] for one in answer.json["files"]] == ["skipped", "done"]
    assert answer.code == 0
    assert Path("out/a.png").read_bytes() == b"of another program"
    Path("out/a.png").unlink()
    refused = upscale("in/a.png", "-o", "out", "--json")
    assert (refused.code, refused.json["files"][0]["error"]["code"]) == (1, "output-exists")


@pytest.mark.parametrize(
    "words",
    [
        ["in"],
        ["in", "in/a.png"],
        ["in", "-o", "in"],
        ["in", "-o", "./in/../in"],
        ["in", "x", "-o", "."],
    ],
    ids=" ".join,
)
def test_results_that_could_not_be_told_from_the_inputs_are_refused(
    upscale: Run, photo: Photo, tmp_path: Path, words: list[str]
) -> None:
    photo("in/a.png")
    photo("x/a.png")
    before = files(tmp_path)
    answer = upscale(*words, "--suffix", "", "-f", "webp", "--skip-existing")
    assert answer.code == 2
    assert "results in in could not be told from the pictures there" in answer.err
    assert files(tmp_path) == before


def test_files_that_are_named_need_no_suffix(upscale: Run, photo: Photo, tmp_path: Path) -> None:
    """They are the same at every call."""
    photo("in/a.png")
    for status in ("done", "skipped"):
        answer = upscale("in/a.png", "--suffix", "", "-f", "webp", "--skip-existing", "--json")
        assert (answer.code, answer.json["files"][0]["status"]) == (0, status)
    assert files(tmp_path / "in") == ["a.png", "a.webp"]
    Path("in/a.webp").unlink()
    assert upscale("in", "-r", "-o", "in/out", "-f", "webp").code == 0


def test_linked_folders_are_restored_too(upscale: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/a.png")
    photo("elsewhere/b.png")
    Path("in/album").symlink_to(tmp_path / "elsewhere")
    assert upscale("in", "-r", "-o", "out").code == 0
    assert files(tmp_path / "out") == ["a.png", "album/b.png"]
