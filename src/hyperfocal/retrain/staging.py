"""New pictures as a training reads them: 8-bit PNG, the large ones cut into tiles.

Cutting keeps memory bounded, whatever the size of a camera's pictures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from hyperfocal.evaluate.pairs import Bytes, Example, read_example
from hyperfocal.evaluate.suites import Pair
from hyperfocal.retrain.data import Parted
from hyperfocal.settings import Settings
from hyperfocal.training.degraded import part_names
from hyperfocal.training.given_pairs import HIGH, LOW
from hyperfocal.training.suite import write_suite

TRAINING, CHOOSING, HELD_BACK = "training", "choosing", "held-back"

# Largest side of a tile, and how many pixels train: about as many as the shipped models saw.
_SIDE = 768
_PIXELS = 128 * 10**6


def stage(parted: Parted, scale: int, degradation: str, folder: Path, settings: Settings) -> int:
    """Write ``training``, ``choosing`` and ``held-back`` into ``folder``.

    The first two hold ``HR`` (and ``LR``, for the degradation "given"); ``held-back`` is a suite
    as ``hyperfocal evaluate`` takes them, of whole pictures. Returns the shortest side of any
    original to train on, in pixels. Tiles that are in both, as of screenshots with one wallpaper,
    are left out of ``training``.
    """
    given = degradation == "given"
    kept = _spread(parted.training, scale, settings)
    shortest = _SIDE
    choose: set[bytes] = set()
    for pairs, part in ((parted.choosing, CHOOSING), (parted.training, TRAINING)):
        for number, pair in enumerate(pairs):
            tiles = list(_tiles(read_example(pair, scale, settings), scale))
            if part == CHOOSING:
                tiles = tiles[len(tiles) // 2 :][:1]
            for at, (low, high) in enumerate(tiles):
                digest = hashlib.sha256(repr(high.shape).encode() + high.tobytes()).digest()
                if part == CHOOSING:
                    choose.add(digest)
                elif (number, at) not in kept or digest in choose:
                    continue
                name = f"{number:05d}-{at:03d}.png"
                _save(high, folder / part / HIGH / name)
                if given:
                    _save(low, folder / part / LOW / name)
                if part == TRAINING:
                    shortest = min(shortest, *high.shape[:2])
    _hold_back(parted, scale, degradation, folder, settings)
    return shortest


def _hold_back(
    parted: Parted, scale: int, degradation: str, folder: Path, settings: Settings
) -> None:
    out = folder / HELD_BACK
    originals = folder / "originals" if degradation == "real" else out
    for pair in parted.held_back:
        example = read_example(pair, scale, settings)
        if degradation == "given":
            _save(example.low, out / LOW / f"{pair.name}.png", colour=False)
        high_at = out / HIGH if degradation == "given" else originals
        _save(example.high, high_at / f"{pair.name}.png", colour=False)
    if degradation == "real":
        write_suite(originals, out, scale)


def original_of(parted: Parted, degradation: str) -> dict[str, str]:
    """The original of each picture of the suite ``held-back``, by its name there."""
    return {
        name: original
        for pair, original in zip(parted.held_back, parted.judging, strict=True)
        for name in (part_names(pair.name) if degradation == "real" else [pair.name])
    }


def _spread(pairs: tuple[Pair, ...], scale: int, settings: Settings) -> set[tuple[int, int]]:
    """Which tiles of which pictures train: all, or so many evenly spread as are allowed."""
    from hyperfocal import imaging

    found: list[tuple[int, int]] = []
    pixels = 0
    for number, pair in enumerate(pairs):
        facts = imaging.inspect(pair.high, settings=settings)
        rows, columns = _cuts(facts.height // scale, scale), _cuts(facts.width // scale, scale)
        found += [(number, at) for at in range((len(rows) - 1) * (len(columns) - 1))]
        pixels += facts.height * facts.width
    if pixels <= _PIXELS:
        return set(found)
    allowed = max(1, len(found) * _PIXELS // pixels)
    chosen = np.linspace(0, len(found) - 1, allowed).round().astype(int)
    return {found[index] for index in chosen}


def _cuts(length: int, scale: int) -> list[int]:
    """Where an LR side is cut: into the fewest equal parts of at most the side of a tile."""
    parts = -(-length * scale // _SIDE)
    return [round(at * length / parts) for at in range(parts + 1)]


def _tiles(example: Example, scale: int) -> Iterator[tuple[Bytes, Bytes]]:
    """LR and HR of each tile, row by row."""
    rows, columns = (_cuts(side, scale) for side in example.low.shape[:2])
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            yield (
                example.low[top:bottom, left:right],
                example.high[top * scale : bottom * scale, left * scale : right * scale],
            )


def _save(pixels: Bytes, path: Path, *, colour: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    (image.convert("RGB") if colour else image).save(path, compress_level=1)
