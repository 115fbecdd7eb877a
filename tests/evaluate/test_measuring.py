"""Measuring a model wherever its card lies."""

import hashlib

import pytest
from onnx import TensorProto, helper

from hyperfocal.errors import InputMissing, UsageError
from hyperfocal.evaluate import SuiteChoice, evaluate, measure_quality, measure_speed, record_speed
from hyperfocal.evaluate.bench import Row
from hyperfocal.models.card import ModelCard, Weights
from hyperfocal.settings import Settings


@pytest.fixture
def card(tmp_path):
    """A card with float weights that repeat every pixel."""
    image, made = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, height, width])
        for name, height, width in (("image", "H", "W"), ("restored", "sH", "sW"))
    )
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1.0, 1.0, 2.0, 2.0])
    node = helper.make_node("Resize", ["image", "", "scales"], ["restored"], mode="nearest")
    graph = helper.make_graph([node], "squares", [image], [made], [scales])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    data = model.SerializeToString()
    (tmp_path / "squares-x2.float.onnx").write_bytes(data)
    weights = Weights(file="squares-x2.float.onnx", sha256=hashlib.sha256(data).hexdigest())
    path = tmp_path / "squares-x2.toml"
    ModelCard(name="squares-x2", scale=2, weights={"float": weights}).write(path)
    return path


@pytest.fixture
def settings(tmp_path):
    return Settings(cache=tmp_path / "cache", models=tmp_path / "none")


def test_quality_goes_onto_the_card(card, originals, settings):
    told = []
    suites = [SuiteChoice(str(originals)), SuiteChoice(str(originals), 2)]
    measured = measure_quality(card, suites, settings, on_report=told.append)
    assert ModelCard.read(card) == measured
    assert [(entry.suite, entry.images) for entry in measured.quality] == [
        ("Small", 2),
        ("Small", 3),
    ]
    want = evaluate(originals, str(card), settings=settings)
    assert measured.quality[1].psnr == round(want.mean.psnr, 3)
    assert [report.model for report in told] == ["squares-x2"] * 2


def test_speed_goes_onto_the_card(card, settings):
    rows = []
    measured = measure_speed(card, settings, side=24, runs=2, threads=1, on_row=rows.append)
    (entry,) = ModelCard.read(card).speed
    assert measured.speed == (entry,)
    assert (entry.precision, entry.side, entry.threads, entry.runs) == ("float", 24, 1, 2)
    assert entry.median == round(rows[0].median, 1)
    assert rows[0].model == "squares-x2"


def row(**changes):
    given = {
        "model": "squares-x2",
        "precision": "float",
        "scale": 2.0,
        "side": 512,
        "threads": 2,
        "runs": 20,
        "load": 9.0,
        "median": 30.0,
        "p95": 40.0,
        "net": 25.0,
        "with_png": 50.0,
        "with_jpeg": 45.0,
        "reference": 8.0,
        "peak_mb": None,
    }
    return Row(**{**given, **changes})


def test_the_same_bench_is_replaced_and_others_kept(card):
    record_speed(row(), "A", card)
    record_speed(row(threads=4), "A", card)
    record_speed(row(), "B", card)
    entries = record_speed(row(median=20.0), "A", card).speed
    assert [(entry.processor, entry.threads, entry.median) for entry in entries] == [
        ("A", 2, 20.0),
        ("A", 4, 30.0),
        ("B", 2, 30.0),
    ]


@pytest.mark.parametrize("change", [{"model": "other-x2"}, {"scale": 4.0}])
def test_figures_of_another_model_are_refused(card, change):
    with pytest.raises(UsageError, match="is the card of squares-x2 x2"):
        record_speed(row(**change), "A", card)


def test_a_suite_that_is_not_there(card, settings, tmp_path):
    with pytest.raises(InputMissing):
        measure_quality(card, [SuiteChoice(str(tmp_path / "nowhere"))], settings)


def test_reading_a_choice():
    assert SuiteChoice.read("Set5") == SuiteChoice("Set5")
    assert SuiteChoice.read("some/Urban100:20") == SuiteChoice("some/Urban100", 20)
    for text in ("", "Set5:0"):
        with pytest.raises(UsageError, match="is not a suite"):
            SuiteChoice.read(text)
