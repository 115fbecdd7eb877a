"""The verbs other than upscale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from calling import Photo, Run, pixels
from onnx import TensorProto, helper
from PIL import Image

from hyperfocal import Picture
from hyperfocal.models.hardware import available_cores
from hyperfocal.quality.resize import imresize


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Two originals with detail."""
    random = np.random.default_rng(7)
    for name in ("one", "two"):
        noise = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        big = imresize(noise, size=(48, 64)).astype(np.uint8)
        path = tmp_path / "suite" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Picture(big).save(path)
    return tmp_path / "suite"


def test_inspect_says_what_the_file_says(run: Run) -> None:
    Image.fromarray(pixels()).save("a.jpg", dpi=(300, 300))
    answer = run("inspect", "a.jpg")
    assert answer.code == 0
    assert answer.text.startswith("a.jpg: jpeg 16x12, rgb 8 bit, 300 dpi")
    assert answer.err == ""


def test_inspect_goes_on_after_a_bad_file(run: Run, photo: Photo) -> None:
    answer = run("inspect", "missing.png", photo("a.png"), "--json")
    assert answer.code == 1
    bad, good = answer.json["files"]
    assert bad["error"]["code"] == "input-missing"
    assert (good["width"], good["height"], good["format"]) == (16, 12, "png")


def test_inspect_of_bad_files_only(run: Run) -> None:
    assert run("inspect", "missing.png").code == 3


def test_inspect_reads_the_pipe(run: Run, photo: Photo) -> None:
    answer = run("inspect", "-", "--json", stdin=photo("a.png").read_bytes())
    assert answer.json["files"][0]["width"] == 16


def test_compare_pictures_of_one_size(run: Run, photo: Photo) -> None:
    Picture(np.clip(pixels().astype(int) + 2, 0, 255).astype(np.uint8)).save("b.png")
    answer = run("compare", "b.png", photo("a.png"), "--json")
    # Luma of BT.601 spans 219 of 255 levels: a shift of 2 becomes one of 2 * 219 / 255.
    expected = 20 * np.log10(255 / (2 * 219 / 255))
    assert answer.json["psnr"] == pytest.approx(expected, abs=0.05)
    assert answer.json["basis"] == "luma"
    assert "PSNR" in run("compare", "b.png", "a.png").text


def test_compare_an_enlargement(run: Run, upscale: Run, photo: Photo) -> None:
    told = upscale(photo("a.png"), "--json").json["files"][0]["fidelity"]
    answer = run("compare", "a@2x.png", "a.png", "--json")
    assert answer.json["scale"] == 2
    assert answer.json["consistency"] == pytest.approx(told, abs=0.01)
    assert "consistency" in run("compare", "a@2x.png", "a.png").text


def test_compare_of_what_does_not_belong_together(run: Run, photo: Photo) -> None:
    answer = run("compare", photo("a.png"), photo("b.png", height=40))
    assert answer.code == 3
    assert "proportion" in answer.err


def test_models_list(run: Run) -> None:
    answer = run("models", "list", "bicubic-*", "--json")
    assert [card["name"] for card in answer.json["models"]] == [
        "bicubic-x2", "bicubic-x3", "bicubic-x4",
    ]  # fmt: skip
    assert "bicubic-x3" in run("models", "list").text


def test_models_list_of_nothing(run: Run) -> None:
    answer = run("models", "list", "nothing-*")
    assert (answer.code, answer.out) == (0, b"")
    assert "no model matches" in answer.err


def test_models_show(run: Run) -> None:
    assert 'name = "bicubic-x2"' in run("models", "show", "bicubic-x2").text
    assert run("models", "show", "bicubic-x2", "--json").json["scale"] == 2
    assert run("models", "show", "nothing").code == 4


def test_models_verify(run: Run) -> None:
    answer = run("models", "verify")
    assert answer.code == 0
    assert "ok" in answer.text
    assert run("models", "verify", "nothing").code == 4


