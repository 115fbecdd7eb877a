"""Which models the figures on their cards are measured of."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import measure_quality as figures

from hyperfocal.models.card import ModelCard
from hyperfocal.models.registry import SHIPPED


def test_all_that_ship_are_measured_where_no_pattern_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured: list[Path] = []
    monkeypatch.setattr(figures, "measure_quality", lambda path, **given: measured.append(path))
    figures.main()
    assert {path for path in SHIPPED.glob("*.toml") if ModelCard.read(path).quality} <= {*measured}
    measured.clear()
    figures.main("photo-fine-*")
    assert [path.stem for path in measured] == ["photo-fine-x2", "photo-fine-x3", "photo-fine-x4"]
