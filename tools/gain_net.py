"""Train what tells how much restoring a picture gains (``hyperfocal.quality.gain``).

    HYPERFOCAL_DATA=... python tools/gain_net.py [--pictures N] [--work FOLDER]

Squares of the training tiles, reduced by 2 and then left alone or damaged in many ways
(``mishaps.py``), are enlarged by photo-fast-x2 and by restore-fast-x2 as they ship. By how much
the one result is nearer to the original than the other is what the net learns to tell from the
small picture. It writes src/hyperfocal/quality/gain.npz. ``--work`` keeps the pictures, and takes
those that an earlier run kept there.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from mishaps import FILTERS, MISHAPS, drawn_compression, reduced, unfiltered
from PIL import Image
from readme_figures import ROOT

if TYPE_CHECKING:
    from hyperfocal.quality.gain import GainNet
    from hyperfocal.training.degradations import Degradations

WEIGHTS = ROOT / "src" / "hyperfocal" / "quality" / "gain.npz"
MODELS = ("photo-fast-x2", "restore-fast-x2")
SCALE = 2
# Of a small picture.
SIDE = 128
# A tile's square is reduced by up to this before, so that originals are of every sharpness.
_REDUCED_BY = 2.2
# Of all pictures: degraded as in trainings; only reduced; reduced without a filter. The others met
# with one or two mishaps. Whatever it was, some are stored lossily after it, some are grey.
_TRAINED, _CLEAN, _UNFILTERED = 0.15, 0.35, 0.05
_TWO, _STORED, _GREY = 0.3, 0.4, 0.07
# Gains beyond these, in dB, say no more about which to choose.
LARGEST_GAIN = 2.5
# Pixels at the border of results that are not compared.
_BORDER = 6
_BUNDLE = 500
# One picture in so many is kept apart.
_KEPT = 8
_NETS, _WIDTHS, _EPOCHS, _BATCH = 4, (48, 24), 120, 128
_RATE, _DECAY, _DROPPED, _TOLERANT = 4e-3, 1e-2, 0.1, 0.5


def main() -> None:
    """Make pictures, learn, write."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--pictures", type=int, default=14_000)
    options.add_argument("--work", type=Path)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work: Path = given.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        pictures, gains = _made(work, given.pictures)
    net, told = _learnt(np.stack([_traces(picture) for picture in pictures]), gains)
    print(told)
    np.savez_compressed(WEIGHTS, **net.arrays())


