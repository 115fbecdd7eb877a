"""What a scale of 3 is best made from; for docs/decisions/0011.

    HYPERFOCAL_DATA=... python tools/three_times.py [--busy]    # it times all of them

The net for that scale, beside photo-fast-x4 and then a reduction, and photo-fast-x2 run twice and
then reduced. benchmarks/three-times.json keeps the figures and which weights they are of,
``make docs`` makes the table. A busy machine is refused without ``--busy``.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from measured import below, busy, earlier, idle, parser, weights
from readme_figures import ROOT, markdown

FIGURES = ROOT / "benchmarks" / "three-times.json"
_SCALE = 3
# The validation pictures choose; the suites, and how many of their pictures, are told besides.
_SUITES = (("val", None), ("Set5", None), ("BSD100", 20))
_RUNS = 7
# Whose weights the ways run.
_MODELS = {
    "photo-fast-x3": "photo-fast-x3",
    "photo-fast-x4, reduced": "photo-fast-x4",
    "photo-fast-x2 twice, reduced": "photo-fast-x2",
}

Pixels = npt.NDArray[np.uint8]


def main() -> None:
    """Measure and keep."""
    load = idle(parser(__doc__).parse_args().busy)
    ways = _ways()
    data = Path(os.environ["HYPERFOCAL_DATA"])
    found: dict[str, Any] = {name: {"psnr": {}} for name in ways}
    for name, model in _MODELS.items():
        found[name]["weights"] = weights(model)
    for suite, first in _SUITES:
        where = str(data / suite) if suite == "val" else suite
        for name, scores in _scored(where, first, ways).items():
            found[name]["psnr"][suite] = round(statistics.mean(scores), 3)
    for name, milliseconds in _timed(ways).items():
        found[name]["ms"] = round(milliseconds, 1)
    kept = {"load_average_before": load, "ways": found}
    FIGURES.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _ways() -> dict[str, Callable[[Pixels], Pixels]]:
    from hyperfocal import Upscaler
    from hyperfocal.imaging.picture import Picture
    from hyperfocal.quality.resize import enlarge_bicubic, resize_picture_array

    four, three, two = (
        Upscaler.load(f"photo-fast-x{scale}", precision="int8", threads=2) for scale in (4, 3, 2)
    )

    def by(upscaler: Upscaler) -> Callable[[Pixels], Pixels]:
        return lambda pixels: np.asarray(
            upscaler(Picture(pixels), scale=_SCALE).picture.pixels, np.uint8
        )

    def twice(pixels: Pixels) -> Pixels:
        large = two(two(Picture(pixels), scale=2).picture, scale=2).picture.pixels
        size = pixels.shape[0] * _SCALE, pixels.shape[1] * _SCALE
        return np.asarray(resize_picture_array(large, size), np.uint8)

    return {
        "bicubic": lambda pixels: enlarge_bicubic(pixels, _SCALE),
        "photo-fast-x3": by(three),
        "photo-fast-x4, reduced": by(four),
        "photo-fast-x2 twice, reduced": twice,
    }


def _scored(
    suite: str, first: int | None, ways: dict[str, Callable[[Pixels], Pixels]]
) -> dict[str, list[float]]:
    from hyperfocal.evaluate.pairs import read_example
    from hyperfocal.evaluate.run import select
    from hyperfocal.evaluate.suites import find_suite
    from hyperfocal.quality import psnr

    scores: dict[str, list[float]] = {name: [] for name in ways}
    for pair in select(find_suite(suite, _SCALE), first).pairs:
        example = read_example(pair, _SCALE, None)
        for name, way in ways.items():
            scores[name].append(psnr(way(example.low), example.high, shave=_SCALE))
    return scores


def _timed(ways: dict[str, Callable[[Pixels], Pixels]]) -> dict[str, float]:
    """Median milliseconds for 512x512 pixels, the ways in turn."""
    from hyperfocal.evaluate.bench import photograph

    picture = photograph(512)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(_RUNS + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way(picture)
            if turn:
                times[name].append((time.perf_counter() - start) * 1e3)
    return {name: statistics.median(taken) for name, taken in times.items()}


def table() -> str:
    """The figures as Markdown, and what is wrong with them."""
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    told = {"val": "validation pictures", "Set5": "Set5", "BSD100": "first 20 of BSD100"}
    rows = [["", *told.values(), "ms"]]
    kept: dict[str, str | None] = dict.fromkeys(_MODELS.values())
    for name, figures in found["ways"].items():
        kept |= figures.get("weights", {})
        psnrs = [f"{figures['psnr'][suite]:.2f}" for suite in told]
        rows.append([name, *psnrs, f"{figures['ms']:.0f}"])
    wrong = earlier(kept), busy(found.get("load_average_before"))
    return below(markdown(rows, "-####"), *wrong)


if __name__ == "__main__":
    main()
