import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperfocal.errors import FidelityTooLow
from hyperfocal.evaluate import compare
from hyperfocal.imaging.picture import Picture
from hyperfocal.quality import consistency, degrade
from hyperfocal.restore.backproject import back_project
from hyperfocal.restore.fidelity import CELL, measure
from hyperfocal.restore.progress import Progress
from hyperfocal.restore.samples import Samples
from hyperfocal.restore.upscaler import Upscaler


@settings(max_examples=40)
@given(
    st.integers(1, 150),
    st.integers(1, 150),
    st.sampled_from([1.0, 1.6, 2.0, 4.0]),
    st.sampled_from(["uint8", "uint16", "float32"]),
    st.booleans(),
)
def test_the_figure_is_that_of_the_quality_package(height, width, scale, dtype, grey):
    rng = np.random.default_rng(height)
    full = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    shape = (height, width) if grey else (height, width, 3)
    input = (rng.random(shape) * full).astype(dtype)
    output = (rng.random((round(height * scale), round(width * scale), *shape[2:])) * full).astype(
        dtype
    )
    found = measure(output, input)
    assert found.decibels == pytest.approx(consistency(output, input), abs=1e-3)


def test_cells_are_the_picture_in_pieces():
    rng = np.random.default_rng(0)
    input = rng.integers(0, 256, (150, 200, 3), dtype=np.uint8)
    output = rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    found = measure(output, input)
    square = (degrade(output, (150, 200)) - input / 255) ** 2
    expected = [
        [square[y : y + CELL, x : x + CELL].mean() for x in range(0, 200, CELL)]
        for y in range(0, 150, CELL)
    ]
    assert np.allclose(found.cells, expected, rtol=1e-4)
    assert found.fidelity().worst_db == pytest.approx(-10 * np.log10(np.max(expected)), abs=1e-3)


def test_every_result_tells_its_fidelity(conv_net, photo):
    pixels = photo(90, 70)
    result = Upscaler(conv_net(2))(Picture(pixels), 2)
    assert result.fidelity.basis == "input"
    assert result.fidelity.consistency_db == pytest.approx(
        consistency(result.picture.pixels, pixels), abs=1e-3
    )
    assert result.fidelity.worst_db <= result.fidelity.consistency_db + 1e-6


@pytest.mark.parametrize("huge", [1e20, -3.4e38, np.finfo(np.float32).max])
@pytest.mark.parametrize("scale", [2, 1.5])
def test_floats_of_any_size(conv_net, photo, huge, scale):
    """The no-data value of a map, for instance; the rest of the picture stays as it is."""
    pixels = photo(90, 70).astype(np.float32) / 255
    plain = Upscaler(conv_net(2))(Picture(pixels), scale).picture.pixels
    pixels[:10, :12] = huge
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = Upscaler(conv_net(2))(Picture(pixels), scale, back_project=40)
    made = result.picture.pixels
    assert np.isfinite(made).all()
    # What such a step does to the pixels beside it is told, and it tells no more than that.
    assert 10 < result.fidelity.worst_db <= result.fidelity.consistency_db < 25
    assert np.allclose(made[60:], plain[60:], atol=0.1)


@pytest.mark.parametrize("sample", [1, 10, 1000, -1000, 3e38])
def test_one_sample_neither_raises_the_figure_nor_decides_it(conv_net, sample):
    pixels = np.random.default_rng(0).random((64, 64, 3), np.float32)
    plain = Upscaler(conv_net(2))(Picture(pixels)).fidelity.consistency_db
    pixels[30, 30] = sample
    result = Upscaler(conv_net(2))(Picture(pixels))
    assert plain - 5 < result.fidelity.consistency_db < plain + 0.1
    found = compare(result.picture, pixels).consistency
    assert found == pytest.approx(result.fidelity.consistency_db, abs=1e-3)


@pytest.mark.parametrize("brightness", [1, 4, 3000])
def test_what_is_brighter_than_white_counts_by_its_own_brightness(photo, brightness):
    """Of a picture of which nothing lies within [0, 1], as well: a map of heights, say."""
    pixels = np.float32(1.1) + photo(90, 70, dtype=np.float32)
    light = pixels * np.float32(brightness)
    upscaler = Upscaler.load("bicubic-x2")
    one, other = (upscaler(Picture(given)).fidelity for given in (pixels, light))
    assert 30 < one.consistency_db < 80
    assert other.consistency_db == pytest.approx(one.consistency_db, abs=0.5)


def framed(pixels, margin):
    """A picture in a transparent canvas."""
    height, width = pixels.shape[:2]
    canvas = np.zeros((height + 2 * margin, width + 2 * margin, *pixels.shape[2:]), pixels.dtype)
    alpha = np.zeros(canvas.shape[:2], pixels.dtype)
    canvas[margin:-margin, margin:-margin] = pixels
    alpha[margin:-margin, margin:-margin] = 255 if pixels.dtype == np.uint8 else 1
    return Picture(canvas, alpha)


