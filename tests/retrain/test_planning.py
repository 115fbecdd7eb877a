"""What a retraining stages: how large its patches are, and where it may."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hyperfocal.errors import SettingsError
from hyperfocal.models.registry import find
from hyperfocal.retrain import Plan
from hyperfocal.retrain import plan as module
from hyperfocal.settings import Settings


@pytest.mark.parametrize(
    ("unshuffle", "side", "patch"), [(1, 600, 64), (1, 74, 37), (2, 74, 36), (3, 600, 63)]
)
def test_patches_have_whole_cells(
    unshuffle: int, side: int, patch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = find("photo-realtime-x2").card
    net = {"name": "plain", "scale": 2, "channels": 8, "depth": 1, "unshuffle": unshuffle}
    champion: Any = SimpleNamespace(card=card, net=net, weights=b"")
    monkeypatch.setattr(module, "stage", lambda *_: side)
    monkeypatch.setattr(module, "described", lambda *_: "pictures")
    monkeypatch.setattr(module, "listed", lambda *_: "pictures")
    plan = Plan(tmp_path, "mine", steps=10)
    parted: Any = None
    made = module.prepare(
        plan, champion, "mine-x2", "bicubic", parted, tmp_path / "work", Settings()
    )
    assert made.data.patch == patch
    assert (tmp_path / "work" / module.PLAN).is_file()


def test_what_was_interrupted_while_it_was_staged_is_taken_for_that(tmp_path: Path) -> None:
    work = tmp_path / "work"
    assert module.may_stage(work)
    work.mkdir()
    assert module.may_stage(work)
    begun = ("champion.onnx", "champion.toml", "pictures.csv", "options.json")
    for name in (*begun, "experiment.toml.partial"):
        (work / name).write_bytes(b"begun")
        assert module.may_stage(work)
    (work / "data").mkdir()
    assert module.may_stage(work)
    (work / "thesis.txt").write_text("mine")
    assert not module.may_stage(work)
    assert not module.may_stage(work / "thesis.txt")


@pytest.mark.parametrize("content", ["", "[]", '{"seed": '])
def test_what_does_not_tell_how_it_was_begun_is_not_gone_on_with(
    content: str, tmp_path: Path
) -> None:
    (tmp_path / module.OPTIONS).write_text(content)
    with pytest.raises(SettingsError, match="does not tell what it was begun with"):
        module._check_options({"seed": 0}, tmp_path)
