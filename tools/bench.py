"""Measure speed and memory of the trained models on this machine, into benchmarks/speed/.

    python tools/bench.py [--program .venv/bin/hyperfocal] [--busy] [-m MODEL ...]

``make bench`` runs it with the program of the environment that holds no more than a plain install;
settings are the default ones, whatever the environment says. Every row keeps how busy the machine
was before. A busy one is refused without ``--busy``: what is measured goes into the README. With
models that are named, of which wildcards may stand for several, the others keep their rows.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from measured import idle, parser
from speed import FOLDER, record

_ALL = ("photo-*", "restore-*")


def main(folder: Path = FOLDER) -> None:
    """Measure and keep."""
    words = parser(__doc__)
    words.add_argument("--program", default="hyperfocal", help="the program to measure")
    words.add_argument("-m", "--model", action="append", default=[], help="measure only this one")
    given = words.parse_args()
    load = idle(given.busy)
    default = {name: v for name, v in os.environ.items() if not name.startswith("HYPERFOCAL_")}
    named = [word for name in given.model or _ALL for word in ("-m", name)]
    command = [given.program, "bench", *named, "--json"]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=default)
    measured = json.loads(told.stdout)
    measured["rows"] = [{**row, "load_average_before": load} for row in measured["rows"]]
    print(record(measured, folder, keep=bool(given.model)))


if __name__ == "__main__":
    main()
