"""The tables of docs/measuring.md about the service under load, from benchmarks/load.json.

``make load`` measures it; nothing is typed in by hand. Above the tables it says
which nets have other operators or layers by now.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from measured import busy
from readme_figures import between, markdown
from speed import graph_of

ROOT = Path(__file__).parent.parent
LOAD = ROOT / "benchmarks" / "load.json"

Found = dict[str, Any]


def filled(text: str) -> str:
    """The page's text with the figures as they should be; none where nothing was measured."""
    found = json.loads(LOAD.read_text(encoding="utf-8")) if LOAD.is_file() else None
    return between(text, "load", load(found) if found else "")


def load(found: Found) -> str:
    """All parts that were measured."""
    tables = {"throughput": _throughput, "latency": _latency}
    lines = {
        "soak": _soak,
        "worker-killed": _worker_killed,
        "service-killed": _service_killed,
        "crowd": _crowd,
    }
    told = [_earlier(found.get("nets", []))]
    told += [tell(found[name]) for name, tell in tables.items() if name in found]
    told.append("\n".join(tell(found[name]) for name, tell in lines.items() if name in found))
    broken = [
        promise for name in (*tables, *lines) for promise in found.get(name, {}).get("broken", [])
    ]
    load = found.get("load_average_before")
    about = f"{found['processor']}, {found['cores']} cores"
    if load is not None:
        about += f", a load average of {load:g} before"
    if found["quick"]:
        about += "; a quick run, of a few requests each"
    if found["note"]:
        about += f"; {found['note']}"
    told.append(" ".join(filter(None, [f"{about}.", busy(load)])))
    if broken:
        told.append("Not as promised: " + "; ".join(broken) + ".")
    return "\n\n".join(filter(None, told))


def _earlier(nets: list[dict[str, str]]) -> str:
    """Which nets have another graph by now than the one that was measured."""
    if not nets:
        return "Measured with nets that were not noted: they may be others than ship now."
    other = [n["model"] for n in nets if n["graph"] != graph_of(n["model"], n["precision"])]
    if not other:
        return ""
    return (
        f"Measured with an earlier {' and '.join(other)}, of other operators or layers than "
        "ships now: a picture takes another time today."
    )


def _throughput(found: Found) -> str:
    rows = [["512x512, x2", "engine, pictures/s", "service", "ratio", "of one thread a core"]]
    rows += [
        [
            row["format"].upper(),
            f"{row['direct']:.2f}",
            f"{row['service']:.2f}",
            f"{row['ratio']:.2f}",
            f"{row['ratio_side_by_side']:.2f}",
        ]
        for row in found["rows"]
    ]
    return f"{markdown(rows, '-####')}\n\n{found['model']}, {found['clients']} clients."


def _latency(found: Found) -> str:
    rows = [["load", "requests", "answered", "503", "p50 ms", "p95", "p99", "memory MB"]]
    for row in found["rows"]:
        counts = row["statuses"]
        refused = sum(n for status, n in counts.items() if status.startswith("503"))
        # Where nothing was answered there are no times.
        answered = row["answered"]
        times = [f"{answered[name]:.0f}" if answered else "" for name in ("p50", "p95", "p99")]
        memory = f"{row['memory_start_mb']:.0f} to {row['memory_end_mb']:.0f}"
        counted = [str(row["sent"]), str(counts.get("200", 0)), str(refused)]
        rows.append([f"{row['load']:.0%}", *counted, *times, memory])
    return (
        f"{markdown(rows, '-#######')}\n\nRandom arrivals for {found['seconds']:g} s at parts of "
        f"{found['capacity']:.2f} pictures a second; times of those that were answered."
    )


def _soak(found: Found) -> str:
    return (
        f"- {found['requests']:,} requests one after another by {found['clients']} clients "
        f"({found['side']}x{found['side']}, {found['model']}): {_counted(found['statuses'])}; "
        f"memory of all processes at most {found['memory_start_mb']:.0f} MB in the first fifth and "
        f"{found['memory_end_mb']:.0f} MB in the last."
    )


def _worker_killed(found: Found) -> str:
    return (
        f"- `kill -9` of {found['killed']} workers under load: {_counted(found['statuses'])}; "
        f"{found['workers_after']} workers afterwards."
    )


def _service_killed(found: Found) -> str:
    return (
        f"- `kill -9` of the service with {found['jobs']} jobs: {_counted(found['before'])}; "
        f"after a restart {_counted(found['after'])} within {found['seconds']:.0f} s"
        f"{'' if found['broken'] else ', each with its own picture'}."
    )


def _crowd(found: Found) -> str:
    own = f"each result nearest to its own input (at least {found['least_likeness_db']} dB)"
    return (
        f"- {found['clients']} clients with different pictures at once: "
        f"{_counted(found['statuses'])}; {'' if found['broken'] else own + '; '}"
        f"{found['refused_before']} times one was told to come again first."
    )


def _counted(statuses: dict[str, int]) -> str:
    return ", ".join(f"{status} ({count:,})" for status, count in statuses.items())
