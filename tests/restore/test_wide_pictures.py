"""Pictures so wide that a few dozen of their rows would be more than a budget."""

import numpy as np
import pytest
from traced import peak_of

from hyperfocal.models.card import ModelCard
from hyperfocal.quality import consistency
from hyperfocal.quality.kernel import block_reach, resize_rows_matrix, usual_block
from hyperfocal.quality.resize import _block, strip_bytes, strips
from hyperfocal.restore.fidelity import measure
from hyperfocal.restore.route import Shape, plan_route

TWO = ModelCard(name="m-x2", scale=2, receptive_radius=38, input_multiple=2)


def peak_again(work):
    work()  # The matrices are kept.
    return peak_of(work)


@pytest.mark.parametrize("scale", [2, 0.5])
def test_the_memory_of_strips_does_not_grow_with_the_width(monkeypatch, scale):
    monkeypatch.setattr("hyperfocal.quality.resize._MOST", 400_000)
    image = np.zeros((80, 2000), np.uint8)
    size = round(80 * scale), round(2000 * scale)
    heights = [strip.shape[0] for _, strip in strips(image, size)]
    assert max(heights) < usual_block(scale)
    assert sum(heights) == size[0]
    assert peak_again(lambda: list(strips(image, size))) < strip_bytes((80, 2000), size) < 450_000


def test_one_row_is_the_least(monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    larger = image.repeat(2, 0).repeat(2, 1)
    figure = measure(larger, image)
    expected = consistency(larger, image)
    monkeypatch.setattr("hyperfocal.quality.resize._MOST", 1)
    assert {strip.shape[0] for _, strip in strips(larger, (40, 60))} == {1}
    # The order of sums may be another.
    assert measure(larger, image).decibels == pytest.approx(figure.decibels, abs=1e-4)
    assert consistency(larger, image) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("scale", [0.125, 1 / 3, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0])
def test_rows_are_made_of_no_more_than_was_reckoned_with(scale):
    for block in (1, 2, 16, usual_block(scale)):
        length = 800
        bands = resize_rows_matrix(length, round(length * scale), scale, True, "<f4", block)
        assert max(band.high - band.low for band in bands) <= block_reach(block, scale)


@pytest.mark.parametrize(("width", "scale"), [(512, 8), (3400, 8), (6500, 4), (20_000, 2)])
def test_usual_pictures_have_usual_strips(width, scale):
    row, long = width * 3 * 4, width * scale * 3 * 4
    assert _block(scale, row, long, True) == usual_block(scale)
    assert _block(1 / scale, long, row, True) == usual_block(1 / scale)


def test_the_plan_counts_the_strip():
    size = 128, 400_000
    route = plan_route(Shape(64, 200_000), size, [TWO], 500_000_000, "int8")
    strip = strip_bytes(size, (64, 200_000), 3)
    assert strip > 1 << 25
    assert route.working >= strip
    assert route.held + strip <= 500_000_000 - 160_000_000
