from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from hyperfocal.errors import ModelBroken, ModelMissing
from hyperfocal.models.card import ModelCard, Weights
from hyperfocal.training.data import bicubic_pair, read_rgb
from hyperfocal.training.degraded import training_pool
from hyperfocal.training.distillation import TURNS, Teacher
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit
from hyperfocal.training.graph import build
from hyperfocal.training.nets.plain import PlainNet
from hyperfocal.training.stored import load_average
from hyperfocal.training.weights import fold


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """The card of a net with a will of its own: all comes out ten levels darker than by bicubic."""
    torch.manual_seed(6)
    net = PlainNet(2, 16, 2)
    with torch.no_grad():
        net.tail.bias.fill_(-0.04)
        # Nothing but the bias: what it makes can be said beforehand.
        net.tail.direct.zero_()
        assert net.tail.point is not None
        net.tail.point.zero_()
    data = build(fold(net)).SerializeToString()
    (tmp_path / "dark-x2.onnx").write_bytes(data)
    onnx.checker.check_model(str(tmp_path / "dark-x2.onnx"))
    weights = Weights(file="dark-x2.onnx", sha256=hashlib.sha256(data).hexdigest())
    path = tmp_path / "dark-x2.toml"
    ModelCard(name="dark-x2", scale=2, weights={"float": weights}).write(path)
    return path


def grey(side: int = 48) -> np.ndarray:
    return np.full((side, side, 3), 120, np.uint8)


def taught(file: Path, card: Path, weight: float, **changes: str) -> Experiment:
    text = file.read_text()
    more = f'[data]\nteacher = "{card}"\nteacher_weight = {weight}\n'
    for old, new in {"[data]\n": more, **changes}.items():
        text = text.replace(old, new)
    file.write_text(text)
    return Experiment.read(file)


@pytest.mark.parametrize(("weight", "expected"), [(1.0, 110.0), (0.5, 115.0), (0.1, 119.0)])
def test_the_target_lies_between_the_original_and_the_teacher(
    card: Path, weight: float, expected: float
) -> None:
    # The teacher takes ten levels from the 120 of the low-resolution picture.
    target = Teacher([str(card)], weight).target(grey(), np.full((96, 96, 3), 120, np.uint8))
    assert target.shape == (96, 96, 3)
    assert target.dtype == np.uint8
    assert np.abs(target - expected).max() <= 1.0


def test_of_several_answers_the_mean_counts(card: Path) -> None:
    target = Teacher([str(card)], 1.0, 4).target(grey(), np.full((96, 96, 3), 120, np.uint8))
    assert np.abs(target - 110.0).max() <= 1.0


@pytest.mark.parametrize(
    ("others", "expected"), [(["bicubic-x2"], 115.0), (["bicubic-x4"] * 4, 118.0)]
)
def test_of_several_teachers_the_mean_counts_whatever_their_scale(
    card: Path, others: list[str], expected: float
) -> None:
    teacher = Teacher([str(card), *others], 1.0, 2)
    target = teacher.target(grey(), np.full((96, 96, 3), 120, np.uint8))
    assert np.abs(target - expected).max() <= 1.0


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ('"bicubic-x2"', ("bicubic-x2",)),
        ('["bicubic-x2", "teachers/dark.toml"]', ("bicubic-x2", "{folder}/teachers/dark.toml")),
        (None, ()),
    ],
)
def test_an_experiment_names_one_teacher_several_or_none(
    experiment_file: Path, told: str | None, names: tuple[str, ...]
) -> None:
    if told is not None:
        text = experiment_file.read_text()
        experiment_file.write_text(text.replace("[data]\n", f"[data]\nteacher = {told}\n"))
    experiment = Experiment.read(experiment_file)
    folder = experiment_file.parent.resolve()
    assert experiment.data.teacher == tuple(name.format(folder=folder) for name in names)
    # What checkpoints hold, of today and of the time when it was one name or none.
    values = experiment.model_dump()
    older = {**values["data"], "teacher": names[0] if names else None}
    assert Experiment.checked(values, "today").data == experiment.data
    assert Experiment.checked({**values, "data": older}, "then").data.teacher == names[:1]
    experiment_file.write_text(experiment.to_toml())
    assert Experiment.read(experiment_file).data == experiment.data


