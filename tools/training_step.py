"""What a training step takes, with the body on AMX tiles and without; for docs/decisions/0010.

    python tools/training_step.py [--busy]    # on a machine with AMX and a C++ compiler

Forward, loss and backward of 24 patches of 48x48 pixels in bfloat16 on two cores, the two ways in
turn. benchmarks/training-step.json keeps the medians and ``make docs`` makes the table. A busy
machine is refused without ``--busy``.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from measured import below, busy, idle, parser
from readme_figures import ROOT, markdown

FIGURES = ROOT / "benchmarks" / "training-step.json"
# Scale, channels, layers.
_NETS = ((2, 32, 26), (4, 32, 22), (2, 48, 26), (2, 64, 26))
_BATCH, _PATCH, _RUNS = 24, 48, 15


def main() -> None:
    """Measure and keep."""
    load = idle(parser(__doc__).parse_args().busy)
    import torch

    from hyperfocal.models.hardware import processor
    from hyperfocal.training.nets import native

    torch.set_num_threads(2)
    if native.compiled() is None:
        raise SystemExit("no AMX tiles here, or no C++ compiler")
    rows = []
    for scale, channels, depth in _NETS:
        with_tiles, without = (_step(scale, channels, depth, tiles) for tiles in (True, False))
        taken: dict[str, list[float]] = {"tiles": [], "layers": []}
        for turn in range(_RUNS + 1):
            for name, step in (("tiles", with_tiles), ("layers", without)):
                start = time.perf_counter()
                step()
                if turn:
                    taken[name].append((time.perf_counter() - start) * 1e3)
        medians = {name: round(statistics.median(times), 1) for name, times in taken.items()}
        rows.append({"scale": scale, "channels": channels, "depth": depth, **medians})
        print(rows[-1], flush=True)
    found: dict[str, Any] = {"processor": processor().name, "load_average_before": load}
    found["rows"] = rows
    FIGURES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _step(scale: int, channels: int, depth: int, tiles: bool) -> Callable[[], None]:
    import torch

    from hyperfocal.training.losses import reconstruction
    from hyperfocal.training.nets import native
    from hyperfocal.training.nets.plain import PlainNet

    net = PlainNet(scale, channels, depth, expand=0).to(memory_format=torch.channels_last)
    shapes = [(_BATCH, 3, side, side) for side in (_PATCH, scale * _PATCH)]
    low, high = (torch.rand(shape).to(memory_format=torch.channels_last) for shape in shapes)

    def step() -> None:
        net.zero_grad()
        with native.switched(tiles), torch.autocast("cpu", torch.bfloat16):
            made = net(low)
        loss, _ = reconstruction(made, high, squared=False, luma_weight=0.5)
        loss.backward()  # type: ignore[no-untyped-call]

    return step


def table() -> str:
    """The figures as Markdown, and what is wrong with them."""
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    rows = [["scale", "channels", "layers", "ms, layer by layer", "ms, on tiles", "times faster"]]
    for row in found["rows"]:
        times = row["layers"], row["tiles"]
        shape = (str(row[name]) for name in ("scale", "channels", "depth"))
        rows.append([*shape, *(f"{ms:.0f}" for ms in times), f"{times[0] / times[1]:.1f}"])
    return below(markdown(rows, "######"), busy(found.get("load_average_before")))


if __name__ == "__main__":
    main()
