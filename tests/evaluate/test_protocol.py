import os

import pytest

from hyperfocal.errors import PairMismatch
from hyperfocal.evaluate import find_suite
from hyperfocal.evaluate.protocol import check_protocol, published
from hyperfocal.evaluate.run import measure_bicubic

DATA = os.environ.get("HYPERFOCAL_DATA")


def test_the_published_value_is_found_by_name_and_scale():
    found = published("set5", 2)
    assert (found.suite, found.images, found.psnr, found.ssim) == ("Set5", 5, 33.66, 0.9299)
    assert published("Set5", 8) is None
    assert published("holiday", 2) is None


@pytest.mark.parametrize("psnr", [33.61, 33.66, 33.70])
def test_a_score_near_the_published_one_passes(psnr):
    check = check_protocol("Set5", 2, 5, psnr)
    assert check.passed is True
    assert check.to_dict() == {
        "passed": True,
        "reason": f"bicubic scores {psnr:.2f} dB where 33.66 dB is published",
        "measured": psnr,
        "published": 33.66,
    }


@pytest.mark.parametrize(("images", "psnr"), [(5, 8.3), (5, 33.60), (5, 33.72), (6, 33.66)])
def test_a_score_off_the_published_one_is_refused(images, psnr):
    with pytest.raises(PairMismatch, match=r"33\.66 dB over 5 is published"):
        check_protocol("Set5", 2, images, psnr)


@pytest.mark.parametrize(
    ("suite", "scale", "images", "said"),
    [
        ("holiday", 2, 5, "no published value of bicubic for holiday x2"),
        ("Set5", 8, 5, "no published value"),
        ("Urban100", 2, 20, "only 20 of the 100"),
    ],
)
def test_where_nothing_is_published_nothing_is_claimed(suite, scale, images, said):
    check = check_protocol(suite, scale, images, 8.3)
    assert check.passed is None
    assert said in check.reason


@pytest.mark.skipif(not DATA, reason="HYPERFOCAL_DATA does not name a folder with eval/Set5 etc.")
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("suite", ["Set5", "BSD100", "Urban100"])
def test_bicubic_scores_what_the_literature_says(suite, scale):
    check, bicubic = measure_bicubic(find_suite(suite, scale), scale)
    assert check.passed is True
    mean = sum(score.ssim for score in bicubic) / len(bicubic)
    assert mean == pytest.approx(published(suite, scale).ssim, abs=2e-3)
