"""The mean of a network's answers to mirrored questions."""

import numpy as np
import pytest

import hyperfocal.models as models
from hyperfocal import Picture
from hyperfocal.models.ensemble import MIRRORED, SelfEnsemble
from hyperfocal.restore import Upscaler


class Slanted:
    """An engine that adds to every pixel what lies left of it and above it: no two alike."""

    arithmetic, threads, released = "f32", 1, 0

    def run(self, tile):
        padded = np.pad(tile.astype(np.float64), ((1, 0), (1, 0), (0, 0)), mode="edge")
        mixed = padded[1:, 1:] * 0.5 + padded[:-1, 1:] * 0.2 + padded[1:, :-1] * 0.3
        made = mixed.repeat(2, axis=0).repeat(2, axis=1)
        return np.rint(made).astype(np.uint8) if tile.dtype == np.uint8 else made.astype(np.float32)

    def release(self):
        self.released += 1


def pixels(dtype, height=23, width=38):
    values = np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)
    return values if dtype == np.uint8 else values.astype(np.float32) / 255


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_result_depends_less_on_which_way_round_the_picture_is(dtype):
    engine, tile = SelfEnsemble(Slanted()), pixels(dtype)
    made = engine.run(tile)
    assert made.dtype == dtype

    def spread(engine, axes):
        turned = np.flip(engine.run(np.flip(tile, axes)), axes)
        return np.square(turned.astype(float) - engine.run(tile)).mean()

    for axes in ((0,), (1,), (0, 1)):
        assert spread(engine, axes) < 0.5 * spread(Slanted(), axes)


def test_whole_levels_are_the_mean_rounded():
    tile = pixels(np.uint8)
    answers = [np.flip(Slanted().run(np.flip(tile, axes)), axes) for axes in MIRRORED]
    mean = np.mean(np.array(answers, dtype=np.float64), axis=0)
    assert len(np.unique(np.rint(mean * 3) % 3)) == 3
    np.testing.assert_array_equal(SelfEnsemble(Slanted()).run(tile), np.rint(mean))


def test_black_and_white_stay():
    for level in (0, 255):
        tile = np.full((5, 7, 3), level, np.uint8)
        assert (SelfEnsemble(Slanted()).run(tile) == level).all()


def test_working_memory_is_given_back():
    network = Slanted()
    SelfEnsemble(network).release()
    assert network.released == 1


def test_a_card_asks_for_it(settings, add_model, network):
    add_model("net-x2", scale=2, float=network(2, clip=False))
    alone = models.load("net-x2", settings=settings)
    path = settings.models / "net-x2.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[", "self_ensemble = true\n[", 1), encoding="utf-8")
    three = models.load("net-x2", settings=settings)
    assert (three.arithmetic, three.threads) == (alone.arithmetic, alone.threads)
    tile = pixels(np.float32)
    wanted = np.mean([np.flip(alone.run(np.flip(tile, axes)), axes) for axes in MIRRORED], axis=0)
    np.testing.assert_allclose(three.run(tile), wanted, atol=1e-6)
    three.release()
    assert models.show("net-x2", settings=settings).self_ensemble


@pytest.mark.parametrize(
    "name",
    ["photo-fine-x2", "photo-fine-x3", "photo-fine-x4", "restore-fine-x2", "restore-fine-x4"],
)
def test_the_fine_models_are_the_fast_ones_asked_three_times(name):
    fine, fast = (models.show(one) for one in (name, name.replace("fine", "fast")))
    assert fine.self_ensemble
    assert not fast.self_ensemble
    assert fine.weights == fast.weights
    assert (fine.scale, fine.receptive_radius) == (fast.scale, fast.receptive_radius)


def test_tiles_of_a_fine_model_give_what_the_whole_picture_does():
    tile = np.random.default_rng(1).integers(0, 256, (150, 170, 3), np.uint8)
    model = models.load("photo-fine-x2")
    whole = model.run(tile)
    radius = model.card.receptive_radius
    part = model.run(tile[: 70 + radius])[:140]
    assert np.abs(part.astype(int) - whole[:140]).max() <= 1
    made = Upscaler.load("photo-fine-x2")(Picture(tile), scale=2)
    np.testing.assert_array_equal(made.picture.pixels, whole)
