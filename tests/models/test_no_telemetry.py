"""ONNX Runtime reports nothing, and leaves nothing in the user's folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
import numpy as np, sys
from hyperfocal import Settings, models
model = models.load("photo-realtime-x2", settings=Settings(runtime="onnxruntime", threads=1))
print(model.runtime, model.run(np.zeros((8, 8, 3), np.uint8)).shape)
"""


def test_a_run_leaves_nothing_in_the_home_folder(tmp_path):
    pytest.importorskip("onnx")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    kept.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**kept, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout.split()[0] == "onnxruntime"
    assert [path.name for path in tmp_path.rglob("*") if "Microsoft" in path.name] == []


def test_it_is_imported_in_one_place():
    pattern = re.compile(r"^\s*(?:import|from) onnxruntime\b", re.MULTILINE)
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in ("src", "tools", "benchmarks", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["src/hyperfocal/models/onnx_runtime.py"]
