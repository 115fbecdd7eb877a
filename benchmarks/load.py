"""What the service does under load, next to the engine called directly; writes load.json.

    python benchmarks/load.py [--busy]
    python benchmarks/load.py --out FILE [--quick] [--soak N] [--part NAME ...] [--busy]

Starts ``hyperfocal serve`` with its default settings, sends it pictures over loopback, kills
workers and the service. Prints a line a part; the exit code is 1 where a promise is broken: less
than 90 % of the direct throughput, a lost job, another's picture, an unexpected status, memory
that grows. The clients run on the same processor cores as the service. ``make load`` runs it; its
figures go into docs/measuring.md. Needs the extra ``test``.

load.json is of all parts in full, measured in one go; what is less goes into another file
(``--out``). Until the end the figures are in a file of the same name that ends in ``.partial``,
where they stay if it is interrupted. A busy machine is refused without ``--busy``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import load_parts as parts
from load_service import SETTINGS, Service

TOOLS = Path(__file__).parents[1] / "tools"
sys.path.insert(0, str(TOOLS))

import measured as conditions  # noqa: E402
import speed  # noqa: E402

OUT = Path(__file__).with_name("load.json")
# In this order: latency needs the capacity that throughput found.
PARTS = ("throughput", "latency", "worker-killed", "service-killed", "crowd", "soak")


async def measure(
    chosen: list[str], amounts: parts.Amounts, keep: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """What each part found, by its name; the service is a fresh one for each.

    ``keep`` is called after each part with what there is so far.
    """
    found: dict[str, Any] = {}
    for name in PARTS:
        if name not in chosen:
            continue
        with tempfile.TemporaryDirectory(prefix="hyperfocal-load-") as folder:
            if name == "service-killed":
                found[name] = await parts.service_killed(Path(folder), amounts)
            else:
                with Service(Path(folder)) as service:
                    found[name] = await _part(name, service, amounts, found)
        print(f"{name}: {told(name, found[name])}", flush=True)
        for promise in found[name]["broken"]:
            print(f"  BROKEN {promise}", flush=True)
        keep(found)
    return found


async def _part(
    name: str, service: Service, amounts: parts.Amounts, found: dict[str, Any]
) -> dict[str, Any]:
    if name == "throughput":
        return await parts.throughput(service, amounts)
    if name == "latency":
        rows = {row["format"]: row for row in found["throughput"]["rows"]}
        return await parts.latency(service, amounts, rows["jpeg"]["service"])
    if name == "worker-killed":
        return await parts.worker_killed(service, amounts)
    if name == "crowd":
        return await parts.crowd(service)
    return await parts.soak(service, amounts)


def told(name: str, found: dict[str, Any]) -> str:
    """A part in a line."""
    if name == "throughput":
        return "; ".join(
            f"{row['format']} {row['service']:.2f} pictures/s, {row['direct']:.2f} direct,"
            f" ratio {row['ratio']:.2f} ({row['ratio_side_by_side']:.2f} of side by side)"
            for row in found["rows"]
        )
    if name == "latency":
        return "; ".join(
            f"{row['load']:.0%}: "
            + "/".join(f"{ms:.0f}" for ms in row["answered"].values())
            + f" ms, {row['statuses']},"
            f" {row['memory_start_mb']:.0f} to {row['memory_end_mb']:.0f} MB"
            for row in found["rows"]
        )
    if name == "worker-killed":
        return f"{found['killed']} killed; {found['statuses']}"
    if name == "service-killed":
        return f"{found['before']}, then {found['after']} in {found['seconds']:.0f} s"
    if name == "crowd":
        least = found["least_likeness_db"]
        return f"{found['statuses']}, at least {least or 0:.1f} dB to one's own picture"
    return (
        f"{found['requests']} requests in {found['seconds']:.0f} s, {found['statuses']},"
        f" {found['memory_start_mb']:.0f} to {found['memory_end_mb']:.0f} MB"
    )


def nets() -> list[dict[str, str]]:
    """Which graphs are run by default on this machine: model, precision, digest."""
    from hyperfocal.models.choosing import choose_precision
    from hyperfocal.models.registry import find
    from hyperfocal.settings import Settings

    found = []
    for model in (parts.MODEL, parts.SMALL_MODEL):
        precision = choose_precision(find(model).card, Settings())
        graph = speed.graph_of(model, precision)
        found.append({"model": model, "precision": precision, "graph": graph})
    return found


def asked() -> argparse.Namespace:
    """What the words ask for; ends the program where load.json would become less than it is."""
    parser = conditions.parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="a few requests of each kind")
    parser.add_argument("--soak", type=int, metavar="N", help="requests of the soak: 10,000")
    parser.add_argument("--out", type=Path, help="file to write; load.json, of all in full")
    parser.add_argument("--part", action="append", choices=PARTS, help="this one only; repeatable")
    parser.add_argument("--note", default="", help="words about the machine, for the file")
    given = parser.parse_args()
    if given.out is None:
        if given.quick or given.part or given.soak is not None:
            parser.error(f"that is not all in full, as {OUT.name} is: say --out FILE")
        given.out = OUT
    return given


def main() -> int:
    """Measure, print, write; 1 where a promise is broken."""
    from hyperfocal.models.hardware import processor

    given = asked()
    busy = conditions.idle(given.busy)
    # The engine that is called directly is in this process.
    for name in [name for name in os.environ if name.startswith(SETTINGS)]:
        del os.environ[name]
    amounts = parts.QUICK if given.quick else parts.FULL
    if given.soak is not None:
        amounts = replace(amounts, soak=max(1, given.soak))
    chosen = list(given.part or PARTS)
    if "latency" in chosen and "throughput" not in chosen:
        chosen.append("throughput")
    machine = processor()
    about = {
        "processor": machine.name,
        "cores": machine.cores,
        "load_average_before": busy,
        "note": given.note,
        "quick": given.quick,
        "nets": nets(),
    }
    partial = given.out.with_suffix(".partial")

    def keep(found: dict[str, Any]) -> None:
        text = json.dumps(_rounded({**about, **found}), indent=2)
        partial.write_text(text + "\n", encoding="utf-8")

    found = asyncio.run(measure(chosen, amounts, keep))
    partial.replace(given.out)
    broken = [promise for part in found.values() for promise in part["broken"]]
    print(f"wrote {given.out}; {len(broken)} promises broken")
    return 1 if broken else 0


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return value


if __name__ == "__main__":
    sys.exit(main())
