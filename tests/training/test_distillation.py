from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from hyperfocal.errors import InputMissing, SettingsError
from hyperfocal.training.data import read_rgb
from hyperfocal.training.distillation import Teacher
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit
from hyperfocal.training.graph import build
from hyperfocal.training.module import Restoration
from hyperfocal.training.nets import build_net
from hyperfocal.training.nets.plain import PlainNet
from hyperfocal.training.stored import load_average
from hyperfocal.training.weights import fold


@pytest.fixture
def teacher_file(tmp_path: Path) -> Path:
    """A net with a will of its own: everything comes out a little darker than by bicubic."""
    torch.manual_seed(6)
    net = PlainNet(2, 16, 2)
    with torch.no_grad():
        net.tail.bias.fill_(-0.1)
    path = tmp_path / "teacher.float.onnx"
    onnx.save(build(fold(net)), path)
    return path


def taught(experiment_file: Path, teacher: Path, weight: float, steps: int = 250) -> Experiment:
    text = experiment_file.read_text().replace("steps = 250", f"steps = {steps}")
    more = f'teacher = "{teacher}"\nteacher_weight = {weight}\n'
    experiment_file.write_text(text + more)
    return Experiment.read(experiment_file)


def test_the_teacher_is_the_net_of_the_file(teacher_file: Path) -> None:
    x = torch.rand(2, 3, 12, 16)
    made = Teacher(teacher_file, 2)(x)
    assert made.shape == (2, 3, 24, 32)
    session = onnxruntime.InferenceSession(teacher_file)
    for one, out in zip(x, made, strict=True):
        (expected,) = session.run(None, {"image": one[None].numpy()})
        np.testing.assert_allclose(out[None].numpy(), expected, atol=2e-5)


def test_a_net_learns_what_its_teacher_does(
    experiment_file: Path, teacher_file: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    experiment = taught(experiment_file, teacher_file, 1.0)
    out = tmp_path / "run"
    fit(experiment, out, progress=False, tracking=False)
    _, net, _ = load_average(out / "last.ckpt")
    picture = read_rgb(experiment_file.parent / "val" / "4.png")[:40, :40]
    x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255.0
    with torch.no_grad():
        wanted, made = Teacher(teacher_file, 2)(x), net(x).clamp(0.0, 1.0)
    error = float((made - wanted).abs().mean())
    # The teacher darkens by a tenth: a net that learnt from the originals would be that far off.
    assert error < 0.03


def test_a_teacher_is_in_no_checkpoint(experiment_file: Path, teacher_file: Path) -> None:
    experiment = taught(experiment_file, teacher_file, 0.5)
    module = Restoration(experiment, build_net(experiment))
    plain = experiment.model_copy(
        update={"schedule": experiment.schedule.model_copy(update={"teacher": None})}
    )
    assert module.state_dict().keys() == Restoration(plain, build_net(plain)).state_dict().keys()


def test_what_cannot_teach_is_refused(
    experiment_file: Path, teacher_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputMissing, match="there is no file"):
        Teacher(tmp_path / "missing.onnx", 2)
    with pytest.raises(SettingsError, match="enlarges 2 times and the net 4"):
        Teacher(teacher_file, 4)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(SettingsError, match="no plain net"):
        Teacher(broken, 2)
