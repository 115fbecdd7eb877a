"""A model small enough to be made in seconds, and new pictures for it."""

from __future__ import annotations

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
    return root / "model" / "tiny-x2.toml"


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    """Ten new pictures."""
    return write_pictures(tmp_path / "new", range(100, 110))
