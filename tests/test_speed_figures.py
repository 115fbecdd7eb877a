"""Which measured speeds count."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx")

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import onnx
import speed as figures

from hyperfocal.models.registry import SHIPPED

SHIPPED_INT8 = SHIPPED / "photo-realtime-x2.int8.onnx"


def measured(*models: str) -> dict[str, object]:
    rows = [{"model": model, "precision": "int8", "net": 26.0} for model in models]
    return {"processor": "Some (R) Processor 9", "rows": rows}


def test_a_row_counts_as_long_as_the_graph_is_the_same(tmp_path: Path) -> None:
    # One's own models do not count at all.
    names = ("photo-realtime-x2", "photo-fast-x2", "photo-mine-x2")
    path = figures.record(measured(*names), tmp_path)
    assert path.name == "some-r-processor-9.json"
    (rows,) = figures.speeds(tmp_path).values()
    assert [row["model"] for row in rows] == ["photo-realtime-x2", "photo-fast-x2"]
    changed = json.loads(path.read_text())
    changed["rows"][0]["graph"] = "of another net"
    path.write_text(json.dumps(changed))
    (rows,) = figures.speeds(tmp_path).values()
    assert [row["model"] for row in rows] == ["photo-fast-x2"]


def test_weights_may_change_and_operators_may_not() -> None:
    model = onnx.load(SHIPPED_INT8)
    before = figures.structure(model)
    stored = next(w for w in model.graph.initializer if w.name == "conv1.weight.s8")
    stored.raw_data = bytes(len(stored.raw_data))
    assert figures.structure(model) == before
    model.graph.node[-1].attribute[0].i += 1
    assert figures.structure(model) != before


def test_the_fine_tier_runs_the_graph_of_the_fast_one() -> None:
    assert figures.graph_of("photo-fine-x2", "int8") == figures.graph_of("photo-fast-x2", "int8")
    assert figures.graph_of("photo-fine-x2", "int8") != figures.graph_of("photo-fine-x4", "int8")
    assert figures.graph_of("no-such-model", "int8") == ""