@pytest.mark.parametrize("kind", ["uint8", "float32", "grey"])
@pytest.mark.parametrize("margin", [32, 288])
def test_a_transparent_margin_does_not_raise_the_figure(conv_net, kind, margin):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    if kind == "float32":
        pixels = np.float32(pixels) / 255
    elif kind == "grey":
        pixels = pixels[..., 0].copy()
    upscaler = Upscaler(conv_net(2))
    plain = upscaler(Picture(pixels))
    wide = framed(pixels, margin)
    result = upscaler(wide)
    expected = plain.fidelity.consistency_db
    assert result.fidelity.consistency_db == pytest.approx(expected, abs=0.5)
    assert result.fidelity.worst_db <= result.fidelity.consistency_db
    assert compare(result.picture, wide).consistency == pytest.approx(expected, abs=0.5)
    with pytest.raises(FidelityTooLow):
        upscaler(wide, min_fidelity=expected + 1)


def test_only_what_is_visible_is_measured():
    rng = np.random.default_rng(0)
    input = rng.integers(0, 256, (150, 200, 3), dtype=np.uint8)
    output = rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    alpha = rng.integers(0, 3, (150, 200), dtype=np.uint8)
    alpha[:CELL, :CELL] = 0
    found = measure(output, input, alpha)
    square = (degrade(output, (150, 200)) - input / 255) ** 2
    square[alpha == 0] = np.nan
    assert found.total == pytest.approx(np.nanmean(square), rel=1e-4)
    for row, y in enumerate(range(0, 150, CELL)):
        for column, x in enumerate(range(0, 200, CELL)):
            part = np.s_[y : y + CELL, x : x + CELL]
            expected = 0 if row == column == 0 else np.nanmean(square[part])
            assert found.cells[row, column] == pytest.approx(expected, rel=1e-4)
            assert found.visible[row, column] == pytest.approx((alpha[part] != 0).mean())


def test_an_alpha_channel_that_hides_nothing_changes_no_figure(conv_net, photo):
    pixels = photo(90, 70)
    alpha = np.random.default_rng(0).integers(1, 256, (90, 70), dtype=np.uint8)
    upscaler = Upscaler(conv_net(2))
    assert upscaler(Picture(pixels, alpha)).fidelity == upscaler(Picture(pixels)).fidelity


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_where_nothing_is_visible_nothing_differs(conv_net, photo, dtype):
    picture = Picture(photo(90, 70, dtype=dtype), np.zeros((90, 70), dtype))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = Upscaler(conv_net(2))(picture, min_fidelity=99, back_project=99)
    assert (result.fidelity.consistency_db, result.fidelity.worst_db) == (100, 100)
    assert result.projections == 0


def test_back_projection_reaches_the_bound_where_it_can_be_seen():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    upscaler, picture = Upscaler.load("bicubic-x2"), framed(pixels, 150)
    bound = upscaler(Picture(pixels)).fidelity.consistency_db + 8
    result = upscaler(picture, back_project=bound)
    assert result.projections > 0
    made = degrade(result.picture.pixels, picture.pixels.shape[:2])
    error = np.mean((made[150:-150, 150:-150] - pixels / 255) ** 2)
    assert -10 * np.log10(error) >= bound - 1e-3


def test_a_bound_that_is_not_met_is_an_error(conv_net, photo):
    upscaler, picture = Upscaler(conv_net(2)), Picture(photo(90, 70))
    reached = upscaler(picture, 2).fidelity.consistency_db
    assert upscaler(picture, 2, min_fidelity=reached - 0.1)
    with pytest.raises(FidelityTooLow, match="back-projection"):
        upscaler(picture, 2, min_fidelity=reached + 0.1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("scale", [2, 3.5])
def test_back_projection_reaches_the_bound(conv_net, photo, dtype, scale):
    picture = Picture(photo(60, 80, dtype=dtype))
    upscaler = Upscaler([conv_net(2), conv_net(4)])
    plain = upscaler(picture, scale)
    assert plain.projections == 0
    bound = plain.fidelity.consistency_db + 10
    bent = upscaler(picture, scale, back_project=bound, min_fidelity=bound)
    assert bent.projections > 0
    assert bent.fidelity.consistency_db >= bound
    assert bent.picture.pixels.dtype == dtype


def test_back_projection_rises_step_by_step(conv_net, photo, monkeypatch):
    pixels = photo(60, 80, dtype=np.float32)
    samples = Samples.of(pixels)
    output = conv_net(2).run(pixels)
    reached = [measure(output, pixels).decibels]
    for _ in range(3):
        monkeypatch.setattr("hyperfocal.restore.backproject._MOST", 1)
        found, done = back_project(output, pixels, samples, 99.0, progress=Progress(1))
        assert done == 1
        reached.append(found.decibels)
    assert all(later > earlier for earlier, later in pairwise(reached))


def test_back_projection_stops_where_the_depth_allows_no_more(conv_net, photo):
    result = Upscaler(conv_net(2))(Picture(photo(60, 80)), 2, back_project=99.0)
    assert 40 < result.fidelity.consistency_db < 99
    assert result.projections < 20


def test_back_projection_leaves_what_is_good_enough(conv_net, photo):
    picture = Picture(photo(60, 80))
    plain = Upscaler(conv_net(2))(picture, 2)
    same = Upscaler(conv_net(2))(picture, 2, back_project=5.0)
    assert same.projections == 0
    assert np.array_equal(plain.picture.pixels, same.picture.pixels)
