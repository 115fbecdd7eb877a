"""What is loaded once: by threads of one process, and by each process that a pool has."""

import copy
import multiprocessing
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import hyperfocal
from hyperfocal import Picture, Settings, Upscaler, models
from hyperfocal.errors import ModelMissing, UsageError
from hyperfocal.restore.kept import KEPT


@pytest.fixture(autouse=True)
def nothing_kept():
    KEPT.clear()
    yield
    KEPT.clear()


@pytest.mark.parametrize("model", ["bicubic-x2", "auto"])
def test_threads_that_ask_at_once_load_once(monkeypatch, replicate, model):
    loaded, all_here = [], threading.Barrier(6)

    def load(name, *, settings=None):
        loaded.append(name)
        return replicate(2, name=name)

    def call(_):
        all_here.wait(60)
        return hyperfocal.upscale(pixels, scale=2, model=model)

    monkeypatch.setattr(models, "load", load)
    pixels = np.full((16, 16, 3), 7, np.uint8)
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(call, range(6)))
    assert len(loaded) == 1
    assert all(np.array_equal(one, np.full((32, 32, 3), 7)) for one in made)


def test_what_cannot_be_loaded_takes_nobodys_place(monkeypatch, replicate):
    loaded = []
    monkeypatch.setattr(
        models, "load", lambda name, settings: loaded.append(name) or replicate(2, name=name)
    )
    pixels = np.zeros((4, 4, 3), np.uint8)
    kept = ["bicubic-x2", "bicubic-x3", "bicubic-x4", "photo-fast-x2"]
    for name in kept:
        hyperfocal.upscale(pixels, model=name)
    for number in range(10):
        with pytest.raises(ModelMissing):
            hyperfocal.upscale(pixels, model=f"none-{number}")
    for name in kept:
        hyperfocal.upscale(pixels, model=name)
    assert loaded == kept
    # The fifth takes the place of the one that was asked for the longest ago.
    hyperfocal.upscale(pixels, model="photo-fast-x4")
    for name in (*kept[1:], kept[0]):
        hyperfocal.upscale(pixels, model=name)
    assert loaded == [*kept, "photo-fast-x4", kept[0]]


def test_a_pickled_one_is_loaded_once(monkeypatch):
    upscaler = Upscaler.load("bicubic-x2", memory="300MB", threads=1)
    data = pickle.dumps(upscaler)
    first, second = pickle.loads(data), pickle.loads(data)
    assert first is second
    assert first.settings == upscaler.settings
    assert first.scales == (2,)


def test_a_card_is_found_from_another_folder(monkeypatch, tmp_path):
    (tmp_path / "mine.toml").write_text('name = "bicubic-x2"\nscale = 2\nkind = "builtin"')
    (tmp_path / "mine.toml").rename(tmp_path / "bicubic-x2.toml")
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(Upscaler.load("bicubic-x2.toml"))
    monkeypatch.chdir("/")
    assert pickle.loads(data).scales == (2,)


def test_one_made_of_models_says_that_it_stays(replicate):
    with pytest.raises(UsageError, match=r"Upscaler\.load"):
        pickle.dumps(Upscaler(replicate(2)))


def test_a_pool_of_processes(tmp_path):
    upscaler = Upscaler.load("bicubic-x2", settings=Settings(cache=tmp_path, models=tmp_path))
    pictures = [Picture(np.full((3, 2, 3), value, np.uint8)) for value in (4, 5)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        results = pool.map_async(upscaler, pictures).get(120)
    assert [result.picture.pixels.shape for result in results] == [(6, 4, 3)] * 2
    assert [int(result.picture.pixels[0, 0, 0]) for result in results] == [4, 5]


def test_a_copy_is_the_same(replicate):
    upscaler = Upscaler(replicate(2))
    assert copy.copy(upscaler) is upscaler
    assert copy.deepcopy([upscaler])[0] is upscaler
