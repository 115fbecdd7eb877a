"""The figures of benchmarks/load.json, as they are put into words."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from load_figures import load  # noqa: E402

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
