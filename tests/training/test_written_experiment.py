"""An experiment that is written down is the same when it is read again."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hyperfocal.errors import SettingsError
from hyperfocal.training.degradations import Degradations
from hyperfocal.training.experiment import Experiment

USUAL = Degradations()


def leaves() -> Iterator[tuple[str, str, Any]]:
    """Table, name and the default of its class, of all that tables of degradations hold."""
    for table in fields(USUAL):
        held: Any = getattr(USUAL, table.name)
        if is_dataclass(held):
            plain: Any = type(held)
            for one in fields(held):
                yield table.name, one.name, getattr(plain(), one.name)


def again(experiment: Experiment, folder: Path) -> Experiment:
    path = folder / "again.toml"
    path.write_text(experiment.to_toml(), encoding="utf-8")
    return Experiment.read(path).model_copy(update={"file": experiment.file})


def with_ranges(experiment: Experiment, ranges: Degradations) -> Experiment:
    values = experiment.model_dump()
    values["data"]["degradation"] = "real"
    return Experiment.checked(values | {"degradation": ranges}, "the test")


@pytest.fixture
def experiment(experiment_file: Path) -> Experiment:
    return Experiment.read(experiment_file)


@pytest.mark.parametrize(("table", "name", "default"), list(leaves()))
def test_what_is_as_in_its_class_is_written_where_that_is_not_usual(
    experiment: Experiment, tmp_path: Path, table: str, name: str, default: Any
) -> None:
    held = getattr(USUAL, table)
    # Kinds of blur are shares of one whole.
    room = {"sinc": 0.5} if name in ("generalised", "plateau") else {}
    ranges = replace(USUAL, **{table: replace(held, **room, **{name: default})})
    changed = with_ranges(experiment, ranges)
    assert changed.degradation == ranges
    assert again(changed, tmp_path) == changed
    assert (table in changed.to_toml()) == (ranges != USUAL)


def test_whole_tables_as_in_their_classes_are_written(
    experiment: Experiment, tmp_path: Path
) -> None:
    plain = {table: type(getattr(USUAL, table))() for table, _, _ in leaves()}
    for ranges in (replace(USUAL, **plain), replace(USUAL, clean=0.0, second=0.9), USUAL):
        changed = with_ranges(experiment, ranges)
        assert again(changed, tmp_path) == changed


@pytest.mark.parametrize("folder", ["a$b", "$$", "${PICTURES}", "$", "a$-b$$c"])
def test_a_dollar_sign_in_a_path_is_written_so_that_it_stays_one(
    experiment_file: Path, folder: str
) -> None:
    place = experiment_file.parent / folder
    place.mkdir()
    text = experiment_file.read_text().replace(
        "[data]", '[data]\nteacher = ["photo-fine-x2", "own/net.toml"]'
    )
    (place / "b.toml").write_text(text.replace("[net]", '[net]\nstart = "large.onnx"'))
    found = Experiment.read(place / "b.toml")
    assert found.data.train == str(place.resolve() / "train")
    assert again(found, experiment_file.parent) == found


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("${PICTURES}/a", "/with$dollar/a"),
        ("$PICTURES/a", "/with$dollar/a"),
        ("/a$$b", "/a$b"),
        ("/$$PICTURES", "/$PICTURES"),
        ("/$${PICTURES}", "/${PICTURES}"),
        ("/a$", "/a$"),
    ],
)
def test_variables_and_dollar_signs(
    experiment_file: Path, monkeypatch: pytest.MonkeyPatch, written: str, expected: str
) -> None:
    monkeypatch.setenv("PICTURES", "/with$dollar")
    experiment_file.write_text(experiment_file.read_text().replace('"train"', json.dumps(written)))
    assert Experiment.read(experiment_file).data.train == expected


def test_what_a_variable_that_is_not_set_may_have_been_is_told(experiment_file: Path) -> None:
    experiment_file.write_text(experiment_file.read_text().replace('"train"', '"/a$b_not_set"'))
    with pytest.raises(SettingsError, match=r"\$b_not_set, which is not set.*written \$\$"):
        Experiment.read(experiment_file)


@pytest.mark.parametrize("key", ["train", "validation", "test", "start", "teacher"])
def test_a_path_that_is_no_text_is_refused(experiment: Experiment, key: str) -> None:
    path = os.fsdecode(b"/\xff\xfe/x.toml") if sys.platform != "win32" else "/\udcff\udcfe/x.toml"
    values = experiment.model_dump()
    values["net" if key == "start" else "data"][key] = path
    with pytest.raises(SettingsError, match=rf"{key}.*'/\\udcff\\udcfe/x\.toml' is no text"):
        Experiment.checked(values, "the test")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are always text here")
def test_a_folder_whose_name_is_no_text_is_refused_when_it_is_read(experiment_file: Path) -> None:
    folder = experiment_file.parent / os.fsdecode(b"\xff\xfe")
    folder.mkdir()
    path = folder / "tiny.toml"
    path.write_text(experiment_file.read_text())
    with pytest.raises(SettingsError, match="its name is not UTF-8"):
        Experiment.read(path)
    # What the file itself is called only tells.
    named = experiment_file.with_name(os.fsdecode(b"\xff.toml"))
    named.write_text(experiment_file.read_text())
    assert Experiment.read(named).file == "\\udcff.toml"
