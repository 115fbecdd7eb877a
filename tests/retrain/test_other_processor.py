"""A retraining that goes on on another processor."""

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
from hyperfocal.training.experiment import Experiment


@pytest.mark.parametrize("has_bf16", [False, True])
def test_the_arithmetic_stays_what_it_was(
    has_bf16: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = {"name": "plain", "scale": 2, "channels": 8, "depth": 1}
    champion: Any = SimpleNamespace(card=find("photo-realtime-x2").card, net=net, weights=b"")
    monkeypatch.setattr(module, "stage", lambda *_: 600)
    monkeypatch.setattr(module, "described", lambda *_: "pictures")
    monkeypatch.setattr(module, "listed", lambda *_: "pictures")
    parted: Any = None

    def prepared(rate: float, fast: bool) -> Experiment:
        monkeypatch.setattr(module, "processor", lambda: SimpleNamespace(has_bf16=fast))
        plan = Plan(tmp_path, "mine", steps=10, rate=rate)
        work = tmp_path / "work"
        return module.prepare(plan, champion, "mine-x2", "bicubic", parted, work, Settings())

    first = prepared(1e-4, has_bf16)
    assert prepared(1e-4, not has_bf16) == first
    with pytest.raises(SettingsError, match=r"rate was 0\.0001 and is 0\.0002"):
        prepared(2e-4, not has_bf16)
