"""What the Depth Pro super-resolution net costs on this CPU: prints a table, writes depthpro.json.

    python benchmarks/depthpro.py [--depth 4] [--width 1024] [--runs 3] [--threads 2]
    python benchmarks/depthpro.py --parts

Each form is measured in a process of its own, so that its peak memory is its own. ``--parts``
only counts where the parameters are, into depthpro-parts.json. Needs the extras ``train`` and
``depthpro``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

SIDE = 512
FORMS = ("float32", "bfloat16", "int8, dynamic")


def measure(form: str, width: int, depth: int, runs: int, threads: int) -> dict[str, object]:
    """Parameters, GMACs, milliseconds and MB of one form, on a SIDE x SIDE picture to x2."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from hyperfocal.training.nets.depthpro_sr import DepthProSR

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = DepthProSR(2, width=width, depth=depth).eval()
    parameters = sum(p.numel() for p in net.parameters() if p.requires_grad)
    picture = torch.rand(1, 3, SIDE, SIDE)
    macs = None
    if form == "int8, dynamic":
        net = torch.ao.quantization.quantize_dynamic(net, {torch.nn.Linear}, torch.qint8)
    elif form == "float32":
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
        "form": form,
        "width": width,
        "depth": depth,
        "parameters": parameters,
        "gmacs": macs,
        "ms": 1000.0 * statistics.median(seconds),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000.0,
        "threads": threads,
        "runs": runs,
    }


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


def main() -> None:
    """Measure every form, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    parser.add_argument("--parts", action="store_true", help="only count the parameters")
    given = parser.parse_args()
    if given.parts:
        write("depthpro-parts.json", count(given.width, given.depth))
        return
    if given.form is not None:
        print(json.dumps(measure(given.form, given.width, given.depth, given.runs, given.threads)))
        return
    rows = []
    for form in FORMS:
        command = [sys.executable, __file__, "--form", form]
        for name in ("width", "depth", "runs", "threads"):
            command += [f"--{name}", str(getattr(given, name))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    print(f"{'form':14} {'M parameters':>12} {'GMACs':>8} {'ms':>8} {'pictures/s':>10} {'MB':>6}")
    for row in rows:
        macs = f"{row['gmacs']:.0f}" if row["gmacs"] else "same"
        print(
            f"{row['form']:14} {row['parameters'] / 1e6:12.1f} {macs:>8} {row['ms']:8.0f}"
            f" {1000.0 / row['ms']:10.2f} {row['peak_mb']:6.0f}"
        )
    write("depthpro.json", rows)
    write("depthpro-parts.json", count(given.width, given.depth))


if __name__ == "__main__":
    main()
