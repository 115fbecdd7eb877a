import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hyperfocal import pages
from hyperfocal.errors import (
    Cancelled,
    ModelMissing,
    RuntimeMissing,
    SettingsError,
    TooLarge,
    UsageError,
)
from hyperfocal.imaging.picture import Metadata, Picture
from hyperfocal.models.registry import SHIPPED
from hyperfocal.quality import imresize
from hyperfocal.restore.upscaler import Upscaler
from hyperfocal.settings import Settings


@pytest.mark.parametrize("scale", [1, 1.25, 2, 2.7, 3, 4, 5, 8])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 3), (31, 33, 3), (1, 1, 3)])
def test_any_scale_of_any_size(conv_net, scale, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    result = Upscaler([conv_net(2, 2), conv_net(4, 1)])(Picture(pixels), scale)
    expected = tuple(int(side * scale + 0.5) for side in shape[:2])
    assert result.picture.pixels.shape == (*expected, *shape[2:])
    assert result.picture.pixels.dtype == np.uint8


def test_native_scale_is_the_net_itself(conv_net, photo):
    pixels, net = photo(40, 50), conv_net(2)
    result = Upscaler(net)(Picture(pixels))
    assert np.array_equal(result.picture.pixels, net.run(pixels))
    assert (result.models, result.passes, result.tiles, result.scale) == (("conv-x2",), 1, 1, 2.0)


def test_other_scales_are_the_next_native_one_reduced_with_antialiasing(conv_net, photo):
    pixels, net = photo(40, 50), conv_net(4)
    result = Upscaler([conv_net(2), net])(Picture(pixels), 3)
    assert result.models == ("conv-x4",)
    expected = imresize(net.run(pixels), size=(120, 150))
    assert np.abs(result.picture.pixels.astype(int) - expected).max() <= 1


def test_passes_are_chained(conv_net, photo):
    pixels, two, four = photo(20, 30), conv_net(2), conv_net(4)
    result = Upscaler([two, four])(Picture(pixels), 8)
    assert result.models == ("conv-x4", "conv-x2")
    assert np.array_equal(result.picture.pixels, two.run(four.run(pixels)))
    assert Upscaler(two)(Picture(pixels), 3).models == ("conv-x2", "conv-x2")


@pytest.mark.parametrize(
    ("target", "shape"),
    [
        ({"size": (90, 90)}, (60, 90)),
        ({"size": (None, 60)}, (60, 90)),
        ({"long_edge": 75}, (50, 75)),
        ({"megapixels": 0.0054}, (60, 90)),
    ],
)
def test_target_sizes(replicate, photo, target, shape):
    result = Upscaler([replicate(2), replicate(4)])(Picture(photo(20, 30)), **target)
    assert result.picture.pixels.shape[:2] == shape


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("grey", [False, True])
def test_depth_is_kept(conv_net, photo, dtype, grey):
    pixels = photo(40, 50, dtype=dtype)
    pixels = pixels[..., 1] if grey else pixels
    result = Upscaler(conv_net(2))(Picture(pixels), 2).picture.pixels
    assert result.dtype == dtype
    assert result.ndim == pixels.ndim
    if dtype == np.uint16:
        # Not eight bits stretched: far more levels than 256.
        assert np.unique(result).size > 1000


def test_a_dark_picture_of_16_bits_stays_dark(replicate):
    pixels = np.arange(200, dtype=np.uint16).reshape(10, 20)
    result = Upscaler(replicate(2))(Picture(pixels), 2).picture.pixels
    assert np.array_equal(result, pixels.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("scale", [2, 3])
def test_highlights_above_white_are_kept(replicate, photo, scale):
    pixels = photo(40, 50, dtype=np.float32) * 12 - 0.5
    result = Upscaler([replicate(2), replicate(4)])(Picture(pixels), scale)
    made = result.picture.pixels
    assert made.max() == pytest.approx(pixels.max(), rel=0.02)
    assert made.min() == pytest.approx(pixels.min(), abs=0.05)
    assert result.fidelity.consistency_db > 30


def test_a_bright_lamp_changes_nothing_but_its_surroundings(conv_net, photo):
    pixels = photo(60, 70, dtype=np.float32)
    lit = pixels.copy()
    lit[30, 40] = 50.0
    net = conv_net(2)
    plain, made = (Upscaler(net)(Picture(p)).picture.pixels for p in (pixels, lit))
    assert made.max() > 25
    differs = np.argwhere((made != plain).any(axis=2))
    reach = 2 * (net.card.receptive_radius + 2)
    assert np.abs(differs - (60, 80)).max() <= reach


def test_highlights_in_tiles(conv_net, photo):
    pixels = photo(300, 300, dtype=np.float32) * 2.5
    net = conv_net(2)
    whole = Upscaler(net)(Picture(pixels))
    tiled = Upscaler(net, Settings(memory=1))(Picture(pixels))
    assert whole.tiles == 1 < tiled.tiles
    assert np.allclose(whole.picture.pixels, tiled.picture.pixels, atol=1e-5)


def test_what_belongs_to_the_picture_is_carried_over(replicate, photo):
    metadata = Metadata(exif=b"MM", xmp=b"<x/>", iptc=b"\x1c", dpi=(300.0, 300.0))
    picture = Picture(photo(9, 9), None, b"profile", metadata, "tiff", ("a note",))
    made = Upscaler(replicate(2))(picture).picture
    assert made.metadata == metadata
    assert (made.icc, made.source, made.notes) == (b"profile", "tiff", ("a note",))


def test_the_picture_given_is_not_altered(conv_net, photo):
    pixels, alpha = photo(30, 30), np.zeros((30, 30), np.uint8)
    alpha[5:20, 5:20] = 255
    kept = pixels.copy(), alpha.copy()
    Upscaler(conv_net(2))(Picture(pixels, alpha), 3, back_project=60)
    assert np.array_equal(pixels, kept[0])
    assert np.array_equal(alpha, kept[1])
    pixels.flags.writeable = False
    Upscaler(conv_net(2))(Picture(pixels, alpha), 1, back_project=60)


def test_pixels_in_any_memory_order(conv_net, photo):
    pixels = photo(40, 30)
    odd = np.asfortranarray(pixels)[::-1][::-1]
    one, two = (Upscaler(conv_net(2))(Picture(p), 3).picture.pixels for p in (pixels, odd))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("scale", [2, 3, 8])
def test_a_small_budget_gives_the_same_picture(conv_net, photo, scale):
    picture = Picture(photo(210, 310), np.full((210, 310), 200, np.uint8))
    nets = [conv_net(2, 2), conv_net(4, 1)]
    roomy = Upscaler(nets)(picture, scale)
    tight = Upscaler(nets, Settings.read({}, memory="1MB"))(picture, scale)
    assert tight.tiles > roomy.tiles
    assert pages.is_on_disk(tight.picture.pixels)
    assert not pages.is_on_disk(roomy.picture.pixels)
    difference = np.abs(tight.picture.pixels.astype(int) - roomy.picture.pixels).max()
    assert difference <= 1
    assert np.array_equal(tight.picture.alpha, roomy.picture.alpha)
    assert tight.fidelity.consistency_db == pytest.approx(roomy.fidelity.consistency_db, abs=0.01)


def test_back_projection_within_a_small_budget(conv_net, photo):
    picture = Picture(photo(150, 160))
    roomy = Upscaler(conv_net(2))(picture, 2, back_project=45)
    tight = Upscaler(conv_net(2), Settings.read({}, memory="1MB"))(picture, 2, back_project=45)
    assert pages.is_on_disk(tight.picture.pixels)
    assert np.abs(tight.picture.pixels.astype(int) - roomy.picture.pixels).max() <= 1


def test_progress_counts_the_tiles_of_all_passes(conv_net, photo):
    calls = []
    upscaler = Upscaler(conv_net(2), Settings.read({}, memory="1MB"))
    result = upscaler(
        Picture(photo(210, 310)), 4, on_progress=lambda done, total: calls.append((done, total))
    )
    totals = {total for _, total in calls}
    assert totals == {result.tiles}
    assert [done for done, _ in calls] == list(range(1, result.tiles + 1))


def test_cancelling(conv_net, photo):
    stop = threading.Event()
    upscaler = Upscaler(conv_net(2), Settings.read({}, memory="1MB"))

    def stop_after_three(done, total):
        if done == 3:
            stop.set()

    with pytest.raises(Cancelled, match="after 3 of"):
        upscaler(Picture(photo(210, 310)), 2, on_progress=stop_after_three, cancel=stop)
    with pytest.raises(Cancelled):
        upscaler(Picture(photo(9, 9)), 2, cancel=lambda: True)


def test_sixteen_threads_sixteen_pictures_none_mixed_up(conv_net, photo):
    nets = [conv_net(2, 2), conv_net(4)]
    upscaler = Upscaler(nets, Settings.read({}, memory="1MB"))
    pictures = [Picture(photo(130 + 3 * n, 140 - n, seed=n)) for n in range(16)]
    expected = [upscaler(picture, 3).picture.pixels for picture in pictures]
    start = threading.Barrier(16)

    def work(number):
        start.wait()
        return upscaler(pictures[number], 3).picture.pixels

    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(work, range(16)))
    for one, other in zip(made, expected, strict=True):
        assert np.array_equal(one, other)


@pytest.fixture
def loaded(monkeypatch, replicate):
    """The names of the models that are loaded, in order; they repeat pixels."""
    from hyperfocal import models

    loaded = []

    def load(name, *, settings=None):
        loaded.append(name)
        return replicate(int(name[-1]), name=name)

    monkeypatch.setattr(models, "load", load)
    return loaded


def test_sixteen_threads_load_a_family_once(loaded):
    upscaler = Upscaler.load("bicubic")
    assert loaded == []
    picture = Picture(np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: upscaler(picture, 4), range(16)))
    assert loaded == ["bicubic-x4"]
    upscaler.warm(2)
    assert loaded == ["bicubic-x4", "bicubic-x2"]


