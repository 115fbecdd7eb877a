"""What a picture's edges tell of its focus, depth by depth."""

import numpy as np
import pytest
from scenes import blurred, boxes, two_planes

from hyperfocal.depth import by_depth, defocus
from hyperfocal.depth.defocus import SEEN


def halves(found, height, width):
    """Blur of the left and of the right half, away from the step between them."""
    blur = found.soft.rows(0, height, height, width)
    return blur[:, : width // 2 - 16], blur[:, width // 2 + 16 :]


@pytest.mark.parametrize("sigma", [1.5, 2.0, 3.0])
def test_the_far_half_is_as_blurred_as_it_was_made(sigma):
    picture, depth = two_planes(sigma)
    near, far = halves(by_depth(picture, depth), *depth.shape)
    assert near.max() < SEEN
    assert np.ptp(far) < 0.01
    assert far.mean() == pytest.approx(sigma, rel=0.3)


def test_a_stronger_blur_is_found_stronger():
    found = [by_depth(*two_planes(sigma)).soft.most for sigma in (1.0, 1.5, 2.0, 3.0)]
    assert found == sorted(found)
    assert found[-1] > 2 * found[0]


def test_share_and_most_tell_of_the_half_that_is_soft():
    found = by_depth(*two_planes()).soft
    assert found.share == pytest.approx(0.5, abs=0.05)
    assert found.most == found.blur.max()


def test_it_can_be_ended_between_bands(monkeypatch):
    monkeypatch.setattr(defocus, "_BAND", 1)
    picture, depth = two_planes()
    bands = -(-depth.shape[0] // defocus._ROWS)
    for last in range(1, bands + 1):
        asked = []

        def check(last=last, asked=asked):
            asked.append(1)
            if len(asked) == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            by_depth(picture, depth, check)
    asked = []
    found = by_depth(picture, depth, lambda: asked.append(1))
    assert len(asked) == bands
    found.taken(picture, 255.0, lambda: asked.append(1))
    assert len(asked) == 2 * bands


@pytest.mark.parametrize(
    "change",
    [
        lambda depth: -depth,
        lambda depth: 1 / depth,
        lambda depth: np.exp(depth) * 1000,
        lambda depth: (depth - 2) * np.float32(1e38),
    ],
)
def test_only_the_order_of_the_map_counts(change):
    picture, depth = two_planes()
    expected = by_depth(picture, depth)
    found = by_depth(picture, change(depth).astype(np.float32))
    np.testing.assert_allclose(found.soft.blur, expected.soft.blur, atol=0.02)


def ramped():
    """Two planes of many depths each, as a camera sees a floor: no two rows lie equally far."""
    picture, depth = two_planes()
    depth = depth * 10 + np.linspace(0, 2, depth.shape[0], dtype=np.float32)[:, None]
    return picture, depth


@pytest.mark.parametrize("stray", [0, 1e6, -1e6, 1e30])
@pytest.mark.parametrize("turned", [False, True])
def test_of_many_depths_each_counts_beside_whatever_is_unknown(stray, turned):
    """Metres, their negatives, and a patch of what could not be measured on either side."""
    picture, depth = ramped()
    expected = by_depth(picture, depth).soft.blur
    depth = depth.copy()
    depth[100:106, 30:36] = stray or depth.mean()
    found = by_depth(picture, -depth if turned else depth).soft.blur
    away = np.ones(depth.shape, bool)
    away[88:118, 18:48] = False
    assert found.shape == expected.shape == depth.shape
    assert np.abs(found - expected)[away].max() < 0.25
    assert (found > SEEN).mean() == pytest.approx((expected > SEEN).mean(), abs=0.03)


@pytest.mark.parametrize("part", [1.0, 0.62, 0.5, 0.37, 0.2])
def test_the_margin_beside_a_step_is_of_the_pictures_pixels(part):
    picture, depth = two_planes(3.0)
    rows = (np.arange(round(160 * part)) / part).astype(int)
    columns = (np.arange(round(240 * part)) / part).astype(int)
    blur = by_depth(picture, depth[rows][:, columns]).soft.rows(0, 160, 160, 240)
    # Half a sample of the map may lie either side of the step.
    assert blur[:, : 119 - round(0.5 / part)].max() < 1e-6


def test_a_sky_that_is_far_beyond_all_else_leaves_the_rest_told_apart():
    picture, depth = two_planes()
    depth[:20] = 1e9
    near, far = halves(by_depth(picture, depth), *depth.shape)
    assert near[40:].max() < SEEN
    assert far[40:].min() > 1


@pytest.mark.parametrize("size", [(160, 240), (80, 120), (41, 61), (320, 480), (500, 700)])
def test_a_map_may_be_of_any_size(size):
    picture, depth = two_planes()
    rows = np.arange(size[0]) * 160 // size[0]
    columns = np.arange(size[1]) * 240 // size[1]
    near, far = halves(by_depth(picture, depth[rows][:, columns]), 160, 240)
    assert near.max() < SEEN
    assert far.mean() == pytest.approx(2, rel=0.3)


def test_beside_a_step_in_depth_blur_begins_slowly():
    picture, depth = two_planes(3.0)
    found = by_depth(picture, depth)
    blur = found.soft.rows(0, 160, 160, 240)
    assert blur[:, :119].max() < 1e-6
    assert blur[:, 120].max() < SEEN
    assert 0.25 < blur[:, 123].max() / found.soft.most < 0.75


def test_blur_all_over_is_damage_and_not_the_lens():
    _, depth = two_planes()
    found = by_depth(blurred(boxes(), 1.5), depth)
    assert found is None


def test_what_is_sharp_all_over_is_in_focus():
    assert by_depth(boxes(), two_planes()[1]) is None


@pytest.mark.parametrize(
    "picture",
    [np.full((160, 240, 3), 77, np.uint8), np.full((160, 240), 0.5, np.float32)],
)
def test_without_edges_there_is_no_judgement(picture):
    assert by_depth(picture, two_planes()[1]) is None


def test_noise_alone_is_no_edge():
    noise = np.random.default_rng(0).normal(128, 12, (160, 240)).clip(0, 255).astype(np.uint8)
    assert by_depth(noise, two_planes()[1]) is None


def test_a_constant_map_tells_nothing():
    assert by_depth(two_planes()[0], np.full((160, 240), 5, np.float32)) is None


@pytest.mark.parametrize("shape", [(1, 1), (16, 400), (400, 16), (17, 17), (3, 5, 3)])
def test_pictures_that_are_too_small_to_judge(shape):
    picture = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    depth = np.random.default_rng(2).random(shape[:2], np.float32)
    found = by_depth(picture, depth)
    assert found is None or found.soft.blur.shape == shape[:2]


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_the_same_of_every_depth_of_samples(dtype):
    picture, depth = two_planes()
    full = 65535 if dtype == np.uint16 else 1.0
    deep = (picture / 255.0 * full).round(6).astype(dtype)
    expected = by_depth(picture, depth).soft.blur
    np.testing.assert_allclose(by_depth(deep, depth).soft.blur, expected, atol=0.02)


def test_grey_is_judged_as_well():
    picture, depth = two_planes()
    grey = picture.mean(axis=2).astype(np.uint8)
    near, far = halves(by_depth(grey, depth), *depth.shape)
    assert near.max() < SEEN < far.min()


def test_floats_beyond_white_count_as_white():
    picture, depth = two_planes()
    unit = (picture / 255).astype(np.float32)
    expected = by_depth(np.minimum(unit, 0.8), depth).soft.most
    lit = np.where(unit > 0.8, np.float32(3e38), unit)
    clipped = np.where(unit > 0.8, np.float32(1), unit)
    np.testing.assert_array_equal(
        by_depth(lit, depth).soft.blur, by_depth(clipped, depth).soft.blur
    )
    assert expected == pytest.approx(by_depth(lit, depth).soft.most, rel=0.5)


def test_bands_of_rows_do_not_show(monkeypatch):
    picture, depth = two_planes()
    whole = by_depth(picture, depth).soft.blur
    monkeypatch.setattr(defocus, "_BAND", 1)
    monkeypatch.setattr(defocus, "_ROWS", 24)
    np.testing.assert_allclose(by_depth(picture, depth).soft.blur, whole, atol=0.02)


def test_rows_are_those_of_the_whole():
    found = by_depth(*two_planes()).soft
    whole = found.rows(0, 320, 320, 480)
    np.testing.assert_array_equal(found.rows(100, 150, 320, 480), whole[100:150])


def test_a_map_of_many_megapixels_is_thinned(monkeypatch):
    picture, depth = two_planes()
    monkeypatch.setattr(defocus, "_MAP_PIXELS", 2000)
    found = by_depth(picture, depth)
    assert found.soft.blur.size <= 2000
    near, far = halves(found, *depth.shape)
    assert near.max() < SEEN < far.min()


def test_what_was_taken_away_is_what_would_have_to_be_given_back():
    sharper, depth = two_planes(1.5)
    picture, _ = two_planes(2.5)
    taken = by_depth(picture, depth).taken(sharper, 255)
    near, far = taken.rows(0, 160, 160, 240)[:, :104], taken.rows(0, 160, 160, 240)[:, 136:]
    assert near.max() == 0
    assert far.mean() == pytest.approx(2.0, rel=0.2)


def test_nothing_was_taken_from_what_is_as_it_was_or_softer():
    picture, depth = two_planes()
    found = by_depth(picture, depth)
    assert found.taken(picture, 255) is None
    assert found.taken(two_planes(3.0)[0], 255) is None
    # Sharpened all over, the far half is as far from the near one as it was.
    assert found.taken(np.zeros_like(picture), 255) is None


def test_white_says_what_the_samples_mean():
    picture, depth = two_planes(2.5)
    sharper = two_planes(1.5)[0].astype(np.float32)
    found = by_depth(picture, depth)
    in_levels, in_parts = found.taken(sharper, 255), found.taken(sharper / np.float32(255))
    np.testing.assert_allclose(in_levels.blur, in_parts.blur, atol=0.02)
