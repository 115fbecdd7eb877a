import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hyperfocal.models.card import ModelCard
from hyperfocal.restore.memory import tile_bytes
from hyperfocal.restore.route import Shape, plan_route

TWO = ModelCard(name="m-x2", scale=2, receptive_radius=38, input_multiple=2)
FOUR = ModelCard(name="m-x4", scale=4, receptive_radius=12)


def route(height, width, scale, cards, memory, has_alpha=False):
    size = (round(height * scale), round(width * scale))
    shape = Shape(height, width, has_alpha=has_alpha)
    return plan_route(shape, size, cards, memory, "int8")


def test_a_hundred_megapixels_in_500_mb():
    plan = route(4000, 6000, 2, [TWO], 500_000_000)
    assert plan.on_disk
    assert plan.stages[0].on_disk
    largest = max(tile.pixels for tile in plan.stages[0].plan.tiles)
    assert largest * tile_bytes(TWO, "int8", 1) + 4000 * 6000 * 3 < 340_000_000
    # And yet not tiny: the overlap costs less than a third.
    assert sum(tile.pixels for tile in plan.stages[0].plan.tiles) < 1.33 * 4000 * 6000


def test_a_megapixel_is_not_cut_by_default():
    plan = route(1000, 1100, 2, [TWO], 2_000_000_000)
    assert plan.tiles == 1
    assert not plan.on_disk


def test_stages_follow_one_another():
    plan = route(100, 120, 5, [FOUR, TWO], 2_000_000_000)
    first, second = plan.stages
    assert (first.plan.height, first.plan.width) == (100, 120)
    assert (second.plan.height, second.plan.width) == (400, 480)
    assert plan.size == (500, 600)


# With less memory than they take, larger pictures are cut into hundreds of thousands of tiles.
@settings(max_examples=100)
@given(
    st.integers(1, 1500),
    st.integers(1, 1500),
    st.floats(1, 8),
    st.integers(1, 1_000_000) | st.integers(1, 400).map(lambda count: count * 10_000_000),
    st.booleans(),
)
@example(1500, 1500, 8.0, 1, True)
@example(12_000, 11_000, 2.5, 1_000_000_000, True)
@example(12_000, 12_000, 8.0, 4_000_000_000, False)
def test_what_stays_in_memory_fits_the_budget(height, width, scale, memory, has_alpha):
    cards = [FOUR] if scale <= 4 else [FOUR, TWO]
    plan = route(height, width, scale, cards, memory, has_alpha)
    resident = height * width * 3
    rows, columns = height, width
    for card, stage in zip(cards, plan.stages, strict=True):
        rows, columns = rows * card.scale, columns * card.scale
        is_last = (rows, columns) == plan.size
        if not stage.on_disk and not is_last:
            resident += rows * columns * 3
    if not plan.on_disk:
        resident += int(np.prod(plan.size)) * 3
    assert resident <= max(memory, height * width * 3)
    if has_alpha:
        # Transparency, and the copy whose hidden pixels are coloured.
        resident += height * width * (1 + 3)
        resident += 0 if plan.alpha_on_disk else int(np.prod(plan.size))
    assert plan.held == resident


def test_deeper_pictures_and_float_weights_need_more():
    assert tile_bytes(TWO, "float", 1) > tile_bytes(TWO, "int8", 1)
    assert tile_bytes(TWO, "int8", 2) > tile_bytes(TWO, "int8", 1)
    assert tile_bytes(FOUR, "int8", 1) > tile_bytes(TWO, "int8", 1)
    mirrored = TWO.model_copy(update={"self_ensemble": True})
    assert tile_bytes(mirrored, "int8", 1) > tile_bytes(TWO, "int8", 1)
