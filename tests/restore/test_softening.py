"""With a depth map, what was out of focus stays so, and all else is as without one."""

from dataclasses import replace

import numpy as np
import pytest
from skimage.filters import gaussian

import hyperfocal
from hyperfocal import Picture
from hyperfocal.depth import by_depth
from hyperfocal.errors import Cancelled, GarbledOutput, UsageError
from hyperfocal.quality.metrics import psnr
from hyperfocal.quality.resize import imresize
from hyperfocal.restore import soften as softening
from hyperfocal.restore.upscaler import Upscaler
from hyperfocal.settings import Settings

HEIGHT, WIDTH = 160, 240


def smoothed(pixels, sigma):
    return gaussian(pixels.astype(np.float64), sigma, mode="nearest", channel_axis=2)


class Sharpening:
    """Enlarges, and takes blur away wherever it is, as nets do that were taught so."""

    precision = "float"

    def __init__(self, replicate, takes_depth=True):
        card = replicate(2, name="sharpening-x2").card
        self.card = card.model_copy(update={"takes_depth": takes_depth, "receptive_radius": 16})

    def run(self, tile):
        full = 255.0 if tile.dtype == np.uint8 else 1.0
        made = imresize(tile.astype(np.float64) / full, 2)
        made = np.clip(made + 2 * (made - smoothed(made, 2)), 0, 1)
        if tile.dtype == np.uint8:
            return np.rint(made * 255).astype(np.uint8)
        return made.astype(np.float32)


@pytest.fixture
def sharpening(replicate):
    return Upscaler(Sharpening(replicate))


