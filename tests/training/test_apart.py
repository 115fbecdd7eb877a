"""What judges a training are other pictures than those it learns from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from hyperfocal.errors import SettingsError
from hyperfocal.training import apart
from hyperfocal.training.apart import refuse_same
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.group import ALONE
from hyperfocal.training.pictures import Pictures


def experiment(file: Path, **changed: object) -> Experiment:
    read = Experiment.read(file)
    return read.model_copy(update={"data": read.data.model_copy(update=changed)})


def test_validation_by_training_pictures_is_refused(experiment_file: Path) -> None:
    plan = experiment(experiment_file, validation=str(experiment_file.parent / "train"))
    with pytest.raises(SettingsError, match=r"^3 pictures are both for training and for valid"):
        Pictures(plan, ALONE, one_batch=False)


def test_a_copy_under_another_name_is_found(experiment_file: Path) -> None:
    root = experiment_file.parent
    shutil.copy(root / "train" / "2.png", root / "val" / "other.png")
    with pytest.raises(
        SettingsError, match=r"1 picture is .* such as .*val/other\.png, the same as .*train/2\.png"
    ):
        Pictures(experiment(experiment_file), ALONE, one_batch=False)
    # Of what a limit leaves out nothing is learnt.
    Pictures(experiment(experiment_file, limit=2), ALONE, one_batch=False)


def test_a_link_to_the_same_picture_is_found(photographs: Path) -> None:
    link = photographs / "val" / "link.png"
    link.symlink_to(photographs / "train" / "0.png")
    with pytest.raises(SettingsError, match=r"val/link\.png, the same as .*train/0\.png"):
        refuse_same({"training": [photographs / "train" / "0.png"], "validation": [link]})


def test_a_test_by_what_chose_the_net_is_refused(experiment_file: Path) -> None:
    plan = experiment(experiment_file, test=str(experiment_file.parent / "val"))
    with pytest.raises(SettingsError, match="2 pictures are both for validation and for test"):
        Pictures(plan, ALONE, one_batch=False)


def test_a_copy_that_would_be_held_back_is_refused(experiment_file: Path) -> None:
    root = experiment_file.parent
    shutil.copy(root / "val" / "4.png", root / "val" / "4b.png")
    plan = experiment(experiment_file, held_back=0.5)
    with pytest.raises(SettingsError, match="1 picture is both for validation and for test"):
        Pictures(plan, ALONE, one_batch=False)
    Pictures(experiment(experiment_file, held_back=0.0), ALONE, one_batch=False)


def test_plain_areas_tell_nothing(tmp_path: Path) -> None:
    """Sky that is cut out of two photographs."""
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        Image.new("RGB", (32, 32), (250, 250, 250)).save(file)
    refuse_same({"training": files[:1], "validation": files[1:]})


def test_only_files_as_long_as_others_are_read(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def digest(file: object, _name: str) -> None:
        read.append(Path(file.name))  # type: ignore[attr-defined]
        raise OSError

    monkeypatch.setattr(apart.hashlib, "file_digest", digest)
    files = sorted((photographs / "train").iterdir())
    for index, path in enumerate(files):
        path.write_bytes(b"x" * (index + 1))
    other = photographs / "val" / "4.png"
    other.write_bytes(b"y" * 2)
    refuse_same({"training": files, "validation": [other]})
    assert sorted(read) == [files[1], other]


def test_one_batch_is_judged_by_itself(experiment_file: Path) -> None:
    plan = experiment(experiment_file, validation=str(experiment_file.parent / "train"))
    assert len(Pictures(plan, ALONE, one_batch=True).validation) == plan.data.batch


def test_one_batch_of_patches_too_small_for_ssim_is_refused(experiment_file: Path) -> None:
    read = experiment(experiment_file, patch=8)
    plan = read.model_copy(update={"net": read.net.model_copy(update={"scale": 1})})
    with pytest.raises(SettingsError, match=r"8x8 pixels .* data\.patch = 13 or more"):
        Pictures(plan, ALONE, one_batch=True)
    Pictures(experiment(experiment_file, patch=8), ALONE, one_batch=True)
