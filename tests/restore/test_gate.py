import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hyperfocal.errors import GarbledOutput
from hyperfocal.imaging.picture import Picture
from hyperfocal.restore.upscaler import Upscaler


def black(made):
    return np.zeros_like(made)


def negative(made):
    return 255 - made


def shuffled(made):
    return np.random.default_rng(0).permutation(made.reshape(-1, 3)).reshape(made.shape)


def rolled(made):
    return np.roll(made, 90, axis=1)


def one_part(made):
    spoiled = made.copy()
    spoiled[256:400, 300:440] = np.random.default_rng(0).integers(0, 256, (144, 140, 3))
    return spoiled


@pytest.mark.parametrize("change", [black, negative, shuffled, rolled, one_part])
def test_garbage_is_never_a_result(replicate, photo, change):
    picture = Picture(photo(240, 250))
    with pytest.raises(GarbledOutput):
        Upscaler(replicate(2, change=change))(picture, 2)


@pytest.mark.parametrize("scale", [1, 1.3])
def test_noise_reduced_again_is_no_garbage(scale):
    # Enlarging and reducing to less than the models' scale blurs; of noise little is left.
    noise = np.random.default_rng(0).integers(0, 256, (130, 140, 3), np.uint8)
    result = Upscaler.load("bicubic-x2")(Picture(noise), scale)
    assert result.fidelity.consistency_db < 25.0


def test_garbage_is_found_where_the_size_stays(replicate, photo):
    with pytest.raises(GarbledOutput):
        Upscaler(replicate(2, change=negative))(Picture(photo(240, 250)), 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(replicate, photo, bad):
    def spoil(made):
        made[3, 4, 1] = bad
        return made

    with pytest.raises(GarbledOutput, match="not numbers"):
        Upscaler(replicate(2, change=spoil))(Picture(photo(30, 30, dtype=np.uint16)), 2)


def test_garbage_is_not_bent_into_a_result(replicate, photo):
    with pytest.raises(GarbledOutput):
        Upscaler(replicate(2, change=negative))(Picture(photo(80, 80)), 2, back_project=40)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_flat_picture_is_a_picture(replicate, value):
    pixels = np.full((40, 40, 3), value, np.uint8)
    assert np.all(Upscaler(replicate(2))(Picture(pixels), 2).picture.pixels == value)


@settings(max_examples=40)
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 30), st.integers(1, 30), st.just(3)),
        elements=st.sampled_from([0, 1, 127, 254, 255]),
    ),
    st.sampled_from([1.0, 2.0, 3.7, 8.0]),
)
def test_no_picture_that_a_sound_model_makes_is_refused(conv_net, pixels, scale):
    Upscaler([conv_net(2), conv_net(4)])(Picture(pixels), scale)


@settings(max_examples=40)
@given(st.integers(0, 1000), st.sampled_from([0.002, 0.02, 0.3]), st.sampled_from([1.0, 2.0, 3.7]))
def test_nor_one_of_which_little_is_visible(conv_net, seed, share, scale):
    rng = np.random.default_rng(seed)
    pixels = rng.choice(np.array([0, 1, 127, 254, 255], np.uint8), (70, 60, 3))
    alpha = np.uint8(255) * (rng.random((70, 60)) < share)
    made = Upscaler([conv_net(2), conv_net(4)])(Picture(pixels, alpha), scale)
    assert made.fidelity.consistency_db > 0


def test_garbage_within_a_transparent_margin_is_garbage(replicate, photo):
    alpha = np.zeros((300, 300), np.uint8)
    alpha[100:160, 120:180] = 255
    with pytest.raises(GarbledOutput, match="does not resemble the input"):
        Upscaler(replicate(2, change=negative))(Picture(photo(300, 300), alpha))


@pytest.mark.parametrize("period", [1, 2, 3])
def test_patterns_that_enlarging_blurs_are_not_refused(conv_net, period):
    grid = (np.indices((130, 130)) // period).sum(0) % 2 * 255
    pixels = np.repeat(grid[..., None], 3, 2).astype(np.uint8)
    Upscaler(conv_net(2))(Picture(pixels), 2)
    Upscaler.load("bicubic-x4")(Picture(pixels), 4)


@pytest.mark.parametrize("large", [1e6, 1064322.75, 1e7])
def test_rounding_of_large_floats_is_no_garbage(large):
    pixels = np.repeat(np.linspace(0.0, 1.0, 240, dtype=np.float32)[:, None], 240, axis=1)
    pixels[:130, :130] = large
    result = Upscaler.load("photo-realtime-x4", precision="float")(Picture(pixels), 4)
    assert result.picture.pixels.max() == pytest.approx(large)


@pytest.mark.parametrize("brightest", [1.0, 3.0, 1000.0])
def test_garbage_beside_a_bright_lamp_is_garbage(replicate, brightest):
    def noise(made):
        return np.random.default_rng(0).random(made.shape, np.float32)

    board = np.kron(np.indices((16, 16)).sum(axis=0) % 2, np.ones((8, 8)))
    pixels = np.repeat(board[:, :, None], 3, axis=2).astype(np.float32)
    pixels[0, 0] = brightest
    with pytest.raises(GarbledOutput, match="does not resemble the input"):
        Upscaler(replicate(2, change=noise))(Picture(pixels), 2)
    assert Upscaler(replicate(2))(Picture(pixels), 2).picture.pixels.max() <= brightest