def test_both_kinds_of_model_are_warmed(loaded):
    upscaler = Upscaler.load("auto")
    upscaler.warm(2)
    assert sorted(loaded) == ["photo-fast-x2", "restore-fast-x2"]
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    assert upscaler(Picture(noise), 2).models == ("restore-fast-x2",)
    assert len(loaded) == 2


def test_it_cannot_be_altered(replicate):
    upscaler = Upscaler(replicate(2))
    with pytest.raises(AttributeError):
        upscaler.picture = None


def test_timings_are_parts_of_the_whole(conv_net, photo):
    timings = Upscaler(conv_net(2))(Picture(photo(40, 40)), 3).timings
    parts = timings.prepare, timings.model, timings.resize, timings.fidelity
    assert all(part > 0 for part in parts)
    assert sum(parts) <= timings.total


def test_loading_by_name_and_by_family():
    assert Upscaler.load("bicubic-x3").scales == (3,)
    family = Upscaler.load("bicubic")
    assert family.scales == (2, 3, 4)
    picture = Picture(np.zeros((5, 5), np.uint8))
    assert family(picture).scale == 2
    assert family(picture, 3).models == ("bicubic-x3",)
    assert family(picture, 3.5).models == ("bicubic-x4",)
    assert Upscaler.load("bicubic-x3").precision == "float"


