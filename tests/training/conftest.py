from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the training extra is not installed")
pytest.importorskip("lightning", reason="the training extra is not installed")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "tracking: starts a real MLflow server; under a minute")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Tiny nets are quickest so, and sums come out the same."""
    import torch

    torch.set_num_threads(1)


def textured(seed: int, side: int = 96) -> np.ndarray:
    """A picture with edges at many angles, which bicubic blurs and a net can learn."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side].astype(np.float64)
    picture = np.zeros((side, side, 3))
    for _ in range(60):
        angle, offset = generator.uniform(0, np.pi), generator.uniform(-side / 2, side)
        across = np.cos(angle) * x + np.sin(angle) * y - offset
        picture[(across > 0) & (across < side / 5)] = generator.uniform(0.1, 0.9, 3)
    return np.rint(picture * 255.0).astype(np.uint8)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder with ``train`` and ``val`` pictures."""
    for name, seeds in (("train", range(4)), ("val", range(4, 6))):
        (tmp_path / name).mkdir()
        for seed in seeds:
            Image.fromarray(textured(seed)).save(tmp_path / name / f"{seed}.png")
    return tmp_path


@pytest.fixture(scope="session")
def _database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hyperfocal.training.mlflow_server import Server

    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    Server(f"sqlite:///{path}").client().search_experiments()
    return path


@pytest.fixture
def with_database(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """Puts into a folder MLflow's database without runs, whose tables it is seconds about to make.

    Skips the test where there is no MLflow.
    """
    pytest.importorskip("mlflow", reason="MLflow is not installed")

    def put(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(request.getfixturevalue("_database"), folder)

    return put


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
expand = 4

[schedule]
steps = {steps}
rate = 4e-3
warmup = 10
validate_every = 125
"""


@pytest.fixture
def experiment_file(photographs: Path) -> Path:
    path = photographs / "tiny.toml"
    path.write_text(EXPERIMENT.format(steps=250))
    return path
