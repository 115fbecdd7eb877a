"""A killed training, gone on with, is the training that was never killed."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bound import bound
from hyperfocal.errors import ModelBroken, OutputExists, SettingsError
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit
from hyperfocal.training.interrupts import kept_interrupts
from hyperfocal.training.module import Restoration

# Kills itself as kill -9 does: nothing is flushed, closed or saved.
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit
from hyperfocal.training.module import Restoration

torch.set_num_threads(1)
usual = Restoration.on_train_batch_end

def end(self, *args):
    usual(self, *args)
    if self.global_step == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

Restoration.on_train_batch_end = end
fit(Experiment.read(Path(sys.argv[1])), Path(sys.argv[2]), progress=False, tracking=False)
"""

# One training after the other, as it is asked to.
APART = """
import json, sys
from pathlib import Path
import torch
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit

torch.set_num_threads(1)
for line in sys.stdin:
    path, out, resume = json.loads(line)
    given = {"resume": resume, "progress": False, "tracking": False}
    print("steps", fit(Experiment.read(Path(path)), Path(out), **given).steps, flush=True)
"""


@pytest.fixture
def experiment(experiment_file: Path) -> Experiment:
    text = experiment_file.read_text().replace("steps = 250", "steps = 30")
    experiment_file.write_text(text.replace("validate_every = 125", "validate_every = 7"))
    return Experiment.read(experiment_file)


@pytest.fixture
def degraded(experiment_file: Path, experiment: Experiment) -> Experiment:
    """Whose patches a process of its own degrades, where nets of bfloat16 run on tiles."""
    text = experiment_file.read_text().replace("32-true", "bf16-mixed")
    experiment_file.write_text(text.replace("[data]\n", '[data]\ndegradation = "real"\n'))
    return Experiment.read(experiment_file)


@pytest.fixture
def muon(experiment_file: Path, experiment: Experiment) -> Experiment:
    """As the shipped nets are trained."""
    text = experiment_file.read_text().replace("[net]\n", "[net]\nconsistent = true\n")
    text = text.replace("[schedule]\n", '[schedule]\noptimizer = "muon"\n')
    text = text.replace("expand = 4", "expand = 0").replace("depth = 1", "depth = 2")
    experiment_file.write_text(text.replace("[data]\n", "[data]\nreduced = 0.8\n"))
    return Experiment.read(experiment_file)


