from __future__ import annotations

import pytest

from hyperfocal.retrain.champion import read_champion
from hyperfocal.settings import Settings


@pytest.mark.parametrize(
    ("model", "clipped"), [("photo-realtime-x4", True), ("photo-fast-x2", False)]
)
def test_what_is_retrained_adds_to_what_its_champion_adds_to(model: str, clipped: bool) -> None:
    assert read_champion(model, Settings()).net["clipped"] is clipped
