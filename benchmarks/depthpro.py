"""What the Depth Pro super-resolution net costs on this CPU: prints a table, writes depthpro.json.

    python benchmarks/depthpro.py [--depth 4] [--width 1024] [--runs 3] [--threads 2] [--busy]
    python benchmarks/depthpro.py --parts

Each form is made and saved by one process, and loaded and measured by another, so that its peak
memory is its own: what int8 is made of is the float net. ``--parts`` only counts parameters and
tiles, into depthpro-parts.json. A busy machine is refused without ``--busy``. Needs the extras
``train`` and ``depthpro``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from measured import idle, parser

SIDE = 512
INT8 = "int8, dynamic"
FORMS = ("float32", "bfloat16", INT8)


def make(form: str, width: int, depth: int, file: Path) -> None:
    """Save one form of the net, with random weights, and its number of parameters."""
    import torch

    from hyperfocal.training.nets.depthpro_sr import DepthProSR

    torch.manual_seed(0)
    net = DepthProSR(2, width=width, depth=depth).eval()
    parameters = sum(p.numel() for p in net.parameters() if p.requires_grad)
    if form == INT8:
        net = torch.ao.quantization.quantize_dynamic(net, {torch.nn.Linear}, torch.qint8)
    torch.save((net, parameters), file)


def measure(form: str, file: Path, runs: int, threads: int) -> dict[str, object]:
    """Parameters, GMACs, milliseconds and MB of a saved form, on a SIDE x SIDE picture to x2."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from hyperfocal.models.hardware import processor
    from hyperfocal.training.nets.depthpro_sr import DepthProSR

    torch.set_num_threads(threads)
    # A class of transformers learns which layers to hand out as one of it is built; here of
    # nothing: without storage.
    with torch.device("meta"):
        DepthProSR(2, width=64, depth=1)
    net, parameters = torch.load(file, weights_only=False)
    picture = torch.rand(1, 3, SIDE, SIDE)
    macs = None
    if form == "float32":
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            net(picture)
        macs = counter.get_total_flops() / 2e9
    seconds = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=form == "bfloat16"):
        for _ in range(runs):
            started = time.perf_counter()
            net(picture)
            seconds.append(time.perf_counter() - started)
    return {
        "parameters": parameters,
        "gmacs": macs,
        "ms": 1000.0 * statistics.median(seconds),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000.0,
        "made_apart": True,
        "threads": threads,
        "runs": runs,
        "processor": processor().name,
    }


def tiles() -> int:
    """How many tiles the net makes of a SIDE x SIDE picture to x2."""
    from hyperfocal.training.nets.depthpro_sr import TILE, starts

    return len(starts(2 * SIDE, TILE)) ** 2


def count(width: int, depth: int) -> dict[str, int]:
    """Parameters of the net by part; and of the parts of Depth Pro that it does without.

    Nothing is allocated: the modules are built without storage.
    """
    import torch
    from transformers import DepthProForDepthEstimation

    from hyperfocal.training.nets.depthpro_sr import DepthProSR, configuration

    def size(module: torch.nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    with torch.device("meta"):
        net = DepthProSR(2, width=width, depth=depth)
        config = configuration(width, depth)
        config.use_fov_model = True
        depth_pro = DepthProForDepthEstimation(config)
    return {
        "encoders": size(net.encoder.encoder),
        "neck": size(net.encoder.neck),
        "head": size(net.head),
        "absent_field_of_view": size(depth_pro.fov_model),
        "absent_fusion": size(depth_pro.fusion_stage),
        "absent_depth_head": size(depth_pro.head),
    }


def write(name: str, content: object) -> None:
    """Put ``content`` beside this file, whole or not at all."""
    target = Path(__file__).with_name(name)
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    partial.replace(target)


def write_parts(width: int, depth: int) -> None:
    """Count parameters and tiles, and write both."""
    write("depthpro-parts.json", {"parameters": count(width, depth), "tiles": tiles()})


def again(given: argparse.Namespace, *words: str) -> str:
    """Run this program once more with the same numbers; the last line that it prints."""
    command = [sys.executable, __file__, *words]
    for name in ("width", "depth", "runs", "threads"):
        command += [f"--{name}", str(getattr(given, name))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.rpartition("\n")[0].rpartition("\n")[2]


def main() -> None:
    """Measure every form, print, write."""
    words = parser(__doc__)
    words.add_argument("--width", type=int, default=1024)
    words.add_argument("--depth", type=int, default=4)
    words.add_argument("--runs", type=int, default=3)
    words.add_argument("--threads", type=int, default=2)
    words.add_argument("--parts", action="store_true", help="only count parameters and tiles")
    words.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    words.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    words.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.parts:
        write_parts(given.width, given.depth)
        return
    if given.make is not None:
        make(given.form, given.width, given.depth, given.make)
        return
    if given.measure is not None:
        print(json.dumps(measure(given.form, given.measure, given.runs, given.threads)))
        return
    load, rows = idle(given.busy), []
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMS:
            file = Path(folder) / "net.pt"
            again(given, "--form", form, "--make", str(file))
            measured = json.loads(again(given, "--form", form, "--measure", str(file)))
            shape = {"form": form, "width": given.width, "depth": given.depth}
            measured["load_average_before"] = load
            rows.append(shape | measured)
    print(f"{'form':14} {'M parameters':>12} {'GMACs':>8} {'ms':>8} {'pictures/s':>10} {'MB':>6}")
    for row in rows:
        macs = f"{row['gmacs']:.0f}" if row["gmacs"] else "same"
        print(
            f"{row['form']:14} {row['parameters'] / 1e6:12.1f} {macs:>8} {row['ms']:8.0f}"
            f" {1000.0 / row['ms']:10.2f} {row['peak_mb']:6.0f}"
        )
    write("depthpro.json", rows)
    write_parts(given.width, given.depth)


if __name__ == "__main__":
    main()