@pytest.fixture(scope="module")
def apart() -> Iterator[Callable[[Path, Path, bool], int]]:
    """Trains in a process of its own and gives the steps.

    For trainings that fork a helper before every epoch: a process in which everything else is
    tested, too, has threads of many libraries, and not all of these survive being forked.
    """
    with subprocess.Popen(
        bound(sys.executable, "-X", "faulthandler", "-c", APART),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, told = process.stdin, process.stdout

        def trained(path: Path, out: Path, resume: bool) -> int:
            asked.write(json.dumps([str(path), str(out), resume]) + "\n")
            asked.flush()
            words = next((line.split() for line in told if line.startswith("steps ")), None)
            assert words is not None, f"the training ended with {process.wait()}"
            return int(words[1])

        yield trained


@pytest.fixture
def train(request: pytest.FixtureRequest, experiment_file: Path) -> Callable[..., int]:
    """Trains what a fixture of that name says into a folder, and gives the steps."""

    def trained(kind: str, out: Path, *, resume: bool = False) -> int:
        experiment = request.getfixturevalue(kind)
        if kind == "degraded":
            steps: int = request.getfixturevalue("apart")(experiment_file, out, resume)
            return steps
        return fit(experiment, out, resume=resume, progress=False, tracking=False).steps

    return trained


@pytest.fixture(scope="module")
def wholes() -> dict[str, Path]:
    return {}


@pytest.fixture
def whole(
    request: pytest.FixtureRequest,
    train: Callable[..., int],
    wholes: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Path]:
    """The folder of a training of that kind that was never stopped, made once: to be read only."""

    def made(kind: str) -> Path:
        # Which writes the file of the experiment, of which others are to be stopped.
        request.getfixturevalue(kind)
        if kind not in wholes:
            out = tmp_path_factory.mktemp("whole")
            train(kind, out)
            wholes[kind] = out
        return wholes[kind]

    return made


@pytest.mark.parametrize("resume", [False, True])
def test_two_do_not_train_in_one_folder(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resume: bool
) -> None:
    run = tmp_path / "run"
    usual = Restoration.on_train_batch_end
    refused = 0

    def end(module: Restoration, *given: Any) -> None:
        nonlocal refused
        usual(module, *given)
        if not refused:
            refused += 1
            before = sorted(run.rglob("*"))
            with pytest.raises(OutputExists, match="another training is at work in"):
                fit(experiment, run, resume=resume, progress=False, tracking=False)
            assert sorted(run.rglob("*")) == before

    monkeypatch.setattr(Restoration, "on_train_batch_end", end)
    trained = fit(experiment, run, progress=False, tracking=False)
    assert (trained.steps, refused) == (30, 1)


def rows(run: Path) -> list[dict[str, str]]:
    """The curves without what a clock says."""
    with (run / "metrics.csv").open(newline="") as file:
        return [{**row, "epoch_time": ""} for row in csv.DictReader(file)]


def state(run: Path) -> dict[str, Any]:
    return torch.load(run / "last.ckpt", weights_only=True)


@pytest.mark.parametrize("kind", ["degraded", "muon"])
def test_a_killed_training_goes_on_as_if_nothing_had_been(
    train: Callable[..., int],
    whole: Callable[[str], Path],
    kind: str,
    experiment_file: Path,
    tmp_path: Path,
) -> None:
    unkilled = whole(kind)
    # In the middle of the third epoch, after two checkpoints.
    script = [sys.executable, "-c", KILLED, str(experiment_file), str(tmp_path / "killed"), "18"]
    done = subprocess.run(script, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert state(tmp_path / "killed")["global_step"] == 14

    assert train(kind, tmp_path / "killed", resume=True) == 30
    assert rows(tmp_path / "killed") == rows(unkilled)
    want, found = state(unkilled), state(tmp_path / "killed")
    # Weights of the net and of its average, momenta of the optimizer, random numbers: to the bit.
    for part in ("state_dict", "optimizer_states", "random"):
        torch.testing.assert_close(found[part], want[part], rtol=0, atol=0)
    assert (found["global_step"], found["batches"]) == (30, 30)


def test_the_seed_decides_the_weights(experiment: Experiment, tmp_path: Path) -> None:
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        changed = experiment.model_copy(update={"seed": seed, "deterministic": name == "b"})
        fit(changed, tmp_path / name, progress=False, tracking=False)
        weights.append(state(tmp_path / name)["state_dict"]["net.head.direct"])
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_resuming_where_nothing_is_begins_anew(experiment: Experiment, tmp_path: Path) -> None:
    trained = fit(experiment, tmp_path / "new", resume=True, progress=False, tracking=False)
    assert trained.steps == 30


def test_a_broken_state_is_refused(experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(ModelBroken, match=r"last\.ckpt is no checkpoint"):
        fit(experiment, tmp_path, resume=True, progress=False, tracking=False)


# Sends the signal as a terminal does, to all its processes, in the middle of the second epoch.
STOPPED = """
import os, signal, subprocess, sys
from hyperfocal.cli import main
from hyperfocal.training.module import Restoration

number = int(sys.argv.pop(1))
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
usual = Restoration.on_train_batch_end

def end(self, *args):
    usual(self, *args)
    if self.global_step == 10:
        # By another process: a signal that one sends oneself comes before the helpers' end.
        code = f"import os; os.killpg({os.getpgrp()}, {number})"
        subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL)

Restoration.on_train_batch_end = end
main()
"""


# Ctrl-C may come in the middle of a step, whose state is not to be kept.
@pytest.mark.parametrize(
    ("kind", "name", "kept", "tracked"),
    [
        ("experiment", "SIGINT", 7, True),
        ("experiment", "SIGTERM", 10, False),
        ("experiment", "SIGHUP", 10, False),
        ("degraded", "SIGTERM", 10, False),
    ],
)
def test_a_training_told_to_stop_says_so_and_can_go_on(
    request: pytest.FixtureRequest,
    train: Callable[..., int],
    whole: Callable[[str], Path],
    kind: str,
    experiment_file: Path,
    tmp_path: Path,
    name: str,
    kept: int,
    tracked: bool,
) -> None:
    if not hasattr(signal, name):
        pytest.skip("no such signal here")
    number = signal.Signals[name]
    unstopped = whole(kind)
    out = tmp_path / "out"
    words = ["train", "fit", str(experiment_file), "--out", str(out), "--quiet"]
    if tracked:
        request.getfixturevalue("with_database")(tmp_path)
    else:
        words.append("--no-tracking")
    script = [sys.executable, "-c", STOPPED, str(int(number)), *words]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    environment["OMP_NUM_THREADS"] = "1"
    done = subprocess.run(
        script,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        start_new_session=True,
    )
    assert done.returncode == 130, done.stderr
    assert "stopped; --resume goes on from the last checkpoint" in done.stderr
    assert "Traceback" not in done.stderr
    assert state(out)["global_step"] == kept
    if tracked:
        with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
            assert database.execute("select status from runs").fetchall() == [("KILLED",)]
    assert train(kind, out, resume=True) == 30
    assert rows(out) == rows(unstopped)
    want, found = state(unstopped), state(out)
    for part in ("state_dict", "optimizer_states", "random"):
        torch.testing.assert_close(found[part], want[part], rtol=0, atol=0)


@pytest.mark.parametrize("hook", ["on_train_batch_end", "validation_step"])
def test_told_to_stop_a_training_judges_first_what_is_due(
    experiment: Experiment,
    whole: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hook: str,
) -> None:
    unstopped = whole("experiment")
    usual = getattr(Restoration, hook)

    def stop(self: Restoration, *given: Any) -> None:
        usual(self, *given)
        if self.global_step == 14:
            os.kill(os.getpid(), signal.SIGTERM)

    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(Restoration, hook, stop)
        with pytest.raises(KeyboardInterrupt):
            fit(experiment, out, progress=False, tracking=False)
    assert state(out)["global_step"] == 14
    fit(experiment, out, resume=True, progress=False, tracking=False)
    assert rows(out) == rows(unstopped)
    names = [sorted(path.name for path in run.glob("*.ckpt")) for run in (out, unstopped)]
    assert names[0] == names[1]
    for part in ("state_dict", "optimizer_states", "random"):
        want, found = state(unstopped), state(out)
        torch.testing.assert_close(found[part], want[part], rtol=0, atol=0)


@pytest.mark.parametrize(("patience", "steps"), [(1, 14), (9, 30)])
def test_patience_is_that_of_the_experiment_when_it_goes_on(
    experiment: Experiment, tmp_path: Path, patience: int, steps: int
) -> None:
    """At such a rate only the first validation is better than none."""

    def patient(patience: int, steps: int) -> Experiment:
        update = {"rate": 1e-12, "patience": patience, "steps": steps}
        schedule = experiment.schedule.model_copy(update=update)
        return experiment.model_copy(update={"schedule": schedule})

    assert fit(patient(5, 7), tmp_path, progress=False, tracking=False).steps == 7
    trained = fit(patient(patience, 30), tmp_path, resume=True, progress=False, tracking=False)
    assert trained.steps == steps


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("net", "channels", 24, r"with net\.channels = 16, the experiment says 24"),
        ("schedule", "optimizer", "muon", r"schedule\.optimizer = 'adam'.* says 'muon'"),
    ],
)
def test_a_state_of_another_net_or_optimizer_is_refused(
    experiment: Experiment, tmp_path: Path, section: str, key: str, value: Any, message: str
) -> None:
    fit(experiment, tmp_path, progress=False, tracking=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    part = getattr(experiment, section).model_copy(update={key: value})
    with pytest.raises(SettingsError, match=message):
        fit(
            experiment.model_copy(update={section: part}),
            tmp_path,
            resume=True,
            progress=False,
            tracking=False,
        )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_the_budget_may_change_on_the_way(experiment: Experiment, tmp_path: Path) -> None:
    fit(experiment, tmp_path, progress=False, tracking=False)
    schedule = experiment.schedule.model_copy(update={"steps": 37, "rate": 1e-3})
    # Ceilings are set before the first step only.
    net = experiment.net.model_copy(update={"start": "gone.onnx", "ceiled": 1e-4})
    longer = experiment.model_copy(update={"schedule": schedule, "net": net})
    assert fit(longer, tmp_path, resume=True, progress=False, tracking=False).steps == 37


def test_the_optimizer_goes_on_with_what_the_experiment_says_now(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(experiment, tmp_path, progress=False, tracking=False)
    changed = {"steps": 33, "weight_decay": 0.5, "beta1": 0.5}
    schedule = experiment.schedule.model_copy(update=changed)
    used = []
    begun = Restoration.on_train_batch_start

    def seen(self: Restoration, *args: Any) -> None:
        begun(self, *args)
        groups = self.trainer.optimizers[0].param_groups
        used.extend((group["weight_decay"], group["betas"]) for group in groups)

    monkeypatch.setattr(Restoration, "on_train_batch_start", seen)
    longer = experiment.model_copy(update={"schedule": schedule})
    fit(longer, tmp_path, resume=True, progress=False, tracking=False)
    assert set(used) == {(0.5, (0.5, schedule.beta2))}


def test_other_validation_pictures_begin_a_ranking_of_their_own(
    experiment: Experiment,
    photographs: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    out = tmp_path / "out"
    schedule = experiment.schedule.model_copy(update={"patience": 2})
    patient = experiment.model_copy(update={"schedule": schedule})
    first = fit(patient, out, progress=False, tracking=False)
    before = {path.name for path in out.glob("step-*.ckpt")}
    # Noise, of which no net gets as much right.
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    for path in (photographs / "val").iterdir():
        Image.fromarray(noise).save(path)
    schedule = schedule.model_copy(update={"steps": 58})
    longer = experiment.model_copy(update={"schedule": schedule})
    again = fit(longer, out, resume=True, progress=False, tracking=False)
    assert again.steps == 58
    assert again.best_psnr < first.best_psnr - 2.0
    assert "is decided anew" in caplog.text
    best = torch.load(out / "best.ckpt", weights_only=True)
    assert best["global_step"] > 30
    # What the others chose is still there.
    assert before <= {path.name for path in out.glob("step-*.ckpt")}
    caplog.clear()
    schedule = schedule.model_copy(update={"steps": 60})
    longer = experiment.model_copy(update={"schedule": schedule})
    assert fit(longer, out, resume=True, progress=False, tracking=False).steps == 60
    assert "is decided anew" not in caplog.text


def test_after_a_stop_the_process_can_be_stopped_again() -> None:
    def handler(*_: Any) -> None:
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGINT, handler)
    try:
        with contextlib.suppress(KeyboardInterrupt), kept_interrupts():
            # As Lightning does at the first Ctrl-C.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise KeyboardInterrupt
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, usual)
