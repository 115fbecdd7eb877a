"""How often damaged and clean pictures are judged so, for docs/degradations.md.

    HYPERFOCAL_DATA=... python tools/evidence.py

Training tiles after those that the limits were chosen on, and the validation pictures, reduced by 2
and degraded by the default ranges; and how often undamaged ones pass for soft or for sharpened.
benchmarks/evidence.json keeps the figures and by which limits pictures were judged (no model has a
part in it), ``make docs`` makes the tables.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from measured import below
from readme_figures import ROOT, markdown

FIGURES = ROOT / "benchmarks" / "evidence.json"
# The limits were chosen on the tiles before these.
_TILES = slice(130, 230)
_NAMES = {"train": "training tiles", "val": "validation pictures"}
# Degradations of each picture.
_TIMES = {"train": 1, "val": 6}
# PSNR in dB between the degraded and the clean small picture.
_BANDS = ("under 30 dB", "30 to 34 dB", "above")
# What pictures are judged by, in hyperfocal.quality.evidence.
_LIMITS = (
    "COARSE_JPEG",
    "WORTH_RESTORING",
    "VISIBLE_BLOCKS",
    "VISIBLE_NOISE",
    "SOFT",
    "HARD",
)

# Of the undamaged.
_UNDAMAGED = (
    _SOFT := "full size, called soft",
    _HARD := "reduced bicubically, called sharpened",
    _LANCZOS := "reduced by Lanczos, called sharpened",
)


def main() -> None:
    """Measure and keep."""
    from hyperfocal.training.data import pictures_in

    data = Path(os.environ["HYPERFOCAL_DATA"])
    found = {
        "limits": limits(),
        "train": _judged(pictures_in(data / "train")[_TILES], _TIMES["train"]),
        "val": _judged(pictures_in(data / "val"), _TIMES["val"]),
    }
    FIGURES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def limits() -> dict[str, float | str]:
    """What pictures are judged by now: limits, and which nets expect the gain."""
    from hyperfocal.quality import evidence, gain

    nets = (Path(gain.__file__).parent / gain.WEIGHTS).read_bytes()
    found: dict[str, float | str] = {name: getattr(evidence, name) for name in _LIMITS}
    return found | {"nets": hashlib.sha256(nets).hexdigest()}


def _judged(files: list[Path], times: int) -> dict[str, Any]:
    from hyperfocal.quality import psnr
    from hyperfocal.quality.evidence import HARD, SOFT, judge
    from hyperfocal.training.data import bicubic_pair, read_rgb
    from hyperfocal.training.degradations import Degradations, seed_of
    from hyperfocal.training.reduction import smaller

    seen: Counter[str] = Counter()
    restored: Counter[str] = Counter()
    ranges = Degradations(clean=0.0)
    for path in files:
        original = read_rgb(path)
        low, high = bicubic_pair(original, 2)
        seen["clean"] += 1
        verdict, _, figures = judge(None, low)
        restored["clean"] += verdict == "restore"
        restored[_HARD] += figures.sharpness > HARD
        restored[_LANCZOS] += judge(None, smaller(original, 0.5, "lanczos"))[2].sharpness > HARD
        restored[_SOFT] += judge(None, original)[2].sharpness < SOFT
        for number in range(times):
            generator = np.random.default_rng(seed_of(f"{path.stem}-{number}"))
            damaged = ranges.degrade(np.ascontiguousarray(high), 2, generator)
            score = psnr(damaged, low)
            band = _BANDS[0] if score < 30.0 else _BANDS[1] if score < 34.0 else _BANDS[2]
            is_told = judge(None, damaged)[0] == "restore"
            for name in ("degraded", band):
                seen[name] += 1
                restored[name] += is_told
    told = {name: {"pictures": seen[name], "restore": restored[name]} for name in sorted(seen)}
    return told | {name: restored[name] for name in _UNDAMAGED}


def undamaged() -> str:
    """What passes for soft or sharpened without being so, as Markdown."""
    rows = [["pictures", *_UNDAMAGED]]
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    for key, pictures in _NAMES.items():
        count = found[key]["clean"]["pictures"]
        rows.append([f"{count} {pictures}", *(str(found[key][name]) for name in _UNDAMAGED)])
    return below(markdown(rows, "-###"), _stale(found))


def table() -> str:
    """The figures as Markdown."""
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    rows = [["pictures", "clean", "degraded", *_BANDS]]
    for key, pictures in _NAMES.items():
        figures = found[key]
        shares = [
            f"{figures[part]['restore'] / figures[part]['pictures']:.0%}"
            for part in ("clean", "degraded", *_BANDS)
        ]
        rows.append([f"{figures['clean']['pictures']} {pictures}", *shares])
    return below(markdown(rows, "-#####"), _stale(found))


def _stale(found: dict[str, Any]) -> str:
    return "" if found.get("limits") == limits() else "Judged by other limits than hold now."


if __name__ == "__main__":
    main()