def _made(work: Path, count: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Small pictures ``(N, SIDE, SIDE, 3)``, and what restoring each gains in dB."""
    bundles = [work / f"bundle-{at:03}.npz" for at in range(-(-count // _BUNDLE))]
    missing = [(at, path) for at, path in enumerate(bundles) if not path.exists()]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_bundle, *zip(*missing, strict=True)) if missing else ())
    kept = [np.load(path, allow_pickle=False) for path in bundles]
    return (
        np.concatenate([each["pictures"] for each in kept])[:count],
        np.concatenate([each["gains"] for each in kept])[:count],
    )


def _bundle(seed: int, path: Path) -> None:
    from hyperfocal.training.data import pictures_in
    from hyperfocal.training.degradations import Degradations

    generator = np.random.default_rng(seed)
    files = pictures_in(Path(os.environ["HYPERFOCAL_DATA"]) / "train")
    photo, restore = (_model(name) for name in MODELS)
    degradations = Degradations(clean=0.0)
    pictures, gains = [], []
    for _ in range(_BUNDLE):
        file = files[int(generator.integers(len(files)))]
        original, small = drawn_pair(file, generator, degradations)
        errors = [_error(model.run(small), original) for model in (photo, restore)]
        pictures.append(small)
        gains.append(10.0 * np.log10(errors[0] / errors[1]))
    partial_file = path.with_suffix(".partial.npz")
    np.savez(partial_file, pictures=np.stack(pictures), gains=np.array(gains, np.float32))
    partial_file.rename(path)


def drawn_pair(
    file: Path, generator: np.random.Generator, degradations: Degradations
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """An original and the small picture that came of it, ``(H, W, 3)``."""
    original = _square(file, generator)
    what = generator.random()
    if what < _TRAINED:
        levels = np.ascontiguousarray(np.asarray(original))
        small = Image.fromarray(degradations.degrade(levels, SCALE, generator))
    elif what < _TRAINED + _UNFILTERED:
        small = unfiltered(original, SCALE)
    else:
        small = reduced(original, SCALE, FILTERS[int(generator.integers(len(FILTERS)))])
    if what >= _TRAINED + _UNFILTERED + _CLEAN:
        chances = np.array(list(MISHAPS.values()))
        many = 2 if generator.random() < _TWO else 1
        drawn = generator.choice(len(chances), many, replace=False, p=chances / chances.sum())
        for at in drawn:
            small = list(MISHAPS)[int(at)](small, generator)
    if generator.random() < _STORED:
        small = drawn_compression(small, generator)
    if generator.random() < _GREY:
        original, small = (each.convert("L").convert("RGB") for each in (original, small))
    return np.asarray(original), np.ascontiguousarray(np.asarray(small))


def _square(file: Path, generator: np.random.Generator) -> Image.Image:
    tile = Image.open(file).convert("RGB")
    side = SIDE * SCALE
    most = min(min(tile.size) / side, _REDUCED_BY)
    taken = side if generator.random() < 0.4 else int(side * generator.uniform(1.0, most))
    left, top = (int(generator.integers(length - taken + 1)) for length in tile.size)
    square = tile.crop((left, top, left + taken, top + taken))
    if taken != side:
        way = FILTERS[int(generator.integers(len(FILTERS)))]
        square = square.resize((side, side), way)
    return square


def _error(made: npt.NDArray[Any], original: npt.NDArray[np.uint8]) -> float:
    inner = np.s_[_BORDER:-_BORDER, _BORDER:-_BORDER]
    difference = made[inner].astype(np.float64) - original[inner]
    return max(float((difference**2).mean()), 1e-2)


def _model(name: str) -> Any:
    from hyperfocal.models.loaded import load
    from hyperfocal.settings import Settings

    return load(name, settings=Settings(threads=1, precision="int8"))


def _traces(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    from hyperfocal.quality.gain import squares
    from hyperfocal.quality.traces import traces

    found = squares(picture)
    assert found is not None
    return traces(found)


def _learnt(found: npt.NDArray[np.float32], gains: npt.NDArray[np.float32]) -> tuple[GainNet, str]:
    """The nets, and how they do on the pictures that they did not learn from."""
    from hyperfocal.quality.gain import FURTHEST, GainNet

    kept, taught = np.split(np.random.default_rng(0).permutation(len(found)), [len(found) // _KEPT])
    means, deviations = found[taught].mean(axis=0), found[taught].std(axis=0) + 1e-6
    entering = ((found - means) / deviations).clip(-FURTHEST, FURTHEST)
    wanted = gains.clip(-LARGEST_GAIN, LARGEST_GAIN)
    nets = [_trained(entering[taught], wanted[taught], seed) for seed in range(_NETS)]
    layers = tuple(
        (np.stack([kernel for kernel, _ in each]), np.stack([bias[None] for _, bias in each]))
        for each in zip(*nets, strict=True)
    )
    made = GainNet(means, deviations, layers)
    answers = np.array([made(found[at]) for at in kept])
    best, chosen = gains[kept].clip(0.0).mean(), np.where(answers > 0.0, gains[kept], 0.0).mean()
    return made, f"on {len(kept)} kept apart: {chosen:.3f} dB of {best:.3f} that a choice can gain"


def _trained(
    entering: npt.NDArray[np.float32], wanted: npt.NDArray[np.float32], seed: int
) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Kernel ``(in, out)`` and bias of each layer."""
    import torch
    from torch.nn import Dropout, Linear, ReLU, Sequential
    from torch.nn.functional import huber_loss

    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    inputs, targets = torch.tensor(entering), torch.tensor(wanted)
    widths = (entering.shape[1], *_WIDTHS)
    inner = [
        layer
        for of, to in itertools.pairwise(widths)
        for layer in (Linear(of, to), ReLU(), Dropout(_DROPPED))
    ]
    net = Sequential(*inner, Linear(widths[-1], 1))
    steps = _EPOCHS * len(inputs) // _BATCH
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=_DECAY)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
    for _ in range(steps):
        batch = torch.tensor(generator.integers(len(inputs), size=_BATCH))
        loss = huber_loss(net(inputs[batch])[:, 0], targets[batch], delta=_TOLERANT)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    return [
        (layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy())
        for layer in net
        if isinstance(layer, Linear)
    ]


if __name__ == "__main__":
    main()
