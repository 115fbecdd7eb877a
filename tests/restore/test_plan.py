import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperfocal.restore.plan import plan_tiles

plans = st.builds(
    lambda height, width, multiple, radius, pixels: plan_tiles(
        height, width, multiple=multiple, radius=radius, max_pixels=pixels
    ),
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from([1, 2, 3, 8]),
    st.integers(0, 20),
    st.integers(1, 60_000),
)


@settings(max_examples=300)
@given(plans)
def test_every_pixel_is_kept_once(plan):
    kept = np.zeros((plan.height, plan.width), int)
    for tile in plan.tiles:
        kept[tile.rows.first : tile.rows.last, tile.columns.first : tile.columns.last] += 1
    assert kept.min() == kept.max() == 1


@settings(max_examples=300)
@given(plans)
def test_windows_are_equal_aligned_and_reach_far_enough(plan):
    shapes = set()
    for tile in plan.tiles:
        for span, length in ((tile.rows, plan.height), (tile.columns, plan.width)):
            assert 0 <= span.low <= span.first < span.last <= span.high <= length
            assert span.low % plan.multiple == span.high % plan.multiple == 0
            assert span.low == 0 or span.first - span.low >= plan.halo
            assert span.high == length or span.high - span.last >= plan.halo
        shapes.add((tile.rows.high - tile.rows.low, tile.columns.high - tile.columns.low))
    assert len(shapes) == 1


@settings(max_examples=300)
@given(plans)
def test_halves_cover_the_tile_and_reach_far_enough(plan):
    for tile in plan.tiles:
        parts = plan.halves(tile)
        if parts is None:
            continue
        kept = np.zeros((plan.height, plan.width), int)
        for part in parts:
            assert part.pixels < tile.pixels
            kept[part.rows.first : part.rows.last, part.columns.first : part.columns.last] += 1
            for span, length in ((part.rows, plan.height), (part.columns, plan.width)):
                assert span.low % plan.multiple == span.high % plan.multiple == 0
                assert span.low == 0 or span.first - span.low >= plan.halo
                assert span.high == length or span.high - span.last >= plan.halo
        core = np.zeros_like(kept)
        core[tile.rows.first : tile.rows.last, tile.columns.first : tile.columns.last] = 1
        assert np.array_equal(kept, core)


def test_a_picture_that_fits_is_not_cut():
    plan = plan_tiles(1000, 1000, multiple=2, radius=16, max_pixels=1_000_000)
    assert len(plan.tiles) == 1


def test_tiles_keep_to_the_limit_and_waste_little():
    plan = plan_tiles(4000, 6000, multiple=2, radius=16, max_pixels=400_000)
    assert all(tile.pixels <= 400_000 for tile in plan.tiles)
    assert sum(tile.pixels for tile in plan.tiles) < 1.2 * 4000 * 6000


def test_a_limit_below_the_halo_gives_the_smallest_useful_window():
    plan = plan_tiles(500, 500, multiple=4, radius=10, max_pixels=1)
    tile = plan.tiles[0]
    assert tile.rows.high - tile.rows.low <= 4 * plan.halo
