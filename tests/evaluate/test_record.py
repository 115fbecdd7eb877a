import dataclasses

import pytest

from hyperfocal.errors import ModelBroken, UsageError
from hyperfocal.evaluate import evaluate, record
from hyperfocal.models.card import ModelCard


@pytest.fixture
def report(originals):
    return evaluate(originals, "bicubic-x2")


@pytest.fixture
def card(tmp_path):
    path = tmp_path / "bicubic-x2.toml"
    ModelCard(name="bicubic-x2", kind="builtin", scale=2, purpose="to test").write(path)
    return path


def test_the_means_are_written_to_the_card(report, card):
    written = record(report, card)
    assert ModelCard.read(card) == written
    (entry,) = written.quality
    assert (entry.suite, entry.precision, entry.images) == ("Small", "float", 3)
    assert entry.psnr == round(report.mean.psnr, 3)
    assert entry.bicubic_ssim == round(report.bicubic.ssim, 4)
    assert written.purpose == "to test"


def test_the_same_measurement_is_replaced_and_others_kept(report, card):
    record(report, card)
    record(dataclasses.replace(report, precision="int8"), card)
    better = dataclasses.replace(report, mean=dataclasses.replace(report.mean, psnr=50.0))
    entries = record(better, card).quality
    assert [(entry.precision, entry.psnr == 50.0) for entry in entries] == [
        ("float", True),
        ("int8", False),
    ]


@pytest.mark.parametrize(
    "change", [{"model": "other-x2"}, {"scale": 4}, {"precision": "bf16"}, {"suite": "validation"}]
)
def test_a_report_that_does_not_belong_on_the_card_is_refused(report, card, change):
    before = card.read_bytes()
    with pytest.raises(UsageError):
        record(dataclasses.replace(report, **change), card)
    assert card.read_bytes() == before


def test_no_card(report, tmp_path):
    with pytest.raises(ModelBroken):
        record(report, tmp_path / "none.toml")
