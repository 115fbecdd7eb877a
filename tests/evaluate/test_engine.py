"""The models that are measured."""

from __future__ import annotations

import pytest

from hyperfocal.errors import UsageError
from hyperfocal.evaluate.engine import load_upscaler
from hyperfocal.models.automatic import AUTOMATIC
from hyperfocal.settings import Settings


@pytest.mark.parametrize("name", AUTOMATIC)
def test_what_is_another_model_for_every_picture_cannot_be_measured(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is another one for every picture"):
        load_upscaler(name, Settings())
