"""A model small enough to be made in seconds, and new pictures for it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from discs import write_pictures

pytest.importorskip("torch", reason="the training extra is not installed")
pytest.importorskip("lightning", reason="the training extra is not installed")

EXPERIMENT = """
name = "tiny-x2"
precision = "32-true"

[data]
train = "train"
validation = "val"
patch = 20
batch = 4

[net]
scale = 2
channels = 16
depth = 1

[schedule]
steps = 12
rate = 1e-3
warmup = 2
validate_every = 6
"""


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card of a model that has hardly been trained, so that training makes it better."""
    import torch

    from hyperfocal.training.experiment import Experiment
    from hyperfocal.training.export import export
    from hyperfocal.training.fit import fit

    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("champion")
    write_pictures(root / "train", range(4))
    write_pictures(root / "val", range(4, 6))
    (root / "tiny.toml").write_text(EXPERIMENT)
    fit(Experiment.read(root / "tiny.toml"), root / "run", progress=False, tracking=False)
    export(root / "run" / "best.ckpt", root / "model", calibration=2)
    return _silent(root / "model" / "tiny-x2.toml")


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
