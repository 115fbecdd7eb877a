import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperfocal.errors import Cancelled, GarbledOutput, ModelBroken, TooLarge
from hyperfocal.restore.plan import plan_tiles
from hyperfocal.restore.progress import Progress
from hyperfocal.restore.samples import Samples
from hyperfocal.restore.tiles import run_tiles


def enlarge(net, pixels, max_pixels, progress=None, on_disk=False):
    card = net.card
    plan = plan_tiles(
        *pixels.shape[:2],
        multiple=card.input_multiple,
        radius=card.receptive_radius,
        max_pixels=max_pixels,
    )
    progress = progress or Progress(len(plan.tiles))
    return run_tiles(net, pixels, plan, Samples.of(pixels), progress, on_disk=on_disk)


@settings(max_examples=60)
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    scale=st.sampled_from([1, 2, 3, 4]),
    unshuffle=st.sampled_from([1, 2, 3]),
    limit=st.integers(1, 1500),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    grey=st.booleans(),
    on_disk=st.booleans(),
)
def test_tiled_equals_untiled(
    conv_net, height, width, scale, unshuffle, limit, dtype, grey, on_disk
):
    rng = np.random.default_rng(height * 100 + width)
    pixels = rng.random((height, width, 3), np.float32)
    if dtype != "float32":
        pixels = (pixels * np.iinfo(dtype).max).astype(dtype)
    if grey:
        pixels = pixels[..., 0]
    net = conv_net(scale, unshuffle)
    whole = enlarge(net, pixels, 10**9)
    tiled = enlarge(net, pixels, limit, on_disk=on_disk)
    assert whole.shape == tiled.shape == (height * scale, width * scale, *pixels.shape[2:])
    assert whole.dtype == tiled.dtype == pixels.dtype
    difference = np.abs(whole.astype(np.float64) - tiled.astype(np.float64)).max()
    full = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    assert difference <= full / 255 * (1.0 if dtype == "uint8" else 1e-3)


def test_the_property_can_fail(conv_net):
    """A radius on the card that is too small shows as a seam."""
    net = conv_net(2, depth=4)
    net.card = net.card.model_copy(update={"receptive_radius": 1})
    pixels = np.random.default_rng(1).random((60, 60, 3), np.float32)
    assert np.abs(enlarge(net, pixels, 10**9) - enlarge(net, pixels, 400)).max() > 1e-3


def test_sides_that_are_no_multiple_repeat_the_last_pixel(replicate):
    seen = []

    def note(made):
        seen.append(made[::2, ::2])
        return made

    net = replicate(2, multiple=4, change=note)
    pixels = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)
    out = enlarge(net, pixels, 10**9)
    assert np.array_equal(seen[0], np.pad(pixels, ((0, 3), (0, 2), (0, 0)), mode="edge"))
    assert np.array_equal(out, pixels.repeat(2, 0).repeat(2, 1))


def out_of_memory_above(limit, error):
    def change(made):
        if made.shape[0] * made.shape[1] // 4 > limit:
            raise error
        return made

    return change


@pytest.mark.parametrize(
    "error",
    [MemoryError(), ModelBroken("the model failed: std::bad_alloc")],
    ids=["python", "engine"],
)
def test_out_of_memory_halves_the_tile_and_goes_on(replicate, error):
    pixels = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    net = replicate(2, change=out_of_memory_above(500, error), radius=2)
    progress = Progress(1)
    out = enlarge(net, pixels, 10**9, progress)
    assert np.array_equal(out, pixels.repeat(2, 0).repeat(2, 1))
    assert progress.done == progress.total > 1
    # What failed once, or is larger, is not tried again.
    failures = [rows * columns for rows, columns in net.seen if rows * columns > 500]
    assert failures == sorted(set(failures), reverse=True)


def test_out_of_memory_at_the_smallest_tile(replicate):
    net = replicate(2, change=out_of_memory_above(0, MemoryError()), radius=4)
    with pytest.raises(TooLarge, match="not enough memory for replicate-x2"):
        enlarge(net, np.zeros((64, 64, 3), np.uint8), 10**9)


def test_any_other_failure_of_a_tile_is_a_failure_of_the_picture(replicate):
    def fail(made):
        raise ModelBroken("the model failed: shapes differ")

    with pytest.raises(ModelBroken, match="shapes differ"):
        enlarge(replicate(2, change=fail), np.zeros((8, 8, 3), np.uint8), 10**9)


def test_a_bad_tile_among_good_ones(replicate):
    count = iter(range(100))

    def spoil_the_third(made):
        return np.zeros_like(made) if next(count) == 2 else made

    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with pytest.raises(GarbledOutput):
        enlarge(replicate(2, change=spoil_the_third), pixels, 1024)


def test_progress_and_cancelling(replicate):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    calls = []
    net = replicate(2)
    enlarge(net, pixels, 1024, Progress(4, lambda done, total: calls.append((done, total))))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]

    net = replicate(2)
    progress = Progress(4, cancel=lambda: len(net.seen) == 2)
    with pytest.raises(Cancelled, match="after 2 of 4 tiles"):
        enlarge(net, pixels, 1024, progress)
    assert len(net.seen) == 2
