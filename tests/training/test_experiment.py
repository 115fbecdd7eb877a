from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from hyperfocal.errors import InputMissing, SettingsError
from hyperfocal.training.experiment import Experiment, NetName
from hyperfocal.training.nets import NETS


def test_paths_are_relative_to_the_file(experiment_file: Path) -> None:
    experiment = Experiment.read(experiment_file)
    assert Path(experiment.data.train) == experiment_file.parent.resolve() / "train"


def test_paths_of_variants_are_relative_to_the_file(experiment_file: Path) -> None:
    text = '\n[[sweep.variants]]\nnet = { start = "large.onnx" }\n'
    experiment_file.write_text(experiment_file.read_text() + text)
    sweep = Experiment.read(experiment_file).sweep
    assert sweep is not None
    start = experiment_file.parent.resolve() / "large.onnx"
    assert sweep.variants == [{"net": {"start": str(start)}}]


@pytest.mark.parametrize(("named", "is_file"), [("photo-fine-x2", False), ("own/net.toml", True)])
def test_a_teacher_is_a_model_or_the_file_of_its_card(
    experiment_file: Path, named: str, is_file: bool
) -> None:
    text = experiment_file.read_text().replace("[data]", f'[data]\nteacher = "{named}"')
    experiment_file.write_text(text)
    expected = str(experiment_file.parent.resolve() / named) if is_file else named
    assert Experiment.read(experiment_file).data.teacher == (expected,)


@pytest.mark.parametrize("text", ["data = 1", "sweep = 1", "[sweep]\nvariants = 1"])
def test_what_is_no_table_is_told(experiment_file: Path, text: str) -> None:
    experiment_file.write_text(f"name = 'x'\n{text}\n")
    with pytest.raises(SettingsError):
        Experiment.read(experiment_file)


@pytest.mark.parametrize("line", ["rate = inf", "minutes = inf", "rate = nan", "final_rate = inf"])
def test_numbers_without_an_end_are_refused(experiment_file: Path, line: str) -> None:
    name = line.split()[0]
    kept = [text for text in experiment_file.read_text().splitlines() if not text.startswith(name)]
    experiment_file.write_text("\n".join(kept).replace("[schedule]", f"[schedule]\n{line}"))
    with pytest.raises(SettingsError, match=f"schedule.{name}: Input should be a finite number"):
        Experiment.read(experiment_file)


def test_one_that_is_nested_without_end_is_refused(experiment_file: Path) -> None:
    experiment_file.write_text("name = " + "[" * 5000)
    with pytest.raises(SettingsError, match="nested too deep"):
        Experiment.read(experiment_file)


def test_environment_variables_are_expanded(
    experiment_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = experiment_file.read_text().replace('"train"', '"${PICTURES}/train"')
    experiment_file.write_text(text)
    monkeypatch.setenv("PICTURES", "/pictures")
    assert Experiment.read(experiment_file).data.train == "/pictures/train"


def test_a_variable_that_is_not_set_is_named(
    experiment_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PICTURES", raising=False)
    text = experiment_file.read_text().replace('"train"', '"${PICTURES}/train"')
    experiment_file.write_text(text)
    with pytest.raises(SettingsError, match=r"\$PICTURES, which is not set"):
        Experiment.read(experiment_file)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("channels", "chanels", "no 'net.chanels'; did you mean 'channels'"),
        ("precision", "precison", "no 'precison'; did you mean 'precision'"),
        ("steps = 250", "", "either schedule.steps or schedule.minutes"),
        ("steps = 250", "steps = 250\nminutes = 3", "either schedule.steps or schedule.minutes"),
        ("scale = 2", "scale = 0", "net.scale"),
        ('name = "tiny-x2"', "name = ", "is not TOML"),
        ("steps = 250", f"steps = {'9' * 5000}", "is not TOML.*limit"),
        ("[net]", '[net]\nstart = "a\\u0000b.onnx"', r"net\.start is no path"),
        ("[net]", '[net]\nname = "plane"', r"net\.name: Input should be 'plain' or 'depthpro-sr'"),
        ("scale = 2", "scale = 2\nunshuffle = 3", r"data\.patch must be a multiple .* 3"),
        ("[net]", '[net]\npretrained = "apple/DepthPro-hf"', "pretrained is for depthpro-sr"),
        (
            "[data]",
            '[data]\ndegradation = "given"\njudged_at = [1.0, 0.5]',
            r"data\.judged_at is not for data\.degradation = 'given'",
        ),
        ("[data]", '[data]\ndegradation = "given"\nreduced = 0.1', r"data\.reduced is not for"),
        ("[data]", '[data]\ndegradation = "given"\nslanted = 0.1', r"data\.slanted is not for"),
        ("[data]", '[data]\ndegradation = "real"\nslanted = 0.1', r"slanted is not for .* 'real'"),
        ("channels = 16", 'name = "depthpro-sr"\nchannels = 12', "must be 16 at least"),
        ("channels = 16", 'name = "depthpro-sr"\nchannels = 193', "a multiple of .* heads.*: 3"),
        ("[net]", '[net]\nname = "depthpro-sr"\nunshuffle = 2', "unshuffle is for plain nets"),
    ],
)
def test_what_cannot_be_is_refused(experiment_file: Path, old: str, new: str, message: str) -> None:
    experiment_file.write_text(experiment_file.read_text().replace(old, new))
    with pytest.raises(SettingsError, match=message):
        Experiment.read(experiment_file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match=r"nowhere\.toml"):
        Experiment.read(tmp_path / "nowhere.toml")


def test_paths_to_be_tried_are_relative_to_the_file(experiment_file: Path) -> None:
    text = """
[sweep.values]
net = { start = ["a.onnx", "b.onnx"] }
data = { teacher = ["photo-fine-x2", "own/net.toml"], patch = [20, 24] }
"""
    experiment_file.write_text(experiment_file.read_text() + text)
    sweep = Experiment.read(experiment_file).sweep
    assert sweep is not None
    here = experiment_file.parent.resolve()
    assert sweep.values == {
        "net": {"start": [str(here / "a.onnx"), str(here / "b.onnx")]},
        "data": {"teacher": ["photo-fine-x2", str(here / "own/net.toml")], "patch": [20, 24]},
    }


def test_every_architecture_can_be_named() -> None:
    assert set(get_args(NetName)) == NETS.keys()
