"""What transparency hides has no say in the figures of a suite."""

import numpy as np
import pytest
from PIL import Image

from hyperfocal.evaluate import Pair, Suite
from hyperfocal.evaluate.pairs import read_example
from hyperfocal.evaluate.run import measure, measure_bicubic
from hyperfocal.quality import imresize
from hyperfocal.quality.fsim import fsim
from hyperfocal.quality.perceptual import gmsd, haarpsi
from hyperfocal.quality.resize import enlarge_bicubic


@pytest.fixture
def suite(tmp_path, make_scene):
    """One picture of which half is hidden, with an odd last row."""
    pixels = make_scene(1, 49, 60)
    alpha = np.full((49, 60, 1), 255, np.uint8)
    alpha[:, 30:] = 0
    Image.fromarray(np.concatenate((pixels, alpha), axis=2)).save(tmp_path / "a.png")
    return Suite("transparent", (Pair("a", tmp_path / "a.png"),))


def spoiled(low):
    made = enlarge_bicubic(low, 2)
    # Further off than a reduction looks.
    made[:, 44:] = 255 - made[:, 44:]
    return made


def figures(suite, enlarge):
    _, bicubic = measure_bicubic(suite, 2)
    (found,) = measure(suite, enlarge, 2, bicubic)
    return found.psnr, found.ssim, found.mse, found.snr, found.consistency


def test_a_model_is_not_scored_on_what_is_hidden(suite):
    assert figures(suite, spoiled) == figures(suite, lambda low: enlarge_bicubic(low, 2))


def test_bicubic_is_scored_on_what_is_visible(suite, make_scene):
    _, (found,) = measure_bicubic(suite, 2)
    example = read_example(suite.pairs[0], 2)
    made = enlarge_bicubic(example.low, 2)
    seen = np.abs(made[2:-2, 2:30].astype(float) - example.high[2:-2, 2:30]) @ (0.257, 0.504, 0.098)
    # Luma of absolute differences is at least that of differences.
    assert 0 < found.mse <= np.mean(seen**2)


def test_a_given_low_hides_too(tmp_path, make_scene):
    high = make_scene(1)
    alpha = np.full((24, 30, 1), 255, np.uint8)
    alpha[:5] = 0
    Image.fromarray(high).save(tmp_path / "high.png")
    low = np.concatenate((imresize(high, 0.5), alpha), axis=2)
    Image.fromarray(low).save(tmp_path / "low.png")
    example = read_example(Pair("a", tmp_path / "high.png", tmp_path / "low.png"), 2)
    assert example.visible is None
    np.testing.assert_array_equal(example.visible_low, alpha[..., 0] != 0)


def test_an_alpha_channel_that_hides_nothing_is_none(tmp_path, make_scene):
    alpha = np.full((48, 60, 1), 7, np.uint8)
    Image.fromarray(np.concatenate((make_scene(1), alpha), axis=2)).save(tmp_path / "a.png")
    example = read_example(Pair("a", tmp_path / "a.png"), 2)
    assert example.visible is example.visible_low is None


@pytest.mark.parametrize("figure", [gmsd, haarpsi, fsim])
@pytest.mark.parametrize("grey", [False, True])
def test_figures_close_to_the_eye_do_not_see_what_is_hidden(make_scene, figure, grey):
    wanted, made = make_scene(1, grey=grey), make_scene(2, grey=grey)
    visible = np.zeros(wanted.shape[:2], np.bool_)
    visible[:25, :40] = True
    other = made.copy()
    other[~visible] = 255
    found = figure(made, wanted, visible)
    assert figure(other, wanted, visible) == found != figure(made, wanted)
    perfect = figure(wanted, wanted)
    # Equal where it can be seen.
    assert figure(
        np.where(visible if grey else visible[..., None], wanted, made), wanted, visible
    ) == (pytest.approx(perfect, abs=1e-9))
    assert figure(made, wanted, ~(visible | ~visible)) == pytest.approx(perfect, abs=1e-9)
    assert figure(made, wanted, visible | True) == figure(made, wanted)
