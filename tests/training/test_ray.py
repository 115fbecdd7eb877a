from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bound import bound

pytest.importorskip("ray", reason="the ray extra is not installed")

from hyperfocal.cli.app import build
from hyperfocal.errors import (
    InputMissing,
    OutputExists,
    RuntimeMissing,
    SettingsError,
    UsageError,
)
from hyperfocal.training import ray_cluster, ray_worker
from hyperfocal.training.checkpoints import LAST
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.export import export
from hyperfocal.training.ray_cluster import fit_on_ray, resources_each

# One cluster at a time: see test_ray_submit.py.
pytestmark = pytest.mark.xdist_group("ray")

PATIENCE = 600.0
STEPS, EVERY = 300, 60


@contextlib.contextmanager
def hyperfocal(*words: str) -> Iterator[subprocess.Popen[str]]:
    """The command, with two cores, killed at the end if it is still there."""
    # Sockets of the cluster lie in it, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        # Ray looks at the cores itself; the test needs two workers on any machine.
        cores = {"RAY_OVERRIDE_RESOURCES": '{"CPU": 2}', "OMP_NUM_THREADS": "1"}
        command = subprocess.Popen(
            bound(sys.executable, "-m", "hyperfocal", *words),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **cores, "RAY_TMPDIR": folder},
        )
        try:
            yield command
        finally:
            command.kill()
            command.wait()
            assert command.stdout is not None
            command.stdout.close()


def starts(out: Path) -> list[dict]:
    path = out / ray_worker.STARTS
    return json.loads(path.read_text()) if path.is_file() else []


# Workers are started twice, each of which takes long where several share a core.
@pytest.mark.timeout(2 * PATIENCE)
def test_a_killed_worker_costs_the_steps_since_the_last_checkpoint(
    experiment_file: Path, tmp_path: Path
) -> None:
    text = experiment_file.read_text().replace("validate_every = 125", f"validate_every = {EVERY}")
    lines = [f"steps = {STEPS}" if line.startswith("steps") else line for line in text.splitlines()]
    experiment_file.write_text("\n".join(lines))
    out = tmp_path / "out"
    words = ["--out", str(out), "--ray", "local", "--no-tracking", "--quiet"]
    with hyperfocal("train", "fit", str(experiment_file), *words) as training:
        until = time.monotonic() + PATIENCE
        while not (out / LAST).is_file() and training.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert training.poll() is None, training.communicate()[0]
        (first,) = starts(out)
        os.kill(first["workers"][1]["pid"], signal.SIGKILL)
        said, _ = training.communicate(timeout=PATIENCE)
    assert training.returncode == 0, said

    one, two = starts(out)
    assert (one["resumed"], two["resumed"]) == (False, True)
    assert [worker["rank"] for worker in two["workers"]] == [0, 1]
    assert {w["pid"] for w in one["workers"]}.isdisjoint(w["pid"] for w in two["workers"])

    rows = [line.split(",") for line in (out / "metrics.csv").read_text().splitlines()]
    step, psnr = rows[0].index("step"), rows[0].index("val_psnr")
    judged = [(int(row[step]), float(row[psnr])) for row in rows[1:] if row[psnr]]
    assert [number for number, _ in judged] == list(range(EVERY - 1, STEPS, EVERY))
    assert judged[-1][1] > judged[0][1] + 0.5
    assert not list(out.glob(".ray*"))

    # What came of it is an ordinary checkpoint.
    export(out / "best.ckpt", tmp_path / "model", calibration=2)
    picture = np.full((9, 7, 3), 0.5, np.float32)
    import hyperfocal as library

    card = tmp_path / "model" / "tiny-x2.toml"
    assert library.upscale(picture, scale=2, model=str(card)).shape == (18, 14, 3)


def test_workers_get_as_many_cores_as_let_all_run() -> None:
    assert resources_each([{"CPU": 8.0}], 2) == {"CPU": 4}
    assert resources_each([{"CPU": 8.0}, {"CPU": 2.0}], 3) == {"CPU": 2}
    assert resources_each([{"CPU": 8.0, "GPU": 2.0}, {"CPU": 64.0}], 2) == {"CPU": 4, "GPU": 1}


@pytest.mark.parametrize(
    ("nodes", "message"),
    [([{"CPU": 1.0}], "1 CPUs, too few"), ([{"CPU": 9.0, "GPU": 1.0}], "1 GPUs, too few")],
)
def test_a_cluster_that_is_too_small_says_what_it_has(nodes: list, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        resources_each(nodes, 2)


@pytest.mark.parametrize("address", ["nonsense", "ray://somewhere:10001", "host:port", ":6379"])
def test_what_is_no_address_is_told_before_ray_is_asked(
    address: str, experiment_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="no address of a Ray cluster"):
        fit_on_ray(Experiment.read(experiment_file), tmp_path / "o", address=address, workers=2)


def test_nobody_there_is_told_at_once(experiment_file: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no Ray cluster at"):
        fit_on_ray(
            Experiment.read(experiment_file), tmp_path / "o", address="127.0.0.1:1", workers=2
        )
    assert not list((tmp_path / "o").glob(".ray*"))


def test_mistakes_are_told_before_a_cluster_is_looked_for(
    experiment_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = Experiment.read(experiment_file)
    monkeypatch.setattr(ray_cluster, "cluster", lambda address: pytest.fail("was looked for"))
    with pytest.raises(UsageError, match="0 workers"):
        fit_on_ray(experiment, tmp_path, address="local", workers=0)
    with pytest.raises(SettingsError, match="multiple of 3"):
        fit_on_ray(experiment, tmp_path, address="local", workers=3)
    (tmp_path / LAST).touch()
    with pytest.raises(OutputExists, match="--resume"):
        fit_on_ray(experiment, tmp_path, address="local", workers=2)
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    with pytest.raises(RuntimeMissing, match="hyperfocal\\[train,ray\\]"):
        fit_on_ray(experiment, tmp_path, address="local", workers=2)


def test_being_told_to_stop_is_no_end_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.train.torch import TorchTrainer

    def stopped(self: object) -> None:
        (tmp_path / ".ray").mkdir()
        sys.exit(1)  # as Ray does when Ctrl-C has ended the workers

    monkeypatch.setattr(TorchTrainer, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        ray_cluster._trained({"sign": ".ray-x"}, tmp_path, 2, {"CPU": 1}, 0)
    assert not (tmp_path / ".ray").exists()


def test_a_worker_that_sees_other_folders_says_so(experiment_file: Path, tmp_path: Path) -> None:
    experiment = Experiment.read(experiment_file)
    with pytest.raises(InputMissing, match="does not see the folder of the training"):
        ray_worker._look(experiment, tmp_path, "no-sign")
    (tmp_path / "sign").touch()
    ray_worker._look(experiment, tmp_path, "sign")
    elsewhere = experiment.data.model_copy(update={"train": str(tmp_path / "nowhere")})
    with pytest.raises(InputMissing, match="does not see the data"):
        ray_worker._look(experiment.model_copy(update={"data": elsewhere}), tmp_path, "sign")


@pytest.mark.parametrize(
    "words", [["--ray-workers", "2"], ["--ray", "local", "--fast-dev-run"], ["--ray", "nonsense"]]
)
def test_options_that_do_not_go_together(
    words: list[str], experiment_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(experiment_file.parent)
    done = CliRunner().invoke(build(), ["train", "fit", str(experiment_file), *words])
    assert done.exit_code == 2, done.output
    assert "--ray" in done.output or "Ray" in done.output