@pytest.mark.parametrize("degradation", ["bicubic", "real"])
def test_patches_have_taught_targets(experiment_file: Path, card: Path, degradation: str) -> None:
    train = experiment_file.parent / "train"
    for path in train.iterdir():
        Image.fromarray(grey(96)).save(path)
    experiment = taught(
        experiment_file, card, 1.0, **{'"val"\n': f'"val"\ndegradation = "{degradation}"\n'}
    )
    lr, hr = training_pool(experiment).batch(3)
    assert hr.shape[2] == 2 * lr.shape[2]
    darker = float(lr.float().mean() - hr.float().mean())
    # Of real degradations noise is a part.
    assert darker == pytest.approx(10.0, abs=1.0 if degradation == "bicubic" else 4.0)


def test_given_pairs_are_taught(experiment_file: Path, card: Path) -> None:
    root = experiment_file.parent / "pairs"
    for name, side in (("HR", 96), ("LR", 48)):
        (root / name).mkdir(parents=True)
        Image.fromarray(grey(side)).save(root / name / "1.png")
    experiment = taught(
        experiment_file,
        card,
        1.0,
        **{'"train"\n': '"pairs/HR"\n', '"val"\n': '"val"\ndegradation = "given"\n'},
    )
    _, hr = training_pool(experiment).batch(0)
    assert float((hr.float() - 110.0).abs().max()) <= 1.0


@pytest.mark.parametrize("turns", [1, 2, 4])
def test_a_teacher_that_is_asked_several_times_is_the_same_whichever_way_round_the_picture_is(
    tmp_path: Path, turns: int
) -> None:
    torch.manual_seed(6)
    net = PlainNet(2, 16, 2)
    with torch.no_grad():
        # One that sees left, right, up and down with different eyes, and says so aloud.
        net.tail.direct.normal_(std=0.05)
    data = build(fold(net)).SerializeToString()
    (tmp_path / "net-x2.onnx").write_bytes(data)
    weights = Weights(file="net-x2.onnx", sha256=hashlib.sha256(data).hexdigest())
    card = tmp_path / "net-x2.toml"
    ModelCard(name="net-x2", scale=2, weights={"float": weights}).write(card)
    lr = np.random.default_rng(0).integers(60, 200, (20, 31, 3), np.uint8)
    hr = np.zeros((40, 62, 3), np.uint8)
    teacher = Teacher([str(card)], 1.0, turns)
    made = teacher.target(lr, hr)
    assert made.shape == hr.shape

    def off(turn: Callable[[np.ndarray], np.ndarray]) -> int:
        other = turn(teacher.target(np.ascontiguousarray(turn(lr)), turn(hr)))
        return int(np.abs(other.astype(int) - made).max())

    assert [off(turn) <= 1 for turn in TURNS] == [index < turns for index in range(4)]


def test_an_experiment_says_how_often_its_teacher_is_asked(
    experiment_file: Path, card: Path
) -> None:
    experiment = taught(
        experiment_file, card, 1.0, teacher_weight="teacher_turns = 4\nteacher_weight"
    )
    teacher = training_pool(experiment).settings.teacher
    assert teacher is not None
    assert (teacher.weight, teacher.turns) == (1.0, 4)


def test_a_net_learns_what_its_teacher_does(
    experiment_file: Path, card: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    out = tmp_path / "run"
    fit(taught(experiment_file, card, 1.0), out, progress=False, tracking=False)
    _, net, _ = load_average(out / "last.ckpt")
    lr, hr = bicubic_pair(read_rgb(experiment_file.parent / "val" / "4.png"), 2)
    with torch.no_grad():
        made = net(torch.from_numpy(lr.copy()).permute(2, 0, 1)[None].float() / 255.0)
    # One that learnt from the originals is as bright as they are.
    assert float(made.mean()) * 255.0 - hr.mean() == pytest.approx(-10.0, abs=4.0)


def test_what_cannot_teach_is_refused_before_anything_is_decoded(
    experiment_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelMissing, match="no model 'photo-fin-x2'"):
        Teacher(["bicubic-x2", "photo-fin-x2"], 0.5)
    broken = tmp_path / "broken.toml"
    broken.write_text("scale = 2\n")
    experiment = taught(experiment_file, broken, 0.5)
    with pytest.raises(ModelBroken, match="not a model card"):
        training_pool(experiment)
