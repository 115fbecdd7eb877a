"""The digest of a training's data says whether two trainings had the same pictures."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hyperfocal.quality import imresize
from hyperfocal.training import facts
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit
from hyperfocal.training.mlflow_server import Server
from hyperfocal.training.pictures import files_of


@pytest.fixture
def given_file(experiment_file: Path) -> Path:
    """An experiment with given pairs in ``train``, ``val`` and ``test``, two originals each."""
    root = experiment_file.parent
    shutil.copytree(root / "val", root / "test")
    for path in (root / "test").iterdir():
        # Others than those of "val", which choose the net.
        Image.open(path).rotate(90).save(path)
    for part in ("train", "val", "test"):
        originals = sorted((root / part).glob("*.png"))
        (root / part / "HR").mkdir()
        (root / part / "LR").mkdir()
        for path in originals[:2]:
            moved = path.rename(root / part / "HR" / path.name)
            half = np.clip(np.rint(imresize(np.asarray(Image.open(moved)), 0.5)), 0, 255)
            Image.fromarray(half.astype(np.uint8)).save(root / part / "LR" / path.name)
    text = experiment_file.read_text().replace("steps = 250", "steps = 2")
    text = text.replace('train = "train"', 'train = "train/HR"\ndegradation = "given"')
    experiment_file.write_text(text.replace('"val"', '"val/HR"\ntest = "test/HR"'))
    return experiment_file


def digest(experiment_file: Path) -> str:
    return facts.manifest(files_of(Experiment.read(experiment_file)))[1]


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize("kind", ["HR", "LR"])
def test_any_picture_of_given_pairs_changes_it(given_file: Path, part: str, kind: str) -> None:
    before = digest(given_file)
    assert digest(given_file) == before
    path = sorted((given_file.parent / part / kind).iterdir())[-1]
    pixels = np.asarray(Image.open(path)).copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    assert digest(given_file) != before


def test_low_resolution_pictures_are_listed_by_what_they_are_for(given_file: Path) -> None:
    parts = files_of(Experiment.read(given_file))
    root = given_file.parent
    assert parts["train-lr"] == [root / "train" / "LR" / name for name in ("0.png", "1.png")]
    assert parts["test-lr"] == [root / "test" / "LR" / name for name in ("4.png", "5.png")]
    listing, _ = facts.manifest(parts)
    lines = dict(reversed(line.split("  ")) for line in listing.splitlines())
    assert len(lines) == 12
    lr = (root / "val" / "LR" / "5.png").read_bytes()
    assert lines["validation-lr/5.png"] == hashlib.sha256(lr).hexdigest()


def test_a_limit_leaves_out_both_of_a_pair(given_file: Path) -> None:
    given_file.write_text(given_file.read_text().replace("[data]", "[data]\nlimit = 1"))
    parts = files_of(Experiment.read(given_file))
    assert [len(parts[name]) for name in ("train", "train-lr", "test-lr")] == [1, 1, 2]


@pytest.mark.parametrize("degradation", ["bicubic", "real"])
def test_it_is_of_the_originals_where_the_others_are_made(
    experiment_file: Path, degradation: str
) -> None:
    text = experiment_file.read_text()
    text = text.replace("[data]", f'[data]\ndegradation = "{degradation}"\nheld_back = 0.0')
    experiment_file.write_text(text)
    root = experiment_file.parent
    # A folder LR happens to be there.
    (root / "LR").mkdir()
    shutil.copy(root / "train" / "0.png", root / "LR" / "0.png")
    names = [*(f"train/{n}.png" for n in range(4)), "validation/4.png", "validation/5.png"]
    lines = []
    for name in names:
        part, _, file = name.partition("/")
        data = (root / ("train" if part == "train" else "val") / file).read_bytes()
        lines.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
    assert digest(experiment_file) == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_mlflow_is_told_it(
    given_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    with_database: Callable[[Path], None],
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    torch.set_num_threads(1)
    out = tmp_path / "runs" / "given"
    with_database(out.parent)
    trained = fit(Experiment.read(given_file), out, progress=False, tracking=True)
    client = Server.of(out).client()
    assert client.get_run(trained.run_id).data.tags["data_digest"] == digest(given_file)
    told = client.download_artifacts(trained.run_id, "data-manifest.txt", str(tmp_path))
    assert "  train-lr/0.png\n" in Path(told).read_text(encoding="utf-8")
    # Going on with other pictures, it had both.
    first = digest(given_file)
    (given_file.parent / "train" / "HR" / "0.png").unlink()
    (given_file.parent / "train" / "LR" / "0.png").unlink()
    text = given_file.read_text()
    for steps in (3, 4):
        given_file.write_text(text.replace("steps = 2", f"steps = {steps}"))
        fit(Experiment.read(given_file), out, resume=True, progress=False, tracking=True)
        tags = client.get_run(trained.run_id).data.tags
        assert tags["data_digest"].split() == [first, digest(given_file)]
    told = client.download_artifacts(trained.run_id, "data-manifest-2.txt", str(tmp_path))
    assert "train-lr/0.png" not in Path(told).read_text(encoding="utf-8")
