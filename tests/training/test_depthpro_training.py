"""Trainings of Depth Pro super-resolution, as an experiment asks for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

pytest.importorskip("transformers")

from hyperfocal.errors import SettingsError
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit
from hyperfocal.training.nets import depthpro_sr
from hyperfocal.training.stored import load_average


@pytest.fixture
def experiment(experiment_file: Path) -> Experiment:
    noise = np.random.default_rng(1).integers(0, 256, (520, 530, 3), np.uint8)
    for path in (experiment_file.parent / "train").iterdir():
        Image.fromarray(noise).save(path)
    text = experiment_file.read_text()
    for old, new in (
        ("patch = 20", "patch = 256"),
        ("batch = 4", "batch = 1"),
        ("expand = 4", 'name = "depthpro-sr"\npretrained = "some/weights"'),
        ("steps = 250", "steps = 1"),
        ("warmup = 10", "warmup = 0"),
        ("validate_every = 125", "validate_every = 1"),
    ):
        assert old in text
        text = text.replace(old, new)
    experiment_file.write_text(text)
    return Experiment.read(experiment_file)


def test_published_weights_are_asked_for_once(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def given(encoder: nn.Module, name: str) -> None:
        asked.append(name)
        with torch.no_grad():
            next(encoder.parameters()).fill_(0.25)

    monkeypatch.setattr(depthpro_sr, "load_pretrained", given)
    out = tmp_path / "out"
    assert fit(experiment, out, progress=False, tracking=False).steps == 1
    _, net, _ = load_average(out / "best.ckpt")
    assert asked == ["some/weights"]
    assert isinstance(net, depthpro_sr.DepthProSR)
    first = next(net.encoder.parameters())
    assert torch.allclose(first, torch.full_like(first, 0.25), atol=0.02)
    # The last convolution alone has a gradient as long as it is zero.
    assert bool(net.head.last.weight.any())
    schedule = experiment.schedule.model_copy(update={"steps": 2})
    longer = experiment.model_copy(update={"schedule": schedule})
    assert fit(longer, out, resume=True, progress=False, tracking=False).steps == 2
    assert asked == ["some/weights"]


def test_patches_smaller_than_a_tile_are_refused(experiment: Experiment, tmp_path: Path) -> None:
    data = experiment.data.model_copy(update={"patch": 255})
    with pytest.raises(SettingsError, match=r"set data\.patch = 256, or more"):
        fit(
            experiment.model_copy(update={"data": data}),
            tmp_path / "out",
            progress=False,
            tracking=False,
        )
    assert not (tmp_path / "out").exists()
