"""Exported anew, and with a correction."""

from __future__ import annotations

import math
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from hyperfocal.errors import InputMissing, ModelBroken, SettingsError, UsageError
from hyperfocal.models.card import ModelCard
from hyperfocal.models.loaded import LoadedModel, load_entry
from hyperfocal.models.registry import read_entry
from hyperfocal.quality import psnr
from hyperfocal.settings import Settings
from hyperfocal.training.calibrate import calibrating, training_pictures
from hyperfocal.training.consistency import REACH
from hyperfocal.training.data import bicubic_pair, pictures_in, read_rgb
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.export import export
from hyperfocal.training.fit import fit
from hyperfocal.training.graph import build
from hyperfocal.training.stored import averaged, read_stored
from hyperfocal.training.weights import read_onnx


@pytest.fixture
def plain(experiment_file: Path) -> Experiment:
    text = experiment_file.read_text().replace("steps = 250", "steps = 60")
    experiment_file.write_text(text.replace("validate_every = 125", "validate_every = 60"))
    return Experiment.read(experiment_file)


@pytest.fixture
def run(plain: Experiment, tmp_path: Path) -> Path:
    fit(plain, tmp_path / "run", progress=False, tracking=False)
    return tmp_path / "run"


def consistent(plain: Experiment) -> Experiment:
    return plain.model_copy(update={"net": plain.net.model_copy(update={"consistent": True})})


def load(folder: Path, precision: str) -> LoadedModel:
    settings = Settings(precision=precision, cache=folder / "cache")
    return load_entry(read_entry(folder / "tiny-x2.toml"), settings)


def mean_psnr(model: LoadedModel, folder: str) -> float:
    pairs = [bicubic_pair(read_rgb(path), 2) for path in pictures_in(Path(folder))]
    return float(np.mean([psnr(model.run(lr), hr, shave=2) for lr, hr in pairs]))


