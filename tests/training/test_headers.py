"""Pictures that a training cannot have are told by their headers, before any is decoded."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyperfocal import control_groups
from hyperfocal.errors import BrokenPicture, InputError, PairMismatch, SettingsError
from hyperfocal.training import data, facts, given_pairs, headers, memory
from hyperfocal.training.data import PatchPool, PatchSettings, pictures_in, read_rgb
from hyperfocal.training.degraded import Degradations, DegradedPool, judged_pairs
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.given_pairs import PairPool
from hyperfocal.training.group import ALONE
from hyperfocal.training.pictures import Pictures

SETTINGS = PatchSettings(scale=2, patch=16, batch=2)


@pytest.fixture
def nothing_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} was decoded")

    monkeypatch.setattr(data, "read_rgb", refuse)
    monkeypatch.setattr(given_pairs, "read_rgb", refuse)


def grey(path: Path, width: int, height: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise((width, height), 30).save(path)
    return path


@pytest.mark.usefixtures("nothing_decoded")
def test_all_pictures_that_are_too_small_are_told_at_once(photographs: Path) -> None:
    for number in range(5):
        grey(photographs / "train" / f"small{number}.png", 40, 20 + number)
    files = pictures_in(photographs / "train")
    with pytest.raises(SettingsError) as told:
        PatchPool(files, SETTINGS)
    assert "small0.png is 40x20" in str(told.value)
    assert "small2.png is 40x22 and 2 more; patches need 32x32" in str(told.value)
    assert "leave those 5 pictures out" in str(told.value)


@pytest.mark.usefixtures("nothing_decoded")
def test_all_files_that_are_no_pictures_are_told_at_once(photographs: Path) -> None:
    (photographs / "train" / "1.png").write_bytes(b"")
    (photographs / "train" / "3.png").write_text("text")
    with pytest.raises(BrokenPicture, match=r"1\.png: .*; .*3\.png: "):
        PatchPool(pictures_in(photographs / "train"), SETTINGS)


@pytest.mark.usefixtures("nothing_decoded")
def test_validation_is_looked_at_before_anything_is_decoded(experiment_file: Path) -> None:
    for number in range(2):
        grey(experiment_file.parent / "val" / f"small{number}.png", 40, 10)
    plan = Experiment.read(experiment_file)
    with pytest.raises(
        SettingsError, match=r"small.\.png has 40x10 pixels, .*small.\.png .* 16x16; leave those 2"
    ):
        Pictures(plan, ALONE, one_batch=False)
    (experiment_file.parent / "val" / "small0.png").write_text("text")
    with pytest.raises(InputError, match=r"small0\.png"):
        Pictures(plan, ALONE, one_batch=False)


@pytest.mark.usefixtures("nothing_decoded")
def test_pairs_that_are_none_are_told_at_once(tmp_path: Path) -> None:
    files = [grey(tmp_path / "HR" / f"{number}.png", 64, 64) for number in range(3)]
    with pytest.raises(PairMismatch, match=r"0\.png has no low.*; .*2\.png has no low"):
        PairPool(files, SETTINGS)
    for file, side in zip(files, (32, 31, 30), strict=True):
        grey(tmp_path / "LR" / file.name, 32, side)
    with pytest.raises(PairMismatch, match=r"1\.png have 32x31 and 64x64 .*; .*32x30.* not x2"):
        PairPool(files, SETTINGS)


@pytest.mark.usefixtures("nothing_decoded")
@pytest.mark.parametrize("teacher", [False, True])
def test_more_than_there_is_memory_for_is_refused(
    photographs: Path, monkeypatch: pytest.MonkeyPatch, teacher: bool
) -> None:
    """Tiles, what half of them are made smaller to, or a teacher makes of them all, and LR ones."""
    settings = replace(SETTINGS, teacher=object() if teacher else None)  # type: ignore[arg-type]
    needed = int(4 * 96 * 96 * 3 * (2.25 if teacher else 1.75))
    monkeypatch.setattr(headers, "memory_there_is", lambda: needed - 1)
    with pytest.raises(SettingsError, match=r"^4 training pictures take .* GiB.*data\.limit"):
        PatchPool(pictures_in(photographs / "train"), settings)
    monkeypatch.setattr(headers, "memory_there_is", lambda: needed)
    with pytest.raises(AssertionError, match="was decoded"):
        PatchPool(pictures_in(photographs / "train"), settings)


def test_patches_that_are_degraded_one_by_one_need_the_tiles_only(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers, "memory_there_is", lambda: 4 * 96 * 96 * 3)
    DegradedPool(pictures_in(photographs / "train"), SETTINGS, Degradations())


def test_memory_is_that_of_the_machine_or_of_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_groups, "_GROUPS", tmp_path)
    monkeypatch.setattr(control_groups, "_OWN_GROUPS", tmp_path / "own")
    machine = memory.memory_there_is()
    (tmp_path / "own").write_text("4:cpu,memory:/docker/a\n0::/slice/job\n")
    for name, text in {
        "memory.max": "max",
        "slice/memory.max": "70000000",
        "slice/job/memory.max": "80000000",
        "memory/memory.limit_in_bytes": str(2**63 - 1),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert memory.memory_there_is() == 70_000_000
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("60000000\n")
    assert memory.memory_there_is() == 60_000_000
    (tmp_path / "own").unlink()
    assert memory.memory_there_is() == machine


def test_given_pairs_are_held_once(tmp_path: Path) -> None:
    file = grey(tmp_path / "HR" / "a.png", 64, 64)
    grey(tmp_path / "LR" / "a.png", 32, 32)
    pool = PairPool([file], SETTINGS)
    assert (len(pool.tiles), len(pool.pairs)) == (0, 1)
    assert pool.batch(0)[0].shape == (2, 3, 16, 16)


def test_pairs_are_made_anew_one_by_one(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = pictures_in(photographs / "train")
    pool, want = PatchPool(files, SETTINGS), PatchPool(files, SETTINGS)
    pool.refresh(0)
    first, made = list(pool.pairs), data.bicubic_pair
    held: list[int] = []

    def counted(*given: object) -> object:
        held.append(sum(any(pair is old for old in first) for pair in pool.pairs))
        return made(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(data, "bicubic_pair", counted)
    pool.refresh(1)
    assert held == [4, 3, 2, 1]
    monkeypatch.undo()
    want.refresh(1)
    for found, expected in zip(pool.pairs, want.pairs, strict=True):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_what_ended_a_new_turn_halfway_is_made_good(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = PatchPool(pictures_in(photographs / "train"), SETTINGS)
    want = pool.batch(0)
    made, calls = data.bicubic_pair, iter(range(8))

    def interrupted(*given: object) -> object:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return made(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(data, "bicubic_pair", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.refresh(1)
    for one, other in zip(pool.batch(0), want, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_format_that_is_read_is_listed_but_no_dot_file(tmp_path: Path) -> None:
    """As for suites."""
    names = ["a.avif", "b.GIF", "c.jpe", "d.jfif", "e.heic", "f.jpg", "g.dib"]
    for name in [*names, "._f.jpg", ".h.png", "notes.txt"]:
        (tmp_path / name).write_text("")
    (tmp_path / "i.png").mkdir()
    assert [path.name for path in pictures_in(tmp_path)] == names


def test_hidden_colours_are_not_learnt_from(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pixels = np.full((32, 32, 4), (200, 100, 50, 255), np.uint8)
    pixels[:, :16] = generator.integers(0, 256, (32, 16, 4))
    pixels[:, :16, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (read_rgb(tmp_path / "a.png") == (200, 100, 50)).all()
    pixels[..., 3] = 1
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), pixels[..., :3])


def test_a_manifest_of_a_name_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"caf\xe9.png")
    file.write_bytes(b"")
    text, digest = facts.manifest({"train": [file]})
    assert text.endswith("  train/caf\\udce9.png\n")
    assert len(digest) == 64


def test_sizes_are_those_that_are_decoded(experiment_file: Path) -> None:
    image = Image.fromarray(np.zeros((40, 30, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    file = experiment_file.parent / "side.jpg"
    image.save(file, exif=exif)
    assert headers.sizes([file]) == [read_rgb(file).shape[:2]] == [(30, 40)]
    assert judged_pairs(Experiment.read(experiment_file), [file])[0][1].shape == (30, 40, 3)
