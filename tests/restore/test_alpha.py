import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traced import peak_of

from hyperfocal.imaging.picture import Picture
from hyperfocal.restore.alpha import bleed
from hyperfocal.restore.upscaler import Upscaler


def shape_of_alpha(rng, height, width, share):
    """Blobs of full, partial and no transparency."""
    alpha = (rng.random((height, width)) * 255).astype(np.uint8)
    alpha[rng.random((height, width)) < share] = 0
    alpha[: height // 3] = 0
    return alpha


@settings(max_examples=40)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    share=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    scale=st.sampled_from([1.0, 2.0, 3.3, 5.0]),
    seed=st.integers(0, 1000),
    grey=st.booleans(),
)
def test_hidden_colour_never_reaches_a_visible_pixel(
    conv_net, height, width, share, scale, seed, grey
):
    rng = np.random.default_rng(seed)
    shape = (height, width) if grey else (height, width, 3)
    alpha = shape_of_alpha(rng, height, width, share)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    other = pixels.copy()
    other[alpha == 0] = rng.integers(0, 256, other[alpha == 0].shape)
    upscaler = Upscaler([conv_net(2), conv_net(4)])
    one, two = (upscaler(Picture(p, alpha), scale).picture for p in (pixels, other))
    visible = one.alpha > 0
    assert np.array_equal(one.alpha, two.alpha)
    assert np.array_equal(one.pixels[visible], two.pixels[visible])


def test_hidden_highlights_do_not_stretch_the_range_that_fidelity_is_measured_against(conv_net):
    pixels = np.random.default_rng(0).random((30, 30, 3)).astype(np.float32)
    alpha = np.ones((30, 30), np.float32)
    alpha[0, 0] = 0.0
    bright = pixels.copy()
    bright[0, 0] = 1000.0
    one, two = (Upscaler(conv_net(2))(Picture(given, alpha)) for given in (pixels, bright))
    assert two.fidelity == one.fidelity
    assert np.array_equal(two.picture.pixels, one.picture.pixels)
    assert two.picture.pixels.max() <= 1.0


def test_without_bleeding_it_would(conv_net):
    """The property above is not empty: the net does spread hidden colour."""
    pixels = np.full((20, 20, 3), 90, np.uint8)
    pixels[:10] = 255
    plain = conv_net(2).run(np.full((20, 20, 3), 90, np.uint8))
    assert not np.array_equal(conv_net(2).run(pixels)[20:], plain[20:])


def test_an_edge_keeps_its_colour_in_an_enlargement():
    """A red shape on hidden green stays red, in every visible pixel, whatever the resize."""
    alpha = np.zeros((40, 40), np.uint8)
    alpha[10:30, 10:30] = 255
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[..., 1] = 255
    pixels[10:30, 10:30] = (200, 0, 0)
    result = Upscaler.load("bicubic-x2")(Picture(pixels, alpha), 3).picture
    visible = result.pixels[result.alpha > 0]
    assert np.all(visible == (200, 0, 0))


def test_visible_pixels_stay_and_hidden_ones_get_their_neighbours_colour():
    alpha = np.zeros((600, 30), np.uint16)
    alpha[:, 12:18] = 1
    pixels = np.random.default_rng(0).integers(0, 65536, (600, 30, 3), dtype=np.uint16)
    pixels[:, 12:15] = (1000, 2000, 3000)
    pixels[:, 15:18] = (5000, 6000, 7000)
    out = bleed(pixels, alpha)
    assert np.array_equal(out[:, 12:18], pixels[:, 12:18])
    assert np.all(out[:, 4:12] == (1000, 2000, 3000))
    assert np.all(out[:, 18:26] == (5000, 6000, 7000))
    assert np.all(out[:, :4] == (3000, 4000, 5000))  # beyond reach: the mean of all


def test_strips_do_not_show(monkeypatch):
    rng = np.random.default_rng(3)
    alpha = shape_of_alpha(rng, 200, 50, 0.95)
    pixels = rng.random((200, 50, 3)).astype(np.float32)
    whole = bleed(pixels, alpha)
    monkeypatch.setattr("hyperfocal.restore.alpha._ROWS", 16)
    assert np.allclose(bleed(pixels, alpha), whole, atol=1e-6)


def test_nothing_hidden_is_nothing_to_do():
    pixels = np.zeros((5, 5), np.uint8)
    assert bleed(pixels, np.full((5, 5), 255, np.uint8)) is pixels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_all_hidden(dtype):
    pixels = np.ones((5, 5, 3), dtype)
    assert np.all(bleed(pixels, np.zeros((5, 5), dtype)) == 0)


def test_alpha_is_enlarged_like_bicubic_and_stays_in_range(conv_net, photo):
    alpha = np.zeros((30, 30), np.float32)
    alpha[8:20, 9:22] = 1
    result = Upscaler(conv_net(2))(Picture(photo(30, 30, dtype=np.float32), alpha), 2).picture
    assert result.alpha.shape == (60, 60)
    assert result.alpha.dtype == np.float32
    assert result.alpha.min() == 0.0
    assert result.alpha.max() == 1.0
    assert result.alpha[20:36, 22:40].min() > 0.95


def test_bleeding_takes_a_copy_and_little_more():
    """What is allowed for in the plan of a large picture within a memory budget."""
    pixels = np.zeros((3000, 1000, 3), np.uint8)
    alpha = np.zeros((3000, 1000), np.uint8)
    alpha[::100] = 255
    assert peak_of(lambda: bleed(pixels, alpha)) < pixels.nbytes + alpha.nbytes + 60 * 300 * 1000
