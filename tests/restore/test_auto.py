"""Which kind of model a picture gets, and that it is told."""

import io

import numpy as np
import pytest
from PIL import Image

import hyperfocal
from hyperfocal import imaging
from hyperfocal.imaging.picture import Picture
from hyperfocal.quality import imresize
from hyperfocal.restore.auto import choose
from hyperfocal.restore.shelf import Shelf
from hyperfocal.restore.upscaler import Upscaler


def jpeg(pixels, quality):
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "JPEG", quality=quality)
    return sink.getvalue()


@pytest.fixture
def scene():
    """Sharp and clean: plain tones and bars, reduced with a good filter."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:320, :320] / 320
    large = np.stack([0.5 + 0.2 * np.sin(3 * x + k) for k in range(3)], axis=-1)
    for _ in range(20):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-0.3, 1.0)
        across = np.cos(angle) * x + np.sin(angle) * y - offset
        large[(across > 0) & (across < 0.06)] += rng.uniform(-0.25, 0.25, 3)
    return imresize(np.uint8(np.clip(large * 255, 0, 255)), 0.5).astype(np.uint8)


@pytest.mark.parametrize("quality", [30, 70])
def test_a_coarse_jpeg_is_restored(scene, quality):
    picture = imaging.open(jpeg(scene, quality))
    assert picture.jpeg_quality == quality
    choice = choose(picture)
    assert choice.kind == "restore"
    assert any(f"quality {quality}" in reason for reason in choice.reasons)
    assert choice.to_dict()["figures"]["jpeg_quality"] == quality


def test_a_clean_picture_is_not(scene):
    for pixels in (scene, scene.astype(np.uint16) * 257, np.float32(scene) / 255):
        choice = choose(Picture(pixels))
        assert (choice.kind, choice.figures["jpeg_quality"]) == ("photo", None)
    assert choose(imaging.open(jpeg(scene, 97))).kind == "photo"


def test_a_result_is_not_judged_by_the_file_that_it_was_made_from(conv_net, scene):
    picture = Picture(scene, jpeg_quality=40)
    assert choose(picture).kind == "restore"
    made = Upscaler(conv_net(2))(picture).picture
    assert choose(made).figures["jpeg_quality"] is None


def test_highlights_above_white_do_not_stand_in_the_way(scene):
    pixels = np.float32(scene) / 255
    pixels[0, 0] = 40.0
    assert choose(Picture(pixels)).kind == "photo"


def hidden_in_all_ways(scene, alpha):
    """The scene with other colours under what is wholly transparent."""
    hidden, rng = alpha == 0, np.random.default_rng(0)
    for filling in (scene, 0, 255, rng.integers(0, 256, scene.shape, dtype=np.uint8)):
        pixels = scene.copy()
        pixels[hidden] = filling[hidden] if isinstance(filling, np.ndarray) else filling
        yield Picture(pixels, alpha)


@pytest.mark.parametrize("shape", ["box", "disc", "nothing", "lines", "holes"])
@pytest.mark.parametrize("noise", [0, 12])
def test_what_is_hidden_has_no_say(conv_net, scene, shape, noise):
    rng = np.random.default_rng(1)
    scene = np.uint8(np.clip(scene + rng.normal(0, noise, scene.shape), 0, 255))
    alpha = np.zeros(scene.shape[:2], np.uint8)
    y, x = np.mgrid[: alpha.shape[0], : alpha.shape[1]]
    if shape == "box":
        alpha[21:140, 33:150] = 255
    elif shape == "disc":
        alpha[np.hypot(y - 80, x - 80) < 60] = 200
    elif shape == "lines":
        alpha[::9] = 255
    elif shape == "holes":
        alpha[(y % 40 > 3) | (x % 40 > 3)] = 255
    upscaler = Upscaler(conv_net(2), restoring=Shelf.of([conv_net(2, name="other", seed=1)]))
    results = [upscaler(picture) for picture in hidden_in_all_ways(scene, alpha)]
    visible = results[0].picture.alpha > 0
    for result in results[1:]:
        assert result.choice == results[0].choice
        assert result.models == results[0].models
        assert np.array_equal(result.picture.pixels[visible], results[0].picture.pixels[visible])
    damaged = noise > 0 and shape not in ("nothing", "lines")
    assert results[0].choice.kind == ("restore" if damaged else "photo")
    if shape == "box":
        assert results[0].choice == choose(Picture(scene[21:140, 33:150]))


def test_what_is_visible_is_found_in_a_large_picture():
    """Between the squares that are looked at in one that shows everything."""
    pixels = np.zeros((2000, 2000, 3), np.uint8)
    noise = np.random.default_rng(0).normal(128, 12, (150, 150, 3))
    pixels[300:450, 300:450] = np.clip(noise, 0, 255)
    alpha = np.zeros(pixels.shape[:2], np.uint8)
    alpha[300:450, 300:450] = 255
    assert choose(Picture(pixels, alpha)).kind == "restore"


def test_the_kind_chosen_is_the_one_that_runs(conv_net, scene):
    photo, restoring = conv_net(2, name="clean"), conv_net(2, name="damaged", seed=1)
    upscaler = Upscaler(photo, restoring=Shelf.of([restoring]))
    clean, damaged = Picture(scene), imaging.open(jpeg(scene, 40))
    for picture, net in ((clean, photo), (damaged, restoring)):
        result = upscaler(picture)
        assert result.models == (net.card.name,)
        assert result.choice.reasons
        assert np.array_equal(result.picture.pixels, net.run(picture.pixels))


def test_a_model_that_is_named_is_taken(conv_net, scene):
    result = Upscaler(conv_net(2))(imaging.open(jpeg(scene, 40)))
    assert result.choice is None


def test_the_fine_tier_is_chosen_from_as_the_fast_one_is(scene):
    upscaler = hyperfocal.Upscaler.load("auto-fine")
    small = scene[40:88, 40:88]
    for picture, kind in ((Picture(small), "photo"), (hyperfocal.open(jpeg(small, 40)), "restore")):
        for scale, native in ((2, 2), (3, 3 if kind == "photo" else 4), (4, 4)):
            assert upscaler(picture, scale).models == (f"{kind}-fine-x{native}",)


def test_auto_is_the_default_and_reaches_every_scale(scene):
    data = jpeg(scene[40:88, 40:88], 40)
    upscaler = hyperfocal.Upscaler.load()
    for scale, model in ((2, "restore-fast-x2"), (3, "restore-fast-x4"), (4, "restore-fast-x4")):
        result = upscaler(hyperfocal.open(data), scale)
        assert result.models == (model,)
        assert result.picture.pixels.shape == (48 * scale, 48 * scale, 3)
    clean = Picture(scene[40:88, 40:88])
    for scale in (2, 3, 4):
        assert upscaler(clean, scale).models == (f"photo-fast-x{scale}",)
