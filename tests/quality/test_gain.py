"""What restoring a picture is expected to gain."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyperfocal.errors import ArrayError
from hyperfocal.quality.gain import SIDE, SQUARES, GainNet, expected_gain, read, squares
from hyperfocal.quality.traces import traces

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import mishaps

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    """256x256, reduced from a picture that no net has seen."""
    original = Image.open(ROOT / "examples" / "astronaut-original.webp").convert("RGB")
    return mishaps.reduced(original, 2)


def expected(picture: Image.Image) -> float:
    found = expected_gain(np.asarray(picture))
    assert found is not None
    return found


def test_a_clean_photograph_gains_nothing(photograph: Image.Image) -> None:
    assert expected(photograph) < -0.5
    assert expected(photograph.convert("L")) < -0.5


@pytest.mark.parametrize(
    "kind",
    [
        "JPEG 75",
        "cut from a JPEG 60, then JPEG 95",
        "noise of 4 levels",
        "noise of 6 levels, then JPEG 92",
        "shot noise, 800 electrons",
        "sharpened, radius 1, 100 %",
        "sharpened, radius 1, 100 %, then JPEG 90",
        "as a phone does, then JPEG 92",
        "blurred by 0.8 pixels",
        "enlarged before, 1.5 times",
        "printed",
    ],
)
def test_a_damaged_one_gains(photograph: Image.Image, kind: str) -> None:
    damaged = mishaps.KINDS[kind].of(photograph, np.random.default_rng(0))
    assert expected(damaged) > 0.3


def test_the_more_it_was_sharpened_the_more_it_gains(photograph: Image.Image) -> None:
    found = [expected(mishaps.sharpened(photograph, 1.0, amount)) for amount in (0, 50, 100, 200)]
    assert found == sorted(found)


def test_depth_is_no_matter(photograph: Image.Image) -> None:
    pixels = np.asarray(photograph)
    want = expected_gain(pixels)
    assert expected_gain(pixels.astype(np.uint16) * 257) == want
    assert expected_gain(pixels / np.float32(255.0)) == want
    beyond = np.where(pixels == 255, 7.0, pixels / 255.0)
    assert expected_gain(beyond) == want


def test_grey_is_as_three_equal_colours(photograph: Image.Image) -> None:
    grey = np.asarray(photograph.convert("L"))
    assert expected_gain(grey) == expected_gain(np.stack([grey] * 3, axis=-1))


def test_hidden_pixels_have_no_say(photograph: Image.Image) -> None:
    pixels = np.asarray(photograph).copy()
    visible = np.ones(pixels.shape[:2], bool)
    visible[100:, 100:] = False
    want = expected_gain(pixels, visible)
    pixels[~visible] = np.random.default_rng(3).integers(0, 256, (int((~visible).sum()), 3))
    assert expected_gain(pixels, visible) == want != expected_gain(pixels)


@pytest.mark.parametrize("shape", [(63, 300), (300, 63), (1, 1)])
def test_of_little_nothing_is_expected(shape: tuple[int, int]) -> None:
    assert expected_gain(np.zeros((*shape, 3), np.uint8)) is None


def test_where_nothing_is_whole_nothing_is_expected() -> None:
    visible = np.indices((200, 200)).sum(axis=0) % 2 == 0
    assert expected_gain(np.zeros((200, 200, 3), np.uint8), visible) is None


def test_squares_lie_evenly_and_inside() -> None:
    rows, columns = np.indices((500, 130)) // 2
    found = squares(np.stack([rows, columns, rows], axis=-1).astype(np.uint8))
    assert found is not None
    assert found.shape == (SQUARES * 2, SIDE, SIDE, 3)
    assert {float(square[0, 0, 0]) for square in found} == {0.0, 109.0, 218.0}
    assert {float(square[0, 0, 1]) for square in found} == {0.0, 33.0}


def test_one_colour_and_noise_have_traces_that_are_numbers() -> None:
    generator = np.random.default_rng(0)
    for pixels in (
        np.zeros((128, 128, 3), np.uint8),
        np.full((128, 128, 3), 255, np.uint8),
        generator.integers(0, 256, (128, 128, 3)).astype(np.uint8),
    ):
        found = squares(pixels)
        assert found is not None
        assert np.isfinite(traces(found)).all()
        assert np.isfinite(expected(Image.fromarray(pixels)))


def test_arrays_that_are_no_pictures_are_refused() -> None:
    with pytest.raises(ArrayError):
        expected_gain(np.zeros((100, 100, 7), np.uint8))
    with pytest.raises(ArrayError, match="finite"):
        expected_gain(np.full((100, 100, 3), np.nan, np.float32))


def test_nets_answer_with_the_mean_of_each() -> None:
    generator = np.random.default_rng(4)
    layers = tuple(
        (
            generator.normal(size=(3, of, to)).astype(np.float32),
            generator.normal(size=(3, 1, to)).astype(np.float32),
        )
        for of, to in ((5, 4), (4, 2), (2, 1))
    )
    net = GainNet(np.arange(5, dtype=np.float32), np.full(5, 2.0, np.float32), layers)
    entering = generator.normal(size=5).astype(np.float32)
    answers = []
    for at in range(3):
        x = (entering - net.means) / net.deviations
        for kernel, bias in layers[:-1]:
            x = np.maximum(x @ kernel[at] + bias[at, 0], 0.0)
        answers.append(float((x @ layers[-1][0][at] + layers[-1][1][at, 0])[0]))
    assert net(entering) == pytest.approx(np.mean(answers), rel=1e-5)
    assert read(net.arrays())(entering) == net(entering)
