"""The pictures in the documentation were made by the models that ship."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from hyperfocal.models.card import ModelCard
from hyperfocal.models.registry import SHIPPED

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import before_after  # noqa: E402

CARDS = [card for card in map(ModelCard.read, sorted(SHIPPED.glob("*.toml"))) if card.weights]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_picture_of_a_model_is_of_its_weights(card: ModelCard) -> None:
    with Image.open(ROOT / "docs" / "images" / "models" / f"{card.name}.webp") as picture:
        made_by = picture.getexif()[ExifTags.Base.ImageDescription]
    assert made_by == card.weights["int8"].sha256, "run 'make figures' and commit it"


def test_the_picture_of_the_readme_is_what_comes_out_today() -> None:
    shown = np.asarray(Image.open(before_after.OUT).convert("RGB"), np.int16)
    today = np.asarray(before_after.compose(before_after.panels("restore-fast")), np.int16)
    # A processor without exact int8 takes the float weights: a level more or less here and there.
    assert np.abs(shown - today).mean() < 0.25, "run 'make figures' and commit it"
