"""The pictures in the documentation were made by the models that ship."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hyperfocal
from hyperfocal.models.card import ModelCard
from hyperfocal.models.registry import SHIPPED

pytest.importorskip("onnx")

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import before_after  # noqa: E402
import curve_pictures  # noqa: E402
import page_pictures  # noqa: E402
import stamp  # noqa: E402
from model_pages import page  # noqa: E402

CARDS = [card for card in map(ModelCard.read, sorted(SHIPPED.glob("*.toml"))) if card.weights]
RESTORES = page_pictures.MODEL
SHA = {card.name: card.weights["int8"].sha256 for card in CARDS}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_picture_of_a_model_is_of_its_weights(card: ModelCard) -> None:
    made_by = stamp.read(ROOT / "docs" / "images" / "models" / f"{card.name}.webp")
    assert made_by == SHA[card.name], "run 'make figures' and commit it"


def test_the_picture_of_the_readme_is_what_comes_out_today() -> None:
    shown = np.asarray(Image.open(before_after.OUT).convert("RGB"), np.int16)
    today = np.asarray(before_after.compose(before_after.panels("restore-fast")), np.int16)
    # A processor without exact int8 takes the float weights: a level more or less here and there.
    assert np.abs(shown - today).mean() < 0.25, "run 'make figures' and commit it"


@pytest.mark.parametrize("name", sorted(page_pictures.RESULTS))
def test_a_result_on_the_page_is_of_the_weights_that_ship(name: str) -> None:
    made_by = stamp.read(page_pictures.OUT / f"{name}.webp")
    if not made_by:
        pytest.skip("made before pictures of the page told their weights")
    assert made_by == SHA[RESTORES], "run 'make screens' and commit it"


def test_pictures_of_the_page_tell_the_weights_of_results_alone(tmp_path: Path) -> None:
    taken = Image.new("RGBA", (8, 8))
    assert {"result", "close", "dark", "feedback", "phone-result"} == page_pictures.RESULTS
    assert stamp.read(page_pictures.keep(taken, "result", tmp_path)) == SHA[RESTORES]
    assert stamp.read(page_pictures.keep(taken, "empty", tmp_path)) == ""


def test_the_page_takes_that_model_for_the_sample() -> None:
    up = hyperfocal.Upscaler.load("auto")
    assert up(hyperfocal.open(page_pictures.SAMPLE)).models == (RESTORES,)


@pytest.fixture
def curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of curves of photo-fast-x2, and a folder for its picture."""
    monkeypatch.setattr(curve_pictures, "CURVES", tmp_path)
    monkeypatch.setattr(curve_pictures, "OUT", tmp_path)
    monkeypatch.setattr(curve_pictures, "ROOT", tmp_path)
    file = tmp_path / "photo-fast-x2.csv"
    file.write_text("epoch,step,val_psnr\n0,499,34.5\n1,999,34.75\n")
    return file


def drawn(curves: Path, monkeypatch: pytest.MonkeyPatch, digest: str) -> str:
    """Draw where that is due, with such weights; what the picture tells."""
    monkeypatch.setattr(curve_pictures, "weights", lambda *names: dict.fromkeys(names, digest))
    curve_pictures.main()
    return stamp.read(curves.with_suffix(".webp"))


def test_a_picture_of_curves_tells_of_which_weights_they_are(
    curves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("lightning", reason="the training extra is not installed")
    pytest.importorskip("matplotlib")
    (card,) = (card for card in CARDS if card.name == "photo-fast-x2")
    first = drawn(curves, monkeypatch, "0" * 64)
    assert first.startswith("0" * 64)
    # Weights that came without curves of their own.
    assert drawn(curves, monkeypatch, SHA[card.name]) == first
    path = curves.with_suffix(".webp")
    assert "earlier version" in curve_pictures.version(card, path)
    curves.write_text(curves.read_text() + "2,1499,35.0\n")
    assert drawn(curves, monkeypatch, SHA[card.name]).startswith(SHA[card.name])
    step = f"{card.training.steps:,}"
    for others, which in (
        ("", f"those of its step {step}"),
        ("a.onnx", f"the mean of those of its step {step} and of others (a.onnx)"),
    ):
        training = card.training.model_copy(update={"averaged_with": others})
        told = curve_pictures.version(card.model_copy(update={"training": training}), path)
        assert told.endswith(f"The weights are {which}.")
    Image.new("RGB", (8, 8)).save(path)
    assert "does not tell which" in curve_pictures.version(card, path)


def test_curves_are_those_that_are_kept() -> None:
    """Pictures of curves whose figures are in the checkout are drawn from these."""
    for file in curve_pictures.CURVES.glob("*.csv"):
        told = stamp.read(curve_pictures.OUT / f"{file.stem}.webp")
        assert told.endswith(curve_pictures.digest(file)), "run 'make figures' and commit it"
    # All that are shown belong to a model.
    assert {path.stem for path in curve_pictures.OUT.glob("*.webp")} <= SHA.keys()


def test_the_page_says_how_published_nets_were_measured() -> None:
    text = " ".join(page().split())
    assert "in bf16, which costs them 0.002 to 0.013 dB, the median of 5 runs" in text
    assert "in int8, the median of 20 runs" in text
    assert "typed into `tools/peers.toml`" in text