def test_models_alias_use_move_and_unalias(run: Run, photo: Photo) -> None:
    assert "stands for bicubic-x2" in run("models", "alias", "champion-x2", "bicubic-x2").text
    assert run("upscale", "-m", "champion-x2", photo("a.png"), "-o", "b.png").code == 0
    assert "no longer for bicubic-x2" in run("models", "alias", "champion-x2", "bicubic-x3").text
    assert "no longer" not in run("models", "alias", "champion-x2", "bicubic-x3").text
    assert run("models", "list", "champion*", "--json").json == {
        "models": [],
        "aliases": {"champion-x2": "bicubic-x3"},
    }
    assert "stands for bicubic-x3" in run("models", "list").text
    assert run("models", "alias", "bicubic-x2", "bicubic-x3").code == 2
    assert run("models", "alias", "champion-x2", "nothing").code == 4
    assert run("models", "unalias", "champion-x2").code == 0
    assert run("models", "unalias", "champion-x2").code == 4


def test_a_family_by_its_alias(run: Run, photo: Photo) -> None:
    run("models", "alias", "champion", "bicubic")
    assert run("upscale", "-m", "champion", photo("a.png")).code == 0
    assert Path("a@2x.png").exists()
    assert "bicubic-x3" in run("models", "verify", "champion").text
    run("models", "alias", "champion-x2", "bicubic-x2")
    rows = run("bench", "-m", "champion-x2", "--side", "8", "--runs", "2", "--json").json["rows"]
    assert [row["model"] for row in rows] == ["bicubic-x2"]


def test_the_verbs_that_measure_know_an_alias_of_a_family(run: Run, suite: Path) -> None:
    run("models", "alias", "champion", "photo-realtime")
    report = run("evaluate", "--suite", suite, "-m", "champion", "-s", "2", "--json").json
    assert report["model"] == "photo-realtime-x2"
    rows = run("bench", "-m", "champion", "--side", "8", "--runs", "2", "--json").json["rows"]
    assert [row["model"] for row in rows] == ["photo-realtime-x2", "photo-realtime-x4"]


