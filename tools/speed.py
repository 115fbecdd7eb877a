"""Speeds that were measured, a file a processor; ``make bench`` adds this machine's.

    hyperfocal bench -m 'photo-*' -m 'restore-*' --json > FILE; python tools/speed.py FILE

Each row says which graph was timed: its operators and the shapes of its weights, not their values,
which training changes and time does not depend on. Where a model has another graph by now the row
does not count any more.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import onnx

FOLDER = Path(__file__).parent.parent / "benchmarks" / "speed"

Row = dict[str, Any]


def record(measured: dict[str, Any], folder: Path = FOLDER, *, keep: bool = False) -> Path:
    """Write what ``hyperfocal bench --json`` told, and of which graphs; gives the file.

    ``keep``: with the rows of other models that are there.
    """
    rows = [{**row, "graph": graph_of(row["model"], row["precision"])} for row in measured["rows"]]
    name = re.sub(r"[^a-z0-9]+", "-", measured["processor"].lower()).strip("-")
    path = folder / f"{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    if keep and path.is_file():
        anew = {_what(row) for row in rows}
        before = json.loads(path.read_text(encoding="utf-8"))["rows"]
        rows = sorted([*(row for row in before if _what(row) not in anew), *rows], key=_what)
    text = json.dumps({"processor": measured["processor"], "rows": rows}, indent=2)
    path.write_text(f"{text}\n", encoding="utf-8")
    return path


def _what(row: Row) -> tuple[str, str]:
    """What a row is of."""
    return row["model"], row["precision"]


def speeds(folder: Path = FOLDER) -> dict[str, list[Row]]:
    """Rows that count, by processor; first the one with the most."""
    found: dict[str, list[Row]] = {}
    for path in sorted(folder.glob("*.json")):
        measured = json.loads(path.read_text(encoding="utf-8"))
        found[measured["processor"]] = [
            row
            for row in measured["rows"]
            if row["graph"] and row["graph"] == graph_of(row["model"], row["precision"])
        ]
    return dict(sorted(found.items(), key=lambda measured: -len(measured[1])))


@cache
def graph_of(model: str, precision: str) -> str:
    """The digest of the graph that a shipped model runs, "" where there is none of that name."""
    from hyperfocal.models.card import ModelCard
    from hyperfocal.models.registry import SHIPPED

    path = SHIPPED / f"{model}.toml"
    weights = ModelCard.read(path).weights if path.is_file() else {}
    if precision not in weights:
        return ""
    return structure(onnx.load(SHIPPED / weights[precision].file))


def structure(model: onnx.ModelProto) -> str:
    """A digest of the operators of a network and of the shapes and types of its weights."""
    parts = [
        *(node.SerializeToString(deterministic=True) for node in model.graph.node),
        *(f"{w.name} {w.data_type} {list(w.dims)}".encode() for w in model.graph.initializer),
    ]
    return hashlib.sha256(b"\n".join(parts)).hexdigest()[:16]


if __name__ == "__main__":
    print(record(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
