"""A model small enough to be made in seconds, and new pictures for it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from discs import write_pictures
from PIL import Image

from hyperfocal.evaluate.pairs import make_low

pytest.importorskip("torch", reason="the training extra is not installed")
pytest.importorskip("lightning", reason="the training extra is not installed")

EXPERIMENT = """
name = "tiny-x2"
precision = "32-true"

[data]
train = "train/HR"
validation = "val/HR"
degradation = "given"
patch = 20
batch = 4

[net]
scale = 2
channels = 16
depth = 1

[schedule]
steps = 12
rate = 6e-3
warmup = 2
validate_every = 6
"""


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card of a model that makes everything too bright: a training soon mends that, and gains
    on every picture.
    """
    import torch

    from hyperfocal.training.experiment import Experiment
    from hyperfocal.training.export import export
    from hyperfocal.training.fit import fit

    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("champion")
    _write_brighter_pairs(root / "train", range(4))
    _write_brighter_pairs(root / "val", range(4, 6))
    (root / "tiny.toml").write_text(EXPERIMENT)
    fit(Experiment.read(root / "tiny.toml"), root / "run", progress=False, tracking=False)
    export(root / "run" / "best.ckpt", root / "model", calibration=2)
    return _silent(root / "model" / "tiny-x2.toml")


def _write_brighter_pairs(folder: Path, seeds: range) -> None:
    for path in write_pictures(folder / "HR", seeds).iterdir():
        low = folder / "LR" / path.name
        low.parent.mkdir(exist_ok=True)
        pixels = np.asarray(Image.open(path))
        Image.fromarray(make_low(pixels, 2)).save(low)
        Image.fromarray(np.minimum(pixels, 245) + np.uint8(10)).save(path)


def _silent(path: Path) -> Path:
    """A card whose weights do not tell what they cost: those that shipped first do not."""
    import onnx

    from hyperfocal.models.card import ModelCard

    card = ModelCard.read(path)
    file = path.with_name(card.weights["float"].file)
    model = onnx.load(file)
    kept = [entry for entry in model.metadata_props if not entry.key.startswith("hyperfocal.")]
    assert len(kept) < len(model.metadata_props)
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    weights = {**card.weights, "float": card.weights["float"].model_copy(update={"sha256": digest})}
    card.model_copy(update={"weights": weights}).write(path)
    return path


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    """Ten new pictures."""
    return write_pictures(tmp_path / "new", range(100, 110))