def nearest_neighbour(path: Path) -> None:
    """A network that doubles every pixel."""
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest")],
        "double",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, "H", "W"])],
        [helper.make_tensor("scales", TensorProto.FLOAT, [4], [1.0, 1.0, 2.0, 2.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)


def test_models_import_verify_use_and_damage(run: Run, photo: Photo, tmp_path: Path) -> None:
    nearest_neighbour(tmp_path / "Double.onnx")
    answer = run("models", "import", "Double.onnx", "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["name"], answer.json["scale"]) == ("double", 2)
    assert run("models", "import", "Double.onnx").code == 1
    assert run("upscale", "-m", "double", photo("a.png"), "-o", "b.png").code == 0
    found = np.asarray(Image.open("b.png"))
    assert (found == pixels().repeat(2, axis=0).repeat(2, axis=1)).all()
    (weights,) = Path(".models").glob("*.onnx")
    weights.write_bytes(weights.read_bytes() + b"!")
    verified = run("models", "verify", "double")
    assert verified.code == 4
    assert "BAD" in verified.text


def test_models_import_under_the_name_of_an_alias(run: Run, tmp_path: Path) -> None:
    nearest_neighbour(tmp_path / "Double.onnx")
    run("models", "alias", "champion-x2", "bicubic-x2")
    answer = run("models", "import", "Double.onnx", "--name", "champion-x2")
    assert answer.code == 1
    assert "'champion-x2' is an alias" in answer.err


def test_models_import_of_what_is_no_model(run: Run) -> None:
    Path("a.onnx").write_bytes(b"no model")
    assert run("models", "import", "a.onnx").code == 4


@pytest.mark.parametrize("file", ["a.onnx", "a.toml"])
def test_models_import_tells_first_that_it_takes_long(run: Run, file: str) -> None:
    answer = run("models", "import", file)
    assert (answer.code, answer.out) == (4, b"")
    said, error = answer.err.splitlines()
    assert said.startswith(f"running {file} to examine it")
    assert f"{file} cannot be read" in error


def test_evaluate_beside_bicubic(run: Run, suite: Path) -> None:
    answer = run("evaluate", "--suite", suite, "-m", "bicubic-x2", "--json")
    assert answer.code == 0, answer.err
    report = answer.json
    assert set(report) >= {"suite", "model", "scale", "mean", "bicubic", "images"}
    assert report["scale"] == 2
    assert [image["name"] for image in report["images"]] == ["one", "two"]
    assert report["mean"]["psnr"] == pytest.approx(report["bicubic"]["psnr"], abs=0.1)


def test_evaluate_as_a_table(run: Run, suite: Path) -> None:
    answer = run("evaluate", "--suite", suite, "-m", "bicubic-x2", "--first", "1")
    assert "one" in answer.text
    assert "two" not in answer.text
    assert "mean of 1" in answer.text


def test_evaluate_tells_a_picture_too_small_before_it_measures(
    run: Run, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Picture(pixels(18, 40)).save(suite / "zsmall.png")
    both = ("evaluate", "--suite", suite, "-m", "bicubic-x2")
    assert run(*both).code == 0
    monkeypatch.setattr("hyperfocal.evaluate.run.measure", None)
    answer = run(*both, "--perceptual")
    assert answer.code == 3
    assert "zsmall has 40x18 pixels; at x2 pictures are scored from 20x20 on" in answer.err


def test_evaluate_without_a_suite(run: Run) -> None:
    assert run("evaluate", "--suite", "nowhere", "-m", "bicubic-x2").code == 3
    assert run("evaluate", "-m", "bicubic-x2").code == 2


def test_evaluate_refuses_pairs_that_do_not_match(run: Run, suite: Path, tmp_path: Path) -> None:
    for high, low in (("one", "two"), ("two", "one")):
        (tmp_path / "pairs/HR").mkdir(parents=True, exist_ok=True)
        (tmp_path / "pairs/LR").mkdir(parents=True, exist_ok=True)
        original = Image.open(suite / f"{high}.png")
        original.save(tmp_path / f"pairs/HR/{high}.png")
        original.resize((32, 24), Image.Resampling.BICUBIC).save(tmp_path / f"pairs/LR/{low}.png")
    answer = run("evaluate", "--suite", "pairs", "-m", "bicubic-x2")
    assert answer.code == 3
    assert answer.out == b""


def test_bench_measures_in_a_process_of_its_own(run: Run) -> None:
    answer = run("bench", "-m", "bicubic-x2", "--side", "24", "--runs", "2", "--json")
    assert answer.code == 0, answer.err
    (row,) = answer.json["rows"]
    assert (row["model"], row["scale"], row["runs"]) == ("bicubic-x2", 2.0, 2)
    assert row["net"] <= row["p95"]
    for time in ("load", "median", "p95", "net", "with_png", "with_jpeg", "reference"):
        assert row[time] > 0.0
    assert row["median"] <= row["p95"]
    assert row["peak_mb"] is None or 20 < row["peak_mb"] < 400


def test_bench_tells_the_cores_that_it_has(run: Run) -> None:
    short = ("--side", "8", "--runs", "2", "--threads", "100000", "--json")
    (row,) = run("bench", "-m", "bicubic-x2", *short).json["rows"]
    assert row["threads"] == available_cores()


def test_bench_of_a_scale_that_cannot_be(run: Run) -> None:
    answer = run("bench", "-m", "bicubic-x2", "--side", "24", "--runs", "2", "-s", "9")
    assert answer.code == 2
    assert "scale" in answer.err


def test_bench_of_no_model(run: Run) -> None:
    assert run("bench", "-m", "nothing").code == 4


def test_doctor(run: Run) -> None:
    answer = run("doctor", "--json")
    assert answer.code == 0
    assert answer.json["problems"] == []
    assert {choice["model"] for choice in answer.json["models"]} >= {"bicubic-x2"}
    assert "everything is in order" in run("doctor").text


def test_doctor_tells_what_is_wrong(run: Run) -> None:
    Path(".models").mkdir()
    Path(".models/mine-x2.toml").write_text("not a card")
    answer = run("doctor")
    assert answer.code == 1
    assert "mine-x2" in answer.text
    Path(".models/mine-x2.toml").unlink()
    Path(".models/aliases").write_text("champion = photo-fast")
    answer = run("doctor")
    assert answer.code == 1
    assert "aliases cannot be read" in answer.text
    assert "in order" not in answer.text


def test_the_pipe_gives_what_files_give(run: Run, photo: Photo) -> None:
    data = photo("a.png").read_bytes()
    piped = run("upscale", "-m", "bicubic", "-", stdin=data)
    run("upscale", "-m", "bicubic", "a.png", "-o", "b.png")
    assert piped.out == Path("b.png").read_bytes()
