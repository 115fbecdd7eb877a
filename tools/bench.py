"""Measure speed and memory of the trained models on this machine, into benchmarks/speed/.

    python tools/bench.py [--program .venv/bin/hyperfocal] [--busy]

``make bench`` runs it with the program of the environment that holds no more than a plain install;
settings are the default ones, whatever the environment says. Every row keeps how busy the machine
was before. A busy one is refused without ``--busy``: what is measured goes into the README.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from measured import idle, parser
from speed import FOLDER, record

_WORDS = ("bench", "-m", "photo-*", "-m", "restore-*", "--json")


def main(folder: Path = FOLDER) -> None:
    """Measure and keep."""
    words = parser(__doc__)
    words.add_argument("--program", default="hyperfocal", help="the program to measure")
    given = words.parse_args()
    load = idle(given.busy)
    default = {name: v for name, v in os.environ.items() if not name.startswith("HYPERFOCAL_")}
    command = [given.program, *_WORDS]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=default)
    measured = json.loads(told.stdout)
    measured["rows"] = [{**row, "load_average_before": load} for row in measured["rows"]]
    print(record(measured, folder))


if __name__ == "__main__":
    main()