def test_weights_are_exported_anew_with_a_correction(
    plain: Experiment, run: Path, tmp_path: Path
) -> None:
    export(run / "best.ckpt", tmp_path / "first", calibration=4)
    again = export(
        tmp_path / "first" / "tiny-x2.float.onnx",
        tmp_path / "again",
        calibration=4,
        experiment=consistent(plain),
    )
    before, after = (
        ModelCard.read(tmp_path / name / "tiny-x2.toml") for name in ("first", "again")
    )
    assert after.receptive_radius == before.receptive_radius + REACH
    # What they cost is what they had cost.
    assert after.training == before.training
    stored = read_onnx(tmp_path / "again" / "tiny-x2.float.onnx")
    assert stored.correction is not None
    first = read_onnx(tmp_path / "first" / "tiny-x2.float.onnx")
    for one, other in zip(stored.layers, first.layers, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    for precision in ("float", "int8"):
        old, new = (load(tmp_path / name, precision) for name in ("first", "again"))
        # Found on these very pictures.
        assert mean_psnr(new, plain.data.train) > mean_psnr(old, plain.data.train)
        assert new.run(np.full((1, 1, 3), 7, np.uint8)).shape == (2, 2, 3)
    assert again.validation["int8"] == pytest.approx(
        mean_psnr(load(tmp_path / "again", "int8"), plain.data.validation), abs=5.1e-4
    )
    # Each precision has its own, for what it gets wrong itself.
    kernels = [
        {one.name: one for one in onnx.load(path).graph.initializer}["correction.weight"]
        for path in sorted((tmp_path / "again").glob("*.onnx"))
    ]
    assert kernels[0].raw_data != kernels[1].raw_data


def test_a_correction_is_found_on_pictures_too_small_to_be_judged(
    plain: Experiment, run: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    for path in pictures_in(Path(plain.data.train))[:2]:
        Image.fromarray(read_rgb(path)[:28, :28]).save(small / f"{path.stem}.png")
    data = plain.data.model_copy(
        update={"train": str(small), "patch": 8, "judged_at": (1.0, 0.5)},
    )
    made = export(run / "best.ckpt", tmp_path / "first", calibration=2)
    again = export(
        tmp_path / "first" / "tiny-x2.float.onnx",
        tmp_path / "again",
        calibration=2,
        experiment=consistent(plain).model_copy(update={"data": data}),
    )
    assert made.validation.keys() == again.validation.keys()
    assert read_onnx(tmp_path / "again" / "tiny-x2.float.onnx").correction is not None


def test_exported_anew_nothing_else_changes(plain: Experiment, run: Path, tmp_path: Path) -> None:
    export(run / "best.ckpt", tmp_path / "first", calibration=4)
    source = tmp_path / "first" / "tiny-x2.float.onnx"
    export(source, tmp_path / "again", calibration=4, experiment=plain)
    names = ("first", "again")
    one, other = (tmp_path / name / "tiny-x2.int8.onnx" for name in names)
    assert one.read_bytes() == other.read_bytes()
    graphs = [onnx.load(tmp_path / name / "tiny-x2.float.onnx").graph for name in names]
    assert graphs[0] == graphs[1]


def test_the_mean_of_two_trainings_of_a_net_is_exported(
    plain: Experiment, run: Path, tmp_path: Path
) -> None:
    export(run / "best.ckpt", tmp_path / "first", calibration=4)
    start = tmp_path / "first" / "tiny-x2.float.onnx"
    net = plain.net.model_copy(update={"start": str(start)})
    on = plain.model_copy(update={"net": net, "seed": plain.seed + 1})
    fit(on, tmp_path / "on", progress=False, tracking=False)
    cards = {}
    for name, average in (("alone", None), ("mean", start), ("stranger", run / "best.ckpt")):
        made = export(
            tmp_path / "on" / "best.ckpt", tmp_path / name, calibration=4, average=average
        )
        cards[name] = made.card
    read = {
        name: read_onnx(tmp_path / name / "tiny-x2.float.onnx")
        for name in ("first", "alone", "mean")
    }
    parts = zip(*(folded.layers for folded in read.values()), strict=True)
    moved = 0.0
    for first, alone, mean in parts:
        for before, after, between in zip(first, alone, mean, strict=True):
            np.testing.assert_allclose(between, (before + after) / 2.0, rtol=1e-5, atol=1e-7)
            moved = max(moved, float(np.abs(after - before).max()))
    assert moved > 1e-3
    # The start's cost is part of the training's already; of others nobody can tell how much is.
    digest = cards["mean"].training.averaged_with
    assert digest == f"tiny-x2.float.onnx (sha256 {sha256(start.read_bytes()).hexdigest()[:16]})"
    alone = cards["alone"].training
    assert cards["mean"].training == alone.model_copy(update={"averaged_with": digest})
    assert not alone.more_before
    assert cards["stranger"].training.more_before
    assert cards["mean"].weights["int8"] != cards["alone"].weights["int8"]


def test_another_file_in_the_place_of_the_start_is_a_stranger(
    plain: Experiment, run: Path, tmp_path: Path
) -> None:
    export(run / "best.ckpt", tmp_path / "first", calibration=4)
    start = tmp_path / "first" / "tiny-x2.float.onnx"
    on = plain.model_copy(update={"net": plain.net.model_copy(update={"start": str(start)})})
    fit(on, tmp_path / "on", progress=False, tracking=False)
    stored = read_stored(tmp_path / "on" / "best.ckpt")
    assert averaged(stored, start).cost == stored.cost
    export(tmp_path / "on" / "best.ckpt", tmp_path / "first", calibration=4)
    assert averaged(stored, start).cost == replace(stored.cost, whole=False)


def test_a_mean_is_taken_whatever_follows_from_the_weights(
    plain: Experiment, run: Path, tmp_path: Path
) -> None:
    """A correction is found anew, and ceilings are those of the training."""
    export(run / "best.ckpt", tmp_path / "first", calibration=4)
    start = tmp_path / "first" / "tiny-x2.float.onnx"
    stored = read_stored(run / "best.ckpt")
    ends = (1.0,) * (len(stored.folded.layers) - 1)
    ceiled = replace(stored, folded=replace(stored.folded, ceilings=ends))
    assert averaged(ceiled, start).folded.ceilings == ends
    made = export(
        start, tmp_path / "mean", calibration=4, experiment=consistent(plain), average=start
    )
    again = read_onnx(tmp_path / "mean" / "tiny-x2.float.onnx")
    assert again.correction is not None
    assert made.card.training.averaged_with


def test_there_is_no_mean_of_different_nets(
    plain: Experiment, run: Path, tmp_path: Path, experiment_file: Path
) -> None:
    net = plain.net.model_copy(update={"depth": plain.net.depth + 1})
    other = plain.model_copy(update={"net": net})
    fit(other, tmp_path / "deeper", progress=False, tracking=False)
    with pytest.raises(
        SettingsError, match=r"no mean with .*best\.ckpt: they are of different nets"
    ):
        export(run / "best.ckpt", tmp_path / "out", average=tmp_path / "deeper" / "best.ckpt")
    with pytest.raises(InputMissing, match="there is no file"):
        export(run / "best.ckpt", tmp_path / "out", average=tmp_path / "none.float.onnx")
    stored = read_stored(run / "best.ckpt")
    bad = build(
        replace(
            stored.folded,
            layers=(
                (stored.folded.layers[0][0] * np.float32(np.nan), stored.folded.layers[0][1]),
                *stored.folded.layers[1:],
            ),
        )
    )
    (tmp_path / "bad.onnx").write_bytes(bad.SerializeToString())
    with pytest.raises(ModelBroken, match=r"bad\.onnx: not all of its weights are numbers"):
        averaged(stored, tmp_path / "bad.onnx")
    rounded = replace(stored, ranges=(1.0,))
    with pytest.raises(UsageError, match="quantisation-aware"):
        averaged(rounded, run / "best.ckpt")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_exported_anew_is_told(plain: Experiment, run: Path, tmp_path: Path) -> None:
    export(run / "best.ckpt", tmp_path / "first", calibration=1)
    source = tmp_path / "first" / "tiny-x2.float.onnx"
    out = tmp_path / "out"
    with pytest.raises(UsageError, match=r"name the file \(--experiment\)"):
        export(source, out)
    with pytest.raises(UsageError, match="holds its own experiment"):
        export(run / "best.ckpt", out, experiment=plain)
    deeper = plain.model_copy(update={"net": plain.net.model_copy(update={"depth": 2})})
    with pytest.raises(SettingsError, match="another net than the experiment 'tiny-x2'"):
        export(source, out, experiment=deeper)
    clipped = plain.model_copy(update={"net": plain.net.model_copy(update={"clipped": True})})
    with pytest.raises(SettingsError, match="another net"):
        export(source, out, experiment=clipped)
    rounded = plain.net.model_copy(update={"qat": True, "start": "x.onnx"})
    with pytest.raises(UsageError, match="does not hold the ranges"):
        export(source, out, experiment=plain.model_copy(update={"net": rounded}))
    (source.parent / "tiny-x2.toml").unlink()
    with pytest.raises(UsageError, match="no card beside"):
        export(source, out, experiment=plain)
    assert not out.exists()


@pytest.mark.parametrize("size", [math.nan, 1e30])
def test_a_training_that_failed_is_told(
    plain: Experiment, run: Path, tmp_path: Path, size: float
) -> None:
    checkpoint = torch.load(run / "best.ckpt", weights_only=True)
    for name, tensor in checkpoint["state_dict"].items():
        if name.endswith("direct"):
            tensor.fill_(size)
    failed = tmp_path / "failed.ckpt"
    torch.save(checkpoint, failed)
    with pytest.raises(ModelBroken, match="the training has failed"):
        export(failed, tmp_path / "out", calibration=1)
    assert not list(tmp_path.rglob("*.onnx"))


@pytest.mark.parametrize("more", ["clipped = true", "unshuffle = 2", 'name = "depthpro-sr"'])
def test_which_nets_can_be_consistent(experiment_file: Path, more: str) -> None:
    text = experiment_file.read_text().replace("[net]", f"[net]\nconsistent = true\n{more}")
    experiment_file.write_text(text)
    with pytest.raises(SettingsError, match="consistent is for plain nets"):
        Experiment.read(experiment_file)


def test_calibration_sees_no_picture_that_training_did_not(plain: Experiment) -> None:
    data = plain.data.model_copy(update={"limit": 2})
    limited = plain.model_copy(update={"data": data})
    assert [path.name for path in calibrating(limited, 48)] == ["0.png", "1.png"]
    assert len(list(training_pictures(limited, 48))) == 2 * len(plain.data.judged_at)
    assert [path.name for path in calibrating(plain, 3)] == ["0.png", "1.png", "2.png"]