@pytest.fixture(scope="module")
def scene():
    """The truth, what a camera made of it, and how far things are: the right half is soft."""
    random = np.random.default_rng(0)
    sharp = np.full((2 * HEIGHT, 2 * WIDTH, 3), 128.0)
    for _ in range(1200):
        top, left = random.integers(-8, 2 * HEIGHT), random.integers(-8, 2 * WIDTH)
        tall, wide = random.integers(10, 48, 2)
        sharp[max(top, 0) : top + tall, max(left, 0) : left + wide] = random.uniform(20, 235, 3)
    truth = sharp.copy()
    truth[:, WIDTH:] = smoothed(sharp, 4)[:, WIDTH:]
    small = np.rint(np.clip(imresize(truth, 0.5), 0, 255)).astype(np.uint8)
    depth = np.ones((HEIGHT, WIDTH), np.float32)
    depth[:, WIDTH // 2 :] = 7
    return np.rint(truth).astype(np.uint8), small, depth


def test_the_soft_half_stays_soft_and_the_other_is_left_alone(sharpening, scene):
    truth, small, depth = scene
    picture = Picture(small)
    without, held = sharpening(picture), sharpening(picture, depth=depth)
    soft, sharp = np.s_[:, WIDTH + 40 :], np.s_[:, : WIDTH - 4]
    gain = psnr(held.picture.pixels[soft], truth[soft]) - psnr(
        without.picture.pixels[soft], truth[soft]
    )
    assert gain > 6
    np.testing.assert_array_equal(held.picture.pixels[sharp], without.picture.pixels[sharp])
    assert held.fidelity.consistency_db > without.fidelity.consistency_db + 0.2


def test_the_result_tells_what_the_map_was_good_for(sharpening, scene):
    _, small, depth = scene
    result = sharpening(Picture(small), depth=depth)
    assert result.depth.source == "given"
    assert result.depth.is_used
    assert result.depth.share == pytest.approx(0.5, abs=0.05)
    assert result.depth.blur == pytest.approx(2, rel=0.3)
    assert 1 < result.depth.given_back < 4
    assert result.timings.depth > 0
    assert result.depth.to_dict() == {
        "source": "given",
        "used": True,
        "share": round(result.depth.share, 3),
        "blur": round(result.depth.blur, 2),
        "given_back": round(result.depth.given_back, 2),
    }


def test_the_map_in_the_pictures_file_is_taken_unless_it_is_refused(sharpening, scene):
    _, small, depth = scene
    picture = Picture(small, depth_map=depth)
    embedded = sharpening(picture)
    assert embedded.depth.source == "embedded"
    given = sharpening(Picture(small), depth=depth)
    np.testing.assert_array_equal(embedded.picture.pixels, given.picture.pixels)
    refused = sharpening(picture, depth=False)
    assert refused.depth is None
    assert refused.timings.depth == 0
    plain = sharpening(Picture(small))
    np.testing.assert_array_equal(refused.picture.pixels, plain.picture.pixels)
    # One that is given goes before the one in the file.
    flat = sharpening(picture, depth=np.ones_like(depth))
    assert flat.depth.source == "given"
    np.testing.assert_array_equal(flat.picture.pixels, plain.picture.pixels)


def test_models_that_leave_blur_alone_need_no_map(replicate, scene):
    _, small, depth = scene
    upscaler = Upscaler(Sharpening(replicate, takes_depth=False))
    result = upscaler(Picture(small), depth=depth)
    assert (result.depth.is_used, result.depth.share, result.depth.blur) == (False, 0.0, 0.0)
    plain = upscaler(Picture(small))
    np.testing.assert_array_equal(result.picture.pixels, plain.picture.pixels)


def test_only_models_that_take_blur_away_say_so():
    for card in hyperfocal.models.list():
        assert card.takes_depth == card.name.startswith("restore-"), card.name


@pytest.mark.parametrize("kind", ["uint16", "float32", "grey", "alpha"])
def test_every_kind_of_picture(sharpening, scene, kind):
    truth, small, depth = scene
    alpha = None
    if kind == "grey":
        truth, small = (np.rint(each.mean(axis=2)).astype(np.uint8) for each in (truth, small))
    elif kind == "uint16":
        truth, small = (each.astype(np.uint16) * np.uint16(257) for each in (truth, small))
    elif kind == "float32":
        truth, small = (each.astype(np.float32) / np.float32(255) for each in (truth, small))
    else:
        alpha = np.full(small.shape[:2], 255, np.uint8)
        alpha[:30] = 0
    picture = Picture(small, alpha)
    without, held = sharpening(picture), sharpening(picture, depth=depth)
    assert held.picture.pixels.dtype == small.dtype
    soft = np.s_[80:, WIDTH + 40 :]
    assert psnr(held.picture.pixels[soft], truth[soft]) > 5 + psnr(
        without.picture.pixels[soft], truth[soft]
    )


def test_a_lamp_of_any_brightness_spoils_nothing(sharpening, scene):
    _, small, depth = scene
    unit = small.astype(np.float32) / np.float32(255)
    unit[50:54, 200:204] = 3e38
    found = sharpening(Picture(unit), depth=depth).picture.pixels
    assert np.isfinite(found).all()


def test_a_lamp_shines_as_without_a_map(sharpening, scene):
    """The net has not seen what is brighter than white, so it has taken nothing away there."""
    _, small, depth = scene
    unit = small.astype(np.float32) / np.float32(255)
    unit[50:54, 200:204] = 40
    held, plain = (sharpening(Picture(unit), depth=each).picture.pixels for each in (depth, False))
    assert held.max() > 38
    lamp = np.s_[100:108, 400:408]
    np.testing.assert_allclose(held[lamp], plain[lamp], rtol=0.02)
    far = np.s_[:60]
    flat = sharpening(Picture(small.astype(np.float32) / np.float32(255)), depth=depth)
    np.testing.assert_allclose(held[far], flat.picture.pixels[far], atol=0.02)


def test_colour_that_nobody_sees_has_no_say(sharpening, scene):
    _, small, depth = scene
    alpha = np.full(small.shape[:2], 255, np.uint8)
    alpha[60:100, 30:90] = 0
    noisy = small.copy()
    random = np.random.default_rng(1)
    noisy[60:100, 30:90] = random.integers(0, 256, (40, 60, 3), np.uint8)
    found = [sharpening(Picture(pixels, alpha), depth=depth) for pixels in (small, noisy)]
    np.testing.assert_array_equal(found[0].picture.pixels, found[1].picture.pixels)
    assert found[0].depth == found[1].depth


@pytest.mark.parametrize("scale", [1, 1.5, 2])
def test_any_scale(sharpening, scene, scale):
    _, small, depth = scene
    result = sharpening(Picture(small), scale, depth=depth)
    assert result.picture.pixels.shape[:2] == (round(HEIGHT * scale), round(WIDTH * scale))
    without = sharpening(Picture(small), scale)
    assert result.fidelity.consistency_db > without.fidelity.consistency_db


def test_little_memory_and_strips_change_nothing(sharpening, scene, monkeypatch):
    _, small, depth = scene
    expected = sharpening(Picture(small), depth=depth).picture.pixels
    monkeypatch.setattr(softening, "_BAND", 1)
    monkeypatch.setattr(softening, "_ROWS", 9)
    few = Upscaler(sharpening._shelf.get(2), Settings.read({}, memory=1))
    found = few(Picture(small), depth=depth).picture.pixels
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("blur", [0.0, 0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_every_blur_comes_out_as_a_gaussian_of_its_width(blur, channels):
    point = np.zeros((61, 61, *channels), np.float32)
    point[30, 30] = 1
    asked = np.full((61 - 14, 61 - 14), blur, np.float32)
    across = softening._smoothed(point, asked, 1.0).reshape(47, 47, -1)[..., 0].sum(axis=0)
    at = np.arange(47) - 23
    assert across.sum() == pytest.approx(1)
    assert (across * at**2).sum() == pytest.approx(blur**2, rel=0.01, abs=1e-6)


@pytest.mark.parametrize("scale", [2.0, 3.7, 8.0])
def test_nor_does_it_matter_how_far_it_is_enlarged(scale):
    border = sum(softening._steps(scale))
    point = np.zeros((4 * border + 1,) * 2, np.float32)
    point[2 * border, 2 * border] = 1
    at = np.arange(2 * border + 1) - border
    for blur in (0.6, 2.0, 3.2):
        asked = np.full((2 * border + 1,) * 2, blur * scale, np.float32)
        across = softening._smoothed(point, asked, scale).sum(axis=0)
        assert across.sum() == pytest.approx(1, abs=0.01)
        assert (across * at**2).sum() == pytest.approx((blur * scale) ** 2, rel=0.02)


def test_what_lies_beyond_the_input_is_softened_as_well(replicate, scene):
    """Edges that a net made have more than the input can hold, and that has to go, too."""
    truth, small, depth = scene
    net = Sharpening(replicate)
    sharpened = net.run

    def harder(tile):
        made = sharpened(tile).astype(np.float64)
        rows, columns = np.indices(made.shape[:2])
        made += np.where((rows + columns) % 2, 6.0, -6.0)[..., None]
        return np.rint(np.clip(made, 0, 255)).astype(np.uint8)

    net.run = harder
    made, without = (
        Upscaler(net)(Picture(small), depth=each).picture.pixels for each in (depth, False)
    )
    soft = np.s_[8:-8, WIDTH + 40 : -8]

    def fine(pixels):
        low = imresize(pixels.astype(np.float64), 0.5)
        return np.sqrt(np.square((pixels - imresize(low, 2))[soft]).mean())

    assert fine(without) > 5
    assert fine(truth) < 0.5
    assert fine(made) < 1


def test_a_net_that_took_no_blur_away_is_left_alone(replicate, scene):
    _, small, depth = scene
    net = replicate(2)
    net.card = net.card.model_copy(update={"takes_depth": True})
    held, plain = (Upscaler(net)(Picture(small), depth=each) for each in (depth, False))
    np.testing.assert_array_equal(held.picture.pixels, plain.picture.pixels)
    assert held.depth.share == pytest.approx(0.5, abs=0.05)
    assert held.depth.given_back == 0


def test_garbage_is_told_before_it_is_bent(replicate, scene):
    _, small, depth = scene
    net = Sharpening(replicate)
    net.run = lambda tile: np.zeros((tile.shape[0] * 2, tile.shape[1] * 2, 3), tile.dtype)
    with pytest.raises(GarbledOutput):
        Upscaler(net)(Picture(small), depth=depth)


def test_it_can_be_cancelled(sharpening, scene):
    _, small, depth = scene
    asked = []

    def cancel():
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(Cancelled):
        sharpening(Picture(small), depth=depth, cancel=cancel)


def test_a_map_of_another_picture_is_refused(sharpening, scene):
    _, small, depth = scene
    with pytest.raises(UsageError, match="other proportions"):
        sharpening(Picture(small), depth=depth.T)
    with pytest.raises(UsageError, match="other proportions"):
        sharpening(replace(Picture(small), depth_map=np.ascontiguousarray(depth.T)))


def test_back_projection_comes_after(sharpening, scene):
    _, small, depth = scene
    held = sharpening(Picture(small), depth=depth)
    bent = sharpening(Picture(small), depth=depth, back_project=45)
    assert bent.projections > 0
    assert bent.fidelity.consistency_db > held.fidelity.consistency_db + 1


def test_the_one_function_takes_a_map_too(scene, tmp_path):
    _, small, depth = scene
    with_map = hyperfocal.upscale(small, model="restore-fast-x2", depth=depth)
    without = hyperfocal.upscale(small, model="restore-fast-x2")
    assert not np.array_equal(with_map, without)
    assert by_depth(small, depth).soft.share == pytest.approx(0.5, abs=0.05)
