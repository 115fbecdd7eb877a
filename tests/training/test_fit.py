"""The smoke test of the whole chain: fit, resume, export, run."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hyperfocal.errors import InputMissing, OutputExists, SettingsError
from hyperfocal.models.hardware import processor
from hyperfocal.models.loaded import load_entry
from hyperfocal.models.registry import read_entry
from hyperfocal.quality import imresize, psnr
from hyperfocal.settings import Settings
from hyperfocal.training import arithmetic
from hyperfocal.training.data import bicubic_pair
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.export import export
from hyperfocal.training.facts import hardware
from hyperfocal.training.fit import _deaf, _helped, first_net, fit
from hyperfocal.training.group import ALONE
from hyperfocal.training.nets import native
from hyperfocal.training.pictures import Pictures
from hyperfocal.training.stored import load_average, starting_net


def test_a_tiny_net_beats_bicubic_and_ships(experiment_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    trained = fit(Experiment.read(experiment_file), out, progress=False, tracking=False)
    assert trained.steps == 250
    assert {"best.ckpt", "last.ckpt", "metrics.csv"} <= {p.name for p in out.iterdir()}

    made = export(out / "best.ckpt", tmp_path / "shipped", calibration=4)
    assert not list((tmp_path / "shipped").glob("*.partial"))
    assert abs(made.validation["float"] - trained.best_psnr) < 0.01
    assert made.validation["int8"] > made.validation["float"] - 0.3

    entry = read_entry(tmp_path / "shipped" / "tiny-x2.toml")
    assert (entry.card.training.steps, entry.card.tier) == (250, "")
    if not torch.cuda.is_available():
        assert entry.card.training.hardware == hardware(torch.device("cpu"))
    assert hardware(torch.device("cpu")).startswith(f"{processor().cores} cores of ")
    assert hardware(torch.device("cpu"), 3).startswith("3 workers, each on ")
    # Named after the file rather than the net: several experiments may be about one.
    assert entry.card.training.experiment == f"experiments/{experiment_file.name}"
    model = load_entry(entry, Settings(precision="float", cache=tmp_path / "cache"))
    picture = np.asarray(Image.open(experiment_file.parent / "train" / "0.png"))
    lr, hr = bicubic_pair(picture, 2)
    assert psnr(model.run(lr), hr, shave=2) > psnr(imresize(lr, 2), hr, shave=2) + 0.2


def test_resuming_goes_on_where_it_stopped(experiment_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    text = experiment_file.read_text()
    experiment_file.write_text(text.replace("steps = 250", "steps = 40"))
    fit(Experiment.read(experiment_file), out, progress=False, tracking=False)
    _, before, _ = load_average(out / "last.ckpt")
    experiment_file.write_text(text.replace("steps = 250", "steps = 41"))
    trained = fit(
        Experiment.read(experiment_file), out, resume=True, progress=False, tracking=False
    )
    _, after, history = load_average(out / "last.ckpt")
    assert trained.steps == history.own.steps == 41
    change = max(
        float((a - b).detach().abs().max())
        for a, b in zip(before.parameters(), after.parameters(), strict=True)
    )
    # One step moves the average a little; starting anew would move it by whole weights.
    assert 0.0 < change < 0.01


def test_a_budget_in_minutes_ends_the_training(experiment_file: Path, tmp_path: Path) -> None:
    text = experiment_file.read_text()
    experiment_file.write_text(text.replace("steps = 250", "minutes = 0.02"))
    trained = fit(
        Experiment.read(experiment_file), tmp_path / "run", progress=False, tracking=False
    )
    assert trained.steps >= 1
    assert trained.seconds >= 1.2


def test_a_resume_does_not_give_a_budget_in_minutes_again(
    experiment_file: Path, tmp_path: Path
) -> None:
    text = experiment_file.read_text()
    experiment_file.write_text(text.replace("steps = 250", "minutes = 0.03"))
    experiment = Experiment.read(experiment_file)
    first = fit(experiment, tmp_path / "run", progress=False, tracking=False)
    again = fit(experiment, tmp_path / "run", resume=True, progress=False, tracking=False)
    assert again.steps <= first.steps + 1
    assert again.seconds >= first.seconds


def test_a_training_is_not_overwritten(experiment_file: Path, tmp_path: Path) -> None:
    experiment = Experiment.read(experiment_file)
    (tmp_path / "last.ckpt").write_bytes(b"somebody's")
    with pytest.raises(OutputExists, match="--resume"):
        fit(experiment, tmp_path, progress=False, tracking=False)
    assert (tmp_path / "last.ckpt").read_bytes() == b"somebody's"


def test_a_training_starts_from_a_checkpoint(experiment_file: Path, tmp_path: Path) -> None:
    text = experiment_file.read_text().replace("steps = 250", "steps = 30")
    experiment_file.write_text(text)
    fit(Experiment.read(experiment_file), tmp_path / "first", progress=False, tracking=False)
    start = tmp_path / "first" / "last.ckpt"
    experiment_file.write_text(text.replace("scale = 2", f'scale = 2\nstart = "{start}"'))
    begun = starting_net(Experiment.read(experiment_file))
    _, trained, _ = load_average(start)
    x = torch.rand(1, 3, 20, 20)
    with torch.no_grad():
        torch.testing.assert_close(begun(x), trained(x), atol=1e-5, rtol=0.0)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, InputMissing, "there is no file"),
        (b"no graph", SettingsError, "holds no plain net: "),
    ],
)
def test_what_no_training_can_start_from_is_told(
    experiment_file: Path, content: bytes | None, error: type[Exception], message: str
) -> None:
    start = experiment_file.parent / "start.onnx"
    if content is not None:
        start.write_bytes(content)
    text = experiment_file.read_text().replace("scale = 2", f'scale = 2\nstart = "{start}"')
    experiment_file.write_text(text)
    with pytest.raises(error, match=message):
        starting_net(Experiment.read(experiment_file))


def loader_of(experiment: Experiment, monkeypatch: pytest.MonkeyPatch, built: object) -> int:
    """How many processes make batches beside a training, where tiles can be had or not."""
    monkeypatch.setattr(native, "compiled", lambda: built)
    monkeypatch.setattr(arithmetic, "has_bfloat16", lambda: True)
    pictures = Pictures(experiment, ALONE, one_batch=False)
    return int(_helped(experiment, first_net(experiment), pictures.training))


def test_patches_are_degraded_by_a_helper_where_that_pays(
    experiment_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if torch.cuda.is_available():
        pytest.skip("beside a GPU there always is one")
    plain = experiment_file.read_text()
    mixed = plain.replace('precision = "32-true"', 'precision = "bf16-mixed"')
    for text, built, wanted in (
        (mixed, object(), 1),
        (mixed, None, 0),
        (plain.replace("bf16-mixed", "32-true"), object(), 0),
        (mixed.replace("channels = 16", "channels = 20"), object(), 0),
    ):
        experiment_file.write_text(text.replace("[data]\n", '[data]\ndegradation = "real"\n'))
        assert loader_of(Experiment.read(experiment_file), monkeypatch, built) == wanted
    experiment_file.write_text(mixed)
    assert loader_of(Experiment.read(experiment_file), monkeypatch, object()) == 0


def test_a_helper_goes_on_whatever_signal_a_terminal_or_a_service_sends_to_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ignored = []
    monkeypatch.setattr(signal, "signal", lambda number, how: ignored.append((number, how)))
    _deaf(0)
    sent = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    assert sorted(ignored) == sorted((number, signal.SIG_IGN) for number in sent)
