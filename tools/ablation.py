"""What the trials of experiments/ablation.toml came to, for docs/decisions/0006.

    hyperfocal train sweep experiments/ablation.toml --out runs/ablation
    python tools/ablation.py runs/ablation [--busy]    # it times nets and steps

Every trial is exported, so that int8 counts too; benchmarks/ablation.json keeps the figures and
``make docs`` makes the table of them. A busy machine is refused without ``--busy``.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from measured import below, busy, idle, parser

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "benchmarks" / "ablation.json"
_DEFAULTS = {
    "net.unshuffle": 1,
    "net.expand": 0,
    "schedule.optimizer": "muon",
    "precision": "bf16-mixed",
}
_PRECISIONS = {"bf16-mixed": "bf16", "32-true": "fp32"}
_STEPS = 15


def main() -> None:
    """Export what was trained, then time it."""
    words = parser(__doc__)
    words.add_argument("folder", type=Path, help="what the sweep made")
    given = words.parse_args()
    results = sorted(given.folder.glob("trial-*/result.json"))
    if not results:
        words.error(f"there are no trials in {given.folder}")
    load = idle(given.busy)
    exported = {result.parent: _exported(result.parent) for result in results}
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for trial, row in exported.items():
        told = json.loads((trial / "result.json").read_text(encoding="utf-8"))
        values = {name: value for name, value in told["values"].items() if name != "seed"}
        key = json.dumps(values, sort_keys=True)
        if key not in found:
            row |= {**_timed(trial), "load_average_before": load}
        found[key].append({**row, "seed": told["values"]["seed"], "steps": told["steps"]})
        print(key, found[key][-1], flush=True)
    rows = [{"values": json.loads(key), "trials": trials} for key, trials in found.items()]
    FIGURES.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _exported(trial: Path) -> dict[str, Any]:
    """PSNR of validation in dB, by precision; what was exported before is not exported again."""
    from hyperfocal.training.export import export

    kept = trial / "exported" / "validation.json"
    if not kept.is_file():
        made = export(trial / "best.ckpt", kept.parent)
        kept.write_text(json.dumps(made.validation), encoding="utf-8")
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def _timed(trial: Path) -> dict[str, float]:
    """Median milliseconds of int8 at 512x512, of a matrix product beside it, and of a step."""
    from hyperfocal.evaluate.bench import bench
    from hyperfocal.settings import Settings

    (card,) = (trial / "exported").glob("*.toml")
    with tempfile.TemporaryDirectory() as scratch:
        timed = bench(str(card), 2.0, settings=Settings(precision="int8", cache=Path(scratch)))
    step = _step_milliseconds(trial / "best.ckpt")
    return {"ms": timed.median, "reference": timed.reference, "step_ms": step}


def _step_milliseconds(checkpoint: Path) -> float:
    """Median of a training step with all cores, as the experiment of a checkpoint has it."""
    import torch

    from hyperfocal.training.losses import reconstruction
    from hyperfocal.training.module import Restoration
    from hyperfocal.training.stored import load_average

    experiment, net, _ = load_average(checkpoint)
    module = Restoration(experiment, net)
    optimizer = module.configure_optimizers()
    data = experiment.data
    lr = torch.rand(data.batch, 3, data.patch, data.patch).to(memory_format=torch.channels_last)
    hr = lr.repeat_interleave(2, 2).repeat_interleave(2, 3)
    times = []
    for _ in range(_STEPS):
        begun = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=experiment.precision != "32-true"):
            made = module.net(lr)
        optimizer.zero_grad()
        loss, _ = reconstruction(made.float(), hr, squared=False, luma_weight=0.5)
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e3


def table() -> str:
    """The figures as Markdown, best first, and what is wrong with them; empty without any."""
    from readme_figures import markdown

    if not FIGURES.is_file():
        return ""
    rows = json.loads(FIGURES.read_text(encoding="utf-8"))
    lines = [
        [
            *("channels", "layers", "cells", "branches", "trained by", "in"),
            *("ms a step", "ms", "float dB", "int8 dB"),
        ],
    ]
    for row in sorted(rows, key=lambda row: -_mean(row, "float")):
        values = _DEFAULTS | row["values"]
        by = str(values["schedule.optimizer"])
        if "data.teacher" in values:
            teacher = values["data.teacher"]
            told = teacher if isinstance(teacher, str) else " and ".join(teacher)
            by += f", taught by {told}"
        lines.append(
            [
                str(values["net.channels"]),
                str(values["net.depth"]),
                f"{values['net.unshuffle']}x{values['net.unshuffle']}",
                "yes" if values["net.expand"] else "no",
                by,
                _PRECISIONS[values["precision"]],
                f"{row['trials'][0]['step_ms']:.0f}",
                f"{row['trials'][0]['ms']:.0f}",
                _spread(row, "float"),
                _spread(row, "int8"),
            ]
        )
    # All are of one run of this tool.
    load = rows[0]["trials"][0].get("load_average_before")
    return below(markdown(lines, "###---####"), busy(load))


def _mean(row: dict[str, Any], precision: str) -> float:
    return float(statistics.mean(trial[precision] for trial in row["trials"]))


def _spread(row: dict[str, Any], precision: str) -> str:
    found = [trial[precision] for trial in row["trials"]]
    half = (max(found) - min(found)) / 2.0
    return f"{_mean(row, precision):.3f}" + (f" ± {half:.3f}" if len(found) > 1 else "")


if __name__ == "__main__":
    main()
