"""A model named by its card's file, as a retraining leaves it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from calling import Photo, Run

from hyperfocal import Upscaler, imaging
from hyperfocal.errors import ModelBroken, ModelMissing
from hyperfocal.models.registry import SHIPPED
from hyperfocal.server.pool.models import Models
from hyperfocal.settings import Settings

NAME = "photo-realtime-x2"


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A shipped model's files, somewhere else and under another name."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for path in SHIPPED.glob(f"{NAME}.*"):
        shutil.copy(path, folder / path.name)
    made = folder / "mine-x2.toml"
    made.write_text((folder / f"{NAME}.toml").read_text().replace(f'"{NAME}"', '"mine-x2"'))
    return made


def test_a_card_is_a_model(run: Run, photo: Photo, card: Path) -> None:
    one = photo("a.png", 24, 32)
    answer = run("upscale", "-m", card, one, "--json")
    assert answer.code == 0
    assert "mine-x2" in str(answer.json["files"][0])
    made = imaging.inspect("a@2x.png")
    assert (made.width, made.height) == (64, 48)
    assert run("upscale", "-m", card, one, "--dry-run", "-o", "b.png").code == 0


def test_a_card_that_is_none(run: Run, photo: Photo, tmp_path: Path) -> None:
    one = photo("a.png")
    assert run("upscale", "-m", "nowhere.toml", one).code == 4
    (tmp_path / "bad.toml").write_text("name = 3")
    assert run("upscale", "-m", "bad.toml", one).code == 4
    with pytest.raises(ModelBroken):
        Upscaler.load(str(tmp_path / "bad.toml"))


def test_a_service_takes_names_only(card: Path, tmp_path: Path) -> None:
    models = Models(("bicubic-x2",), Settings(cache=tmp_path / "cache"))
    with pytest.raises(ModelMissing):
        models.choose(str(card))