@pytest.mark.parametrize("name", ["no-such", "*", "bicubic-x", "../x", ""])
def test_no_such_model(name):
    with pytest.raises(ModelMissing):
        Upscaler.load(name)


def test_loading_by_the_path_of_a_card():
    card = SHIPPED / "photo-realtime-x2.toml"
    assert Upscaler.load(card).scales == Upscaler.load(str(card)).scales == (2,)
    with pytest.raises(UsageError, match="a model is a name"):
        Upscaler.load(2)


def test_settings_may_be_given_one_by_one():
    upscaler = Upscaler.load("bicubic-x2", memory="400MB", threads=1)
    assert upscaler.settings.memory == 400_000_000
    assert upscaler.settings.threads == 1
    changed = Upscaler.load("bicubic-x2", settings=Settings(threads=3), memory=5)
    assert (changed.settings.threads, changed.settings.memory) == (3, 5)
    with pytest.raises(SettingsError):
        Upscaler.load("bicubic-x2", memory="lots")
    with pytest.raises(SettingsError):
        Upscaler.load("bicubic-x2", precision="int3")
    with pytest.raises(UsageError):
        Upscaler([])


def test_an_engine_that_is_not_installed(monkeypatch):
    from hyperfocal import models

    def load(name, *, settings):
        raise RuntimeMissing(f"no {settings.runtime}")

    monkeypatch.setattr(models, "load", load)
    with pytest.raises(RuntimeMissing, match="onnxruntime"):
        Upscaler.load("bicubic-x2", runtime="onnxruntime")


@pytest.mark.parametrize("bound", [float("nan"), float("inf"), "40", 10**400])
@pytest.mark.parametrize("name", ["min_fidelity", "back_project"])
def test_a_bound_that_nothing_could_meet_or_miss(replicate, photo, name, bound):
    """NaN is below and above nothing, and would let every result pass."""
    with pytest.raises(UsageError, match=name):
        Upscaler(replicate(2))(Picture(photo(8, 8)), **{name: bound})


def test_too_large_a_result_is_refused_before_work(replicate):
    net = replicate(2)
    upscaler = Upscaler(net, Settings.read({}, max_output_pixels=399))
    with pytest.raises(TooLarge):
        upscaler(Picture(np.zeros((10, 10), np.uint8)), 2)
    assert net.seen == []
    assert upscaler.plan(9, 10) == (18, 20)


def test_scales_out_of_range(replicate):
    with pytest.raises(UsageError, match="from 1 to 8"):
        Upscaler(replicate(2))(Picture(np.zeros((2, 2), np.uint8)), 9)
