"""The figures of benchmarks/load.json, as they are put into words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("psutil")

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "benchmarks")]

import load as measuring  # noqa: E402
from load_figures import load  # noqa: E402
from load_service import Service  # noqa: E402
from speed import graph_of  # noqa: E402

MACHINE = {"processor": "Some CPU", "cores": 2, "quick": False, "note": ""}
LATENCY = {
    "capacity": 6.5,
    "seconds": 60,
    "rows": [
        {
            "load": 3.0,
            "sent": 1170,
            "statuses": {"200": 390, "503 queue-full": 770, "503 draining": 10},
            "answered": {"p50": 2000.4, "p95": 2400.0, "p99": 2500.6},
            "memory_start_mb": 500.4,
            "memory_end_mb": 501.6,
        },
        {
            "load": 4.0,
            "sent": 3,
            "statuses": {"503 queue-full": 3},
            "answered": {},
            "memory_start_mb": 1.0,
            "memory_end_mb": 2.0,
        },
    ],
    "broken": [],
}
CROWD: dict[str, Any] = {
    "clients": 50,
    "statuses": {"200": 50},
    "refused_before": 46,
    "least_likeness_db": 33.1,
    "broken": [],
}


def test_refusals_of_all_kinds_are_counted_together() -> None:
    text = load({**MACHINE, "latency": LATENCY})
    assert "| 300% | 1170 | 390 | 780 | 2000 | 2400 | 2501 | 500 to 502 |" in text
    # Nothing was answered: there are no times.
    assert "| 400% | 3 | 0 | 3 |  |  |  | 1 to 2 |" in text
    assert text.endswith("Some CPU, 2 cores.")


def test_a_broken_promise_is_told_instead_of_the_promise() -> None:
    text = load({**MACHINE, "crowd": CROWD})
    assert "each result nearest to its own input (at least 33.1 dB)" in text
    broken = {**CROWD, "broken": ["client 3 got the picture of 4"]}
    text = load({**MACHINE, "crowd": broken})
    assert "nearest to its own" not in text
    assert "Not as promised: client 3 got the picture of 4." in text


def test_a_quick_run_is_called_one() -> None:
    text = load({**MACHINE, "quick": True, "note": "busy", "crowd": CROWD})
    assert text.endswith("Some CPU, 2 cores; a quick run, of a few requests each; busy.")


def test_nets_that_have_changed_are_told_above_the_tables() -> None:
    net = {"model": "photo-fast-x2", "precision": "int8"}
    same = {**net, "graph": graph_of("photo-fast-x2", "int8")}
    found = {**MACHINE, "crowd": CROWD}
    assert "Measured with" not in load({**found, "nets": [same]})
    text = load({**found, "nets": [same, {**net, "graph": "of another net"}]})
    assert text.startswith("Measured with an earlier photo-fast-x2, of other operators or layers")
    assert load(found).startswith("Measured with nets that were not noted")


def test_the_load_average_is_shown() -> None:
    text = load({**MACHINE, "load_average_before": 0.55, "crowd": CROWD})
    assert text.endswith("Some CPU, 2 cores, a load average of 0.55 before.")
    text = load({**MACHINE, "load_average_before": 1.5, "crowd": CROWD})
    assert "The machine was busy when this was measured" in text


@pytest.fixture
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The committed figures, on an idle machine."""
    path = tmp_path / "load.json"
    path.write_text("as they were")
    monkeypatch.setattr(measuring, "OUT", path)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.1, 0.1, 0.1))
    # main() takes them away; this brings them back.
    for name in [name for name in os.environ if name.startswith("HYPERFOCAL_")]:
        monkeypatch.setenv(name, os.environ[name])
    return path


def measures(monkeypatch: pytest.MonkeyPatch, *words: str, interrupted: bool = False) -> None:
    """Run the program, which finds something in its first part."""

    async def measure(chosen: list[str], amounts: Any, keep: Any) -> dict[str, Any]:
        found = {"crowd": {**CROWD, "setting": os.environ.get("HYPERFOCAL_PRECISION")}}
        keep(found)
        if interrupted:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(measuring, "measure", measure)
    monkeypatch.setattr(sys, "argv", ["load.py", *words])
    measuring.main()


@pytest.mark.parametrize("words", [("--quick",), ("--part", "crowd"), ("--soak", "10")])
def test_less_than_all_is_written_elsewhere(
    figures: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as ended:
        measures(monkeypatch, *words)
    assert ended.value.code == 2
    elsewhere = figures.with_name("elsewhere.json")
    measures(monkeypatch, *words, "--out", str(elsewhere))
    assert json.loads(elsewhere.read_text())["crowd"]["clients"] == 50
    assert figures.read_text() == "as they were"


def test_an_interrupted_measurement_leaves_the_figures(
    figures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        measures(monkeypatch, interrupted=True)
    assert figures.read_text() == "as they were"
    assert "crowd" in json.loads(figures.with_suffix(".partial").read_text())


def test_a_busy_machine_is_not_measured(figures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (2.0, 0.1, 0.1))
    with pytest.raises(SystemExit, match="--busy"):
        measures(monkeypatch)
    assert figures.read_text() == "as they were"


def test_a_complete_measurement_has_default_settings_and_its_nets(
    figures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPERFOCAL_PRECISION", "float")
    measures(monkeypatch)
    found = json.loads(figures.read_text())
    assert found["crowd"]["setting"] is None
    assert [net["model"] for net in found["nets"]] == ["photo-fast-x2", "photo-realtime-x2"]
    assert all(net["graph"] == graph_of(net["model"], net["precision"]) for net in found["nets"])
    assert not figures.with_suffix(".partial").exists()


def test_no_setting_reaches_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class StartedError(Exception):
        pass

    def start(*_: object, env: dict[str, str], **__: object) -> None:
        raise StartedError([name for name in env if name.startswith("HYPERFOCAL_")], "PATH" in env)

    for name in ("HYPERFOCAL_PRECISION", "HYPERFOCAL_SERVER_WORKERS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(StartedError) as started, Service(tmp_path):
        pass
    assert started.value.args == ([], True)
