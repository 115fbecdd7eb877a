import json

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from hyperfocal import models
from hyperfocal.errors import (
    GarbledOutput,
    InputError,
    InputMissing,
    ModelMissing,
    PairMismatch,
    SettingsError,
    UsageError,
)
from hyperfocal.evaluate import evaluate, find_suite
from hyperfocal.evaluate.pairs import read_example
from hyperfocal.evaluate.run import measure, measure_bicubic
from hyperfocal.quality import DECIBEL_CAP, imresize
from hyperfocal.quality.luma import luma
from hyperfocal.settings import Settings


def test_bicubic_through_the_engine_scores_as_bicubic_by_itself(originals):
    seen = []
    report = evaluate(originals, "bicubic-x2", on_image=lambda *news: seen.append(news))
    assert (report.suite, report.model, report.scale) == ("Small", "bicubic-x2", 2)
    assert (report.precision, report.low_resolution) == ("float", "made")
    assert [image.name for image in report.images] == ["a", "b", "c"]
    # The engine computes in float32: a sample in thousands rounds the other way.
    assert report.mean.psnr == pytest.approx(report.bicubic.psnr, abs=0.02)
    assert report.mean.ssim == pytest.approx(report.bicubic.ssim, abs=1e-3)
    assert report.mean.consistency > 30
    assert report.mean.milliseconds > 0
    assert report.protocol_check.passed is None
    assert [(score.name, done, total) for score, done, total in seen] == [
        ("a", 1, 3),
        ("b", 2, 3),
        ("c", 3, 3),
    ]


def test_the_means_are_those_of_the_pictures(originals):
    report = evaluate(originals, "bicubic-x4")
    for figure in ("psnr", "ssim", "mse", "snr", "consistency", "milliseconds"):
        expected = np.mean([getattr(image, figure) for image in report.images])
        assert getattr(report.mean, figure) == pytest.approx(expected)
    assert report.bicubic.psnr == pytest.approx(np.mean([i.bicubic_psnr for i in report.images]))
    assert report.bicubic.ssim == pytest.approx(np.mean([i.bicubic_ssim for i in report.images]))


def test_the_scale_is_shaved_off_and_luma_scored(originals):
    high = np.asarray(Image.open(originals / "a.png"))
    inner = (slice(3, -3),) * 2
    made = imresize(imresize(high, 1 / 3), 3)
    expected = peak_signal_noise_ratio(luma(high)[inner], luma(made)[inner], data_range=255)
    _, bicubic = measure_bicubic(find_suite(originals, 3), 3)
    assert bicubic[0].psnr == pytest.approx(expected)


def test_the_report_is_json(originals):
    report = evaluate(originals, "bicubic-x2", first=2)
    read = json.loads(report.to_json())
    assert {"suite", "model", "scale", "mean", "bicubic", "images"} <= read.keys()
    assert {"psnr", "ssim"} <= read["mean"].keys()
    assert [image["name"] for image in read["images"]] == ["a", "b"]
    assert read["images"][0]["bicubic_psnr"] == report.images[0].bicubic_psnr
    assert read["protocol_check"]["passed"] is None


