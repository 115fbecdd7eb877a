from __future__ import annotations

import pytest

from hyperfocal.retrain.champion import read_champion
from hyperfocal.settings import Settings


@pytest.mark.parametrize(
    ("model", "clipped", "consistent"),
    [("photo-realtime-x4", True, False), ("photo-fast-x2", False, True)],
)
def test_what_is_retrained_is_made_as_its_champion(
    model: str, clipped: bool, consistent: bool
) -> None:
    net = read_champion(model, Settings()).net
    assert (net["clipped"], net["consistent"]) == (clipped, consistent)
