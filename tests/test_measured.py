"""What is kept beside figures, and what the pages say where it is not as it should be."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import ablation
import bench
import carelessly
import evidence
import measured
import readme_figures
import restoring
import sharpness
import speed
import three_times
import training_step

TIMED = (ablation, three_times, training_step)
ROW = {"model": "photo-fast-x2", "precision": "int8"}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the load average of this machine."""
    return lambda value: monkeypatch.setattr(os, "getloadavg", lambda: (value, 0.0, 0.0))


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, Any], None]:
    """``kept(tool, figures)``: what lies in the file of a tool."""

    def write(tool: Any, figures: Any) -> None:
        path = tmp_path / "figures.json"
        path.write_text(json.dumps(figures), encoding="utf-8")
        monkeypatch.setattr(tool, "FIGURES", path)

    return write


def read(tool: Any) -> Any:
    return json.loads(tool.FIGURES.read_text(encoding="utf-8"))


def test_a_busy_machine_is_refused_unless_told(load: Callable[[float], None]) -> None:
    load(0.71)
    with pytest.raises(SystemExit, match=r"this machine is 0\.71.*--busy"):
        measured.idle()
    assert measured.idle(True) == 0.71
    load(0.7)
    assert measured.idle() == 0.7


@pytest.mark.parametrize("tool", TIMED, ids=lambda tool: tool.__name__)
def test_figures_stay_where_the_machine_is_busy(
    tool: Any,
    load: Callable[[float], None],
    kept: Callable[[Any, Any], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept(tool, "as they were")
    (tmp_path / "trial-1").mkdir()
    (tmp_path / "trial-1" / "result.json").touch()
    monkeypatch.setattr(sys, "argv", ["tool", *([str(tmp_path)] if tool is ablation else [])])
    load(5.0)
    with pytest.raises(SystemExit, match="--busy"):
        tool.main()
    assert read(tool) == "as they were"


@pytest.mark.parametrize("tool", TIMED, ids=lambda tool: tool.__name__)
def test_help_measures_nothing(
    tool: Any,
    kept: Callable[[Any, Any], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept(tool, "as they were")
    monkeypatch.setattr(sys, "argv", ["tool", "--help"])
    with pytest.raises(SystemExit) as ended:
        tool.main()
    assert ended.value.code == 0
    assert "--busy" in capsys.readouterr().out
    assert read(tool) == "as they were"


def test_a_folder_without_trials_leaves_the_figures(
    kept: Callable[[Any, Any], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(ablation, "as they were")
    monkeypatch.setattr(sys, "argv", ["tool", str(tmp_path), "--busy"])
    with pytest.raises(SystemExit) as ended:
        ablation.main()
    assert ended.value.code == 2
    assert read(ablation) == "as they were"


def test_the_bench_keeps_how_busy_it_was_and_knows_no_settings(
    load: Callable[[float], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program"
    told = {"processor": "P", "rows": [{**ROW, "setting": "%s"}]}
    words = json.dumps(told)
    program.write_text(f"#!/bin/sh\nprintf '{words}' \"$HYPERFOCAL_PRECISION\"\n")
    program.chmod(0o755)
    monkeypatch.setenv("HYPERFOCAL_PRECISION", "float")
    monkeypatch.setattr(sys, "argv", ["bench", "--program", str(program), "--busy"])
    load(3.0)
    bench.main(tmp_path)
    (row,) = json.loads((tmp_path / "p.json").read_text())["rows"]
    assert row["load_average_before"] == 3.0
    assert row["setting"] == ""
    monkeypatch.setattr(sys, "argv", ["bench", "--program", "never-asked"])
    with pytest.raises(SystemExit, match="--busy"):
        bench.main(tmp_path)


def test_models_measured_alone_leave_the_rows_of_others(
    load: Callable[[float], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows() -> list[tuple[str, float]]:
        found = json.loads((tmp_path / "p.json").read_text())["rows"]
        return [(row["model"], row["net"]) for row in found]

    program = tmp_path / "program"
    told = {"processor": "P", "rows": [{**ROW, "model": "photo-fast-x3", "net": 2.0}]}
    program.write_text(f"#!/bin/sh\necho \"$@\" > '{tmp_path}/words'\necho '{json.dumps(told)}'\n")
    program.chmod(0o755)
    others = [{**ROW, "model": name, "net": 1.0} for name in ("photo-fast-x4", "photo-fast-x3")]
    speed.record({"processor": "P", "rows": others}, tmp_path)
    load(0.1)
    alone = ["bench", "--program", str(program), "-m", "photo-fast-x3"]
    monkeypatch.setattr(sys, "argv", alone)
    bench.main(tmp_path)
    assert (tmp_path / "words").read_text() == "bench -m photo-fast-x3 --json\n"
    assert rows() == [("photo-fast-x3", 2.0), ("photo-fast-x4", 1.0)]
    monkeypatch.setattr(sys, "argv", alone[:3])
    bench.main(tmp_path)
    assert rows() == [("photo-fast-x3", 2.0)]


def test_the_readme_says_that_the_machine_was_busy() -> None:
    names = ("median", "p95", "net", "with_png", "with_jpeg", "reference", "peak_mb")
    row = {**ROW, **dict.fromkeys(names, 1.0), "threads": 2, "runs": 20}
    assert readme_figures._speed("P", [row]).endswith("P, 2 cores, 20 runs.")
    busy = readme_figures._speed("P", [{**row, "load_average_before": 2.5}])
    assert busy.endswith("20 runs. The machine was busy when this was measured: a load average of "
                         "2.5 before.")  # fmt: skip


def test_weights_that_ship_are_known_and_others_told() -> None:
    digests = measured.weights("photo-fast-x2", "restore-fast-x2", "bicubic-x2", "no-such-x2")
    assert sorted(digests) == ["photo-fast-x2", "restore-fast-x2"]
    assert measured.earlier(digests) == ""
    told = measured.earlier({**digests, "photo-fast-x2": "0" * 64})
    assert told == "Measured with other weights of photo-fast-x2 than ship now."
    # What was not noted may be anything.
    assert "photo-fast-x4" in measured.earlier({"photo-fast-x4": None})


def test_a_scale_of_three_was_measured_with_these_weights(
    kept: Callable[[Any, Any], None],
) -> None:
    figures = read(three_times)
    way = "photo-fast-x2 twice, reduced"
    assert figures["ways"][way]["weights"].keys() == {"photo-fast-x2"}
    figures["ways"][way]["weights"]["photo-fast-x2"] = "0" * 64
    figures["load_average_before"] = 4.0
    kept(three_times, figures)
    told = three_times.table()
    assert told.endswith("than ship now. The machine was busy when this was measured: a load "
                         "average of 4 before.")  # fmt: skip
    assert "other weights of photo-fast-x2" in told
    del figures["ways"][way]["weights"]
    kept(three_times, figures)
    assert "other weights of photo-fast-x2" in three_times.table()


def test_damaged_pictures_were_restored_with_these_weights(
    kept: Callable[[Any, Any], None],
) -> None:
    rows = read(restoring)
    assert all(("weights" in row) == (row["model"] != "bicubic") for row in rows)
    row = next(row for row in rows if row["model"] == "restore-fast-x4")
    row["weights"] = "0" * 64
    kept(restoring, rows)
    told = restoring.table()
    assert told.endswith("\n\nMeasured with other weights of restore-fast-x4 than ship now.")


def test_pictures_were_judged_by_these_limits(kept: Callable[[Any, Any], None]) -> None:
    figures = read(evidence)
    assert evidence.table().endswith("|")
    figures["limits"]["SOFT"] += 0.01
    kept(evidence, figures)
    for text in (evidence.table(), evidence.undamaged()):
        assert text.endswith("|\n\nJudged by other limits than hold now.")


def test_pictures_prepared_carelessly_were_measured_with_the_weights_that_ship(
    kept: Callable[[Any, Any], None],
) -> None:
    figures = read(carelessly)
    told = carelessly.table()
    assert f"| bicubic | as of {figures['models'][0]['commit']} | as it ships |" in told
    today = [model for model in figures["models"] if not model["commit"]]
    assert len(today) > 1
    for model in today:
        rows = [row for row in figures["rows"] if row["model"] == model["model"]]
        assert told.count(f"| {model['model']} |") == len(rows) == len(carelessly._WAYS)
        digest, model["weights"] = model["weights"], "0" * 64
        kept(carelessly, figures)
        assert carelessly.table().endswith(f"other weights of {model['model']} than ship now.")
        model["weights"] = digest


def test_every_sharpness_was_measured_with_the_weights_that_ship(
    kept: Callable[[Any, Any], None],
) -> None:
    figures = read(sharpness)
    assert "| photo-fast-x2 of 35b7bc4 |" in sharpness.table()
    today = [model for model in figures["models"] if not model["commit"]]
    today[0]["weights"] = "0" * 64
    kept(sharpness, figures)
    assert sharpness.table().endswith("other weights of photo-fast-x2 than ship now.")
    # Those of a commit are what they were.
    figures["models"].remove(today[0])
    kept(sharpness, figures)
    assert sharpness.table().endswith("|")