def test_given_low_resolution_pictures_are_used(paired):
    report = evaluate(paired, "bicubic-x2")
    assert report.low_resolution == "given"
    assert report.protocol_check.passed is None
    for path in (paired / "LR_bicubic" / "X2").iterdir():
        pixels = np.asarray(Image.open(path))
        Image.fromarray(np.uint8(pixels // 32 * 32)).save(path)
    assert evaluate(paired, "bicubic-x2").mean.psnr < report.mean.psnr - 1


def test_a_model_that_knows_the_truth_scores_the_cap(originals):
    suite = find_suite(originals, 2)
    truth = {example.low.tobytes(): example.high for example in examples(suite, 2)}
    _, bicubic = measure_bicubic(suite, 2)
    found = list(measure(suite, lambda low: truth[low.tobytes()], 2, bicubic))
    assert {image.psnr for image in found} == {DECIBEL_CAP}
    assert all(image.bicubic_psnr < 60 for image in found)


def test_grey_pictures_reach_the_model_grey_and_are_scored_grey(tmp_path, make_scene):
    Image.fromarray(make_scene(1, grey=True)).save(tmp_path / "a.png")
    shapes = []

    def enlarge(low):
        shapes.append(low.shape)
        return low.repeat(2, 0).repeat(2, 1)

    suite = find_suite(tmp_path, 2)
    _, bicubic = measure_bicubic(suite, 2)
    (found,) = measure(suite, enlarge, 2, bicubic)
    assert set(shapes) == {(24, 30)}
    high = make_scene(1, grey=True).astype(np.float64)
    low = imresize(make_scene(1, grey=True), 0.5)
    error = (low.repeat(2, 0).repeat(2, 1) - high)[2:-2, 2:-2]
    assert found.mse == pytest.approx(np.mean(error**2))
    assert evaluate(tmp_path, "bicubic-x2").mean.psnr == pytest.approx(bicubic[0].psnr, abs=0.05)


def examples(suite, scale):
    return [read_example(pair, scale) for pair in suite.pairs]


def test_swapped_low_resolution_pictures_are_refused(paired):
    low = paired / "LR_bicubic" / "X2"
    other = np.asarray(Image.open(low / "bx2.png"))
    Image.fromarray(other).save(low / "ax2.png")
    with pytest.raises(PairMismatch, match=r"ax2\.png does not show what .*a\.png shows"):
        evaluate(paired, "bicubic-x2")


def test_a_known_suite_that_is_not_what_it_says_is_refused(originals):
    for name in ("d", "e"):
        (originals / f"{name}.png").write_bytes((originals / "a.png").read_bytes())
    impostor = originals.rename(originals.with_name("Set5"))
    with pytest.raises(PairMismatch, match="not those of the literature"):
        evaluate(impostor, "bicubic-x2")


def test_a_wrongly_sized_result_is_an_error(originals):
    suite = find_suite(originals, 2)
    _, bicubic = measure_bicubic(suite, 2)
    with pytest.raises(GarbledOutput, match="the model gave"):
        list(measure(suite, lambda low: low, 2, bicubic))


@pytest.mark.parametrize("first", [0, -1])
def test_a_count_of_none_is_refused(originals, first):
    with pytest.raises(UsageError, match="at least 1"):
        evaluate(originals, "bicubic-x2", first=first)


@pytest.mark.parametrize("scale", [1, 9, 2.5])
def test_a_scale_that_cannot_be_measured_is_refused(originals, scale):
    with pytest.raises(UsageError, match="whole scale from 2 to 8"):
        evaluate(originals, "bicubic-x2", scale)


def test_an_unknown_model_or_precision_or_suite(originals, monkeypatch):
    monkeypatch.delenv("HYPERFOCAL_DATA", raising=False)
    with pytest.raises(ModelMissing):
        evaluate(originals, "bicubik-x2")
    with pytest.raises(SettingsError):
        evaluate(originals, "bicubic-x2", precision="int3")
    with pytest.raises(InputMissing):
        evaluate("nowhere", "bicubic-x2")


def test_a_family_is_measured_under_the_name_of_the_member_that_runs(originals):
    report = evaluate(originals, "bicubic", 3)
    assert (report.model, report.scale) == ("bicubic-x3", 3)


@pytest.mark.parametrize("scale", [None, 3])
def test_an_alias_is_measured_under_the_name_of_what_runs(originals, tmp_path, scale):
    settings = Settings(models=tmp_path / "models")
    models.set_alias("champion", "bicubic", settings=settings)
    report = evaluate(originals, "champion", scale, settings=settings)
    assert (report.model, report.scale) == (f"bicubic-x{scale or 2}", scale or 2)
    models.set_alias("champion", "bicubic-x4", settings=settings)
    assert evaluate(originals, "champion", scale, settings=settings).model == "bicubic-x4"


def test_a_picture_too_small_to_be_scored_is_named(originals, make_scene):
    Image.fromarray(make_scene(9, 40, 14)).save(originals / "small.png")
    with pytest.raises(InputError, match=r"small has 14x40 pixels; at x2 .* from 15x15 on"):
        evaluate(originals, "bicubic-x2")
    Image.fromarray(make_scene(9, 40, 16)).save(originals / "small.png")
    assert evaluate(originals, "bicubic-x2").images[-1].name == "small"
