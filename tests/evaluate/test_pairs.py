import numpy as np
import pytest
from PIL import Image

from hyperfocal.errors import InputMissing, PairMismatch
from hyperfocal.evaluate import Pair
from hyperfocal.evaluate.pairs import read_example
from hyperfocal.quality import imresize


@pytest.fixture
def save(tmp_path):
    def write(name, array):
        path = tmp_path / f"{name}.png"
        Image.fromarray(array).save(path)
        return path

    return write


def test_low_is_made_from_the_original_cropped_to_a_multiple(save, make_scene):
    high = make_scene(1, 50, 62)
    example = read_example(Pair("a", save("a", high)), 4)
    np.testing.assert_array_equal(example.high, high[:48, :60])
    np.testing.assert_array_equal(example.low, imresize(high[:48, :60], 0.25))
    assert example.low.dtype == np.uint8


def test_grey_stays_grey(save, make_scene):
    example = read_example(Pair("a", save("a", make_scene(1, grey=True))), 2)
    assert (example.low.shape, example.high.shape) == ((24, 30), (48, 60))


def test_hidden_colour_does_not_count(save, make_scene):
    """As where pictures are restored and compared."""
    scene, noise = make_scene(1), np.random.default_rng(0).integers(0, 256, (12, 60, 3), np.uint8)
    other = np.concatenate((noise, scene[12:]))
    alpha = np.full((*scene.shape[:2], 1), 255, np.uint8)
    alpha[:12] = 0
    first, second = (
        read_example(Pair("a", save("a", np.concatenate((pixels, alpha), axis=2))), 2)
        for pixels in (scene, other)
    )
    np.testing.assert_array_equal(first.high, second.high)
    np.testing.assert_array_equal(first.low, second.low)
    np.testing.assert_array_equal(first.high[12:], scene[12:])


def test_a_given_low_is_taken_and_the_original_cropped_to_it(save, make_scene):
    high = make_scene(1, 49, 61)
    low = imresize(high[:48, :60], 0.5)
    example = read_example(Pair("a", save("high", high), save("low", low)), 2)
    np.testing.assert_array_equal(example.low, low)
    np.testing.assert_array_equal(example.high, high[:48, :60])


def test_a_degraded_low_still_belongs(save, make_scene):
    high = make_scene(1)
    noise = np.random.default_rng(0).normal(0, 12, (24, 30, 3))
    low = np.uint8(np.clip(0.6 * imresize(high, 0.5) + 40 + noise, 0, 255))
    read_example(Pair("a", save("high", high), save("low", low)), 2)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda low, other: other,
        lambda low, other: low[::-1],
        lambda low, other: low[:, ::-1],
        lambda low, other: 255 - low,
        lambda low, other: np.full_like(low, 100),
        lambda low, other: low // 2 + other // 2,
    ],
    ids=["another picture", "upside down", "mirrored", "inverted", "blank", "double exposure"],
)
def test_a_low_that_shows_something_else_is_refused(save, make_scene, spoil):
    high = make_scene(1)
    low = spoil(imresize(high, 0.5), imresize(make_scene(2), 0.5))
    pair = Pair("a", save("high", high), save("low", np.ascontiguousarray(low)))
    with pytest.raises(PairMismatch, match=r"low\.png does not show what .*high\.png shows"):
        read_example(pair, 2)


@pytest.mark.parametrize(("down", "right"), [(0, 1), (-1, 0), (1, -1)])
def test_a_low_that_is_moved_by_a_pixel_is_refused(save, make_scene, down, right):
    high = make_scene(1)
    low = np.roll(imresize(high, 0.5), (down, right), (0, 1))
    pair = Pair("a", save("high", high), save("low", low))
    with pytest.raises(PairMismatch, match=rf"moved by about a pixel.*\{right:+d} across"):
        read_example(pair, 2)


@pytest.mark.parametrize("first", [0, 1])
def test_a_low_reduced_in_another_way_belongs(save, make_scene, first):
    """Every second pixel: a quarter of a pixel from where the mean of the four would be."""
    high = make_scene(1)
    low = high[first::2, first::2]
    read_example(Pair("a", save("high", high), save("low", np.ascontiguousarray(low))), 2)


def test_a_low_with_red_and_blue_swapped_is_refused(save, make_scene):
    high = make_scene(1)
    low = np.ascontiguousarray(imresize(high, 0.5)[..., ::-1])
    with pytest.raises(PairMismatch, match="red and blue swapped"):
        read_example(Pair("a", save("high", high), save("low", low)), 2)


@pytest.mark.parametrize(("tone", "fits"), [(100, True), (104, True), (140, False)])
def test_plain_pictures_are_compared_by_tone(save, tone, fits):
    high = np.full((20, 20, 3), 100, np.uint8)
    pair = Pair("a", save("high", high), save("low", np.full((10, 10, 3), tone, np.uint8)))
    if fits:
        read_example(pair, 2)
    else:
        with pytest.raises(PairMismatch, match="different tones"):
            read_example(pair, 2)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((12, 15), "that is x4, not x2"),
        ((48, 60), "that is x1, not x2"),
        ((24, 20), "not in proportion"),
    ],
)
def test_a_wrong_scale_is_refused(save, make_scene, size, said):
    high = make_scene(1)
    pair = Pair("a", save("high", high), save("low", imresize(high, size=size)))
    with pytest.raises(PairMismatch, match=said):
        read_example(pair, 2)


def test_grey_and_colour_do_not_pair(save, make_scene):
    pair = Pair("a", save("high", make_scene(1)), save("low", make_scene(1, 24, 30, grey=True)))
    with pytest.raises(PairMismatch, match="one is grey"):
        read_example(pair, 2)


def test_an_original_smaller_than_the_scale_is_refused(save):
    with pytest.raises(PairMismatch, match="smaller than 4x4"):
        read_example(Pair("a", save("a", np.zeros((3, 9, 3), np.uint8))), 4)


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputMissing):
        read_example(Pair("a", tmp_path / "none.png"), 2)
