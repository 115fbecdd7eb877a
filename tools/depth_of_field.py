"""What a depth map is worth: pictures with a soft background, restored with and without theirs.

    HYPERFOCAL_DATA=... python tools/depth_of_field.py

The three scenes of data/depth are sharp all over. Each is given a lens: focused near and far, all
else blurred by how far it is from that in disparity, nearer things over farther ones, in linear
light. That picture is the truth; made smaller and damaged it is what the restore models are given.
Control: the same scenes left sharp all over, where a depth map should change nothing.
benchmarks/depth-of-field.json keeps the figures and which weights they are of, ``make docs`` makes
the table.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from measured import below, earlier, weights
from PIL import Image
from readme_figures import ROOT, markdown

FIGURES = ROOT / "benchmarks" / "depth-of-field.json"
MODELS = {2: ("photo-fast-x2", "restore-fast-x2"), 4: ("photo-fast-x4", "restore-fast-x4")}
_FOCUSED = {"near": 190, "far": 100}
# Pixels of the large picture a step of disparity, by scale: the same in the small one.
_LENS = {2: 0.03, 4: 0.06}
# Steps of disparity that are blurred together; pixels of the large picture that count as blurred.
_LAYER, _BLURRED = 4, 1.5
_GAMMA = 2.2
# Of the random damage of trainings.
_DRAWN = 3

Pixels = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]


class Case(NamedTuple):
    """One picture to restore; ``blurred``: where the truth is."""

    kind: str
    scale: int
    truth: Pixels
    small: Pixels
    depth: Plane
    blurred: npt.NDArray[np.bool_]


def main() -> None:
    """Measure and keep."""
    folder = Path(os.environ["HYPERFOCAL_DATA"]) / "depth"
    found = {
        "weights": weights(*(name for names in MODELS.values() for name in names)),
        "rows": _rows(folder),
    }
    FIGURES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table())


def through_lens(sharp: Pixels, disparity: Plane, focused: float, lens: float) -> Pixels:
    """``sharp`` as a lens shows it that is focused on one disparity.

    ``lens``: the standard deviation of the blur in pixels, a step of disparity. Layers are put over
    each other from far to near, each with a soft border, as light from behind an edge reaches the
    lens past it.
    """
    from skimage.filters import gaussian

    linear = (sharp / 255.0) ** _GAMMA
    made, covered = np.zeros(linear.shape), np.zeros(linear.shape[:2])
    for nearest in np.arange(disparity.min(), disparity.max() + 1, _LAYER):
        layer = ((disparity >= nearest) & (disparity < nearest + _LAYER)).astype(np.float64)
        blur = lens * abs(nearest + _LAYER / 2 - focused)
        light = linear * layer[:, :, None]
        if blur > 0.3:
            layer = gaussian(layer, blur, mode="nearest")
            light = gaussian(light, blur, mode="nearest", channel_axis=2)
        made = made * (1 - layer[:, :, None]) + light
        covered = covered * (1 - layer) + layer
    made /= np.maximum(covered, 1e-6)[:, :, None]
    return np.rint(np.clip(made, 0, 1) ** (1 / _GAMMA) * 255).astype(np.uint8)


def _cases(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.glob("*-disparity.png")):
        name = path.stem.removesuffix("-disparity")
        disparity = np.asarray(Image.open(path)).astype(np.float32)
        sharp = np.asarray(Image.open(folder / f"{name}.png").convert("RGB"))
        nowhere = np.zeros(disparity.shape, np.bool_)
        for scale in MODELS:
            for where, focused in _FOCUSED.items():
                truth = through_lens(sharp, disparity, focused, _LENS[scale])
                blurred = _LENS[scale] * np.abs(disparity - focused) > _BLURRED
                for kind, small in _damaged(truth, f"{name}-{where}", scale):
                    yield Case(kind, scale, truth, small, disparity, blurred)
            for draw in range(2 * _DRAWN):
                small = _drawn(sharp, f"{name}-sharp-{draw}", scale)
                yield Case(
                    "all in focus, damaged at random", scale, sharp, small, disparity, nowhere
                )


def _damaged(truth: Pixels, name: str, scale: int) -> Iterator[tuple[str, Pixels]]:
    from hyperfocal.quality.resize import imresize

    exact = imresize(truth.astype(np.float64), 1 / scale)
    small = np.rint(np.clip(exact, 0, 255)).astype(np.uint8)
    yield "only made smaller", small
    yield "JPEG of quality 60", _compressed(small, 60)
    from hyperfocal.training.degradations import seed_of

    noise = np.random.default_rng(seed_of(name)).normal(0, 8, small.shape)
    noisy = np.rint(np.clip(small + noise, 0, 255)).astype(np.uint8)
    yield "noise of 8 levels, JPEG of quality 70", _compressed(noisy, 70)
    for draw in range(_DRAWN):
        yield "damaged at random", _drawn(truth, f"{name}-{draw}", scale)


def _drawn(truth: Pixels, name: str, scale: int) -> Pixels:
    from hyperfocal.training.degradations import Degradations
    from hyperfocal.training.degraded import degraded_pair

    return degraded_pair(truth, name, scale, 1, Degradations())[0]


def _compressed(picture: Pixels, quality: int) -> Pixels:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "jpeg", quality=quality)
    return np.asarray(Image.open(data))


def _rows(folder: Path) -> list[dict[str, Any]]:
    from hyperfocal import Picture, Upscaler
    from hyperfocal.quality.metrics import psnr
    from hyperfocal.quality.resize import resize_picture_array

    models = {
        scale: [Upscaler.load(name, precision="int8") for name in names]
        for scale, names in MODELS.items()
    }
    scores: dict[tuple[int, str], list[list[float]]] = {}
    for case in _cases(folder):
        picture, (photo, restore) = Picture(case.small), models[case.scale]
        made = [
            resize_picture_array(case.small, case.truth.shape[:2]),
            photo(picture, scale=case.scale).picture.pixels,
            restore(picture, scale=case.scale).picture.pixels,
            restore(picture, scale=case.scale, depth=case.depth).picture.pixels,
        ]
        score: Callable[..., float] = psnr
        row = [score(each, case.truth) for each in made]
        if case.blurred.any():
            row += [score(each, case.truth, visible=case.blurred) for each in made]
        scores.setdefault((case.scale, case.kind), []).append(row)
    rows = []
    for (scale, kind), each in sorted(scores.items(), key=lambda item: item[0][0]):
        values = np.array(each)
        rows.append(
            {
                "scale": scale,
                "kind": kind,
                "pictures": len(each),
                "psnr": [round(float(mean), 3) for mean in values.mean(axis=0)],
                "worst": round(float((values[:, 3] - values[:, 2]).min()), 3),
            }
        )
    return rows


def table() -> str:
    """The figures as Markdown."""
    if not FIGURES.exists():
        return ""
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    whole = ["bicubic", "photo", "restore", "with depth"]
    rows = [
        [
            "scale",
            "what happened",
            "pictures",
            *whole,
            "worst",
            *(f"{each}, soft" for each in whole),
        ]
    ]
    for row in found["rows"]:
        cells = [f"{value:.2f}" for value in row["psnr"]]
        cells += [""] * (2 * len(whole) - len(cells))
        kind, count = row["kind"], str(row["pictures"])
        rows.append(
            [
                f"x{row['scale']}",
                kind,
                count,
                *cells[: len(whole)],
                f"{row['worst']:+.2f}",
                *cells[len(whole) :],
            ]
        )
    return below(markdown(rows, "--" + "#" * (len(rows[0]) - 2)), earlier(found["weights"]))


if __name__ == "__main__":
    main()
