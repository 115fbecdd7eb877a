import locale
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import hyperfocal.models as models
from bound import bound
from hyperfocal.models.compiled_cache import CompiledCache


@pytest.fixture
def tile():
    return np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def blobs(settings):
    return sorted((settings.cache / "compiled").glob("*"))


def test_second_start_uses_what_the_first_left(settings, add_model, network, tile, monkeypatch):
    add_model("net", float=network())
    first = models.load("net", settings=settings)
    expected = first.run(tile)
    (kept,) = blobs(settings)
    assert kept.suffix == ".blob"
    assert CompiledCache(settings.cache).size() == kept.stat().st_size > 0

    def fail(_):
        raise AssertionError("read the ONNX file again")

    monkeypatch.setattr("hyperfocal.models.openvino_runtime.read_graph", fail)
    second = models.load("net", settings=settings)
    np.testing.assert_array_equal(second.run(tile), expected)
    assert (second.arithmetic, second.threads) == (first.arithmetic, first.threads)


def test_each_way_of_running_has_its_own(settings, add_model, network, tile):
    add_model("net", float=network(), int8=network(int8=True))
    made = {}
    for _ in range(2):
        for precision in ("float", "int8"):
            model = models.load(
                "net", settings=settings.model_copy(update={"precision": precision})
            )
            made.setdefault(precision, []).append(model.run(tile))
        models.load("net", settings=settings.model_copy(update={"threads": 1}))
    assert len(blobs(settings)) == 3
    for first, second in made.values():
        np.testing.assert_array_equal(first, second)
    assert (made["float"][0] != made["int8"][0]).any()


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_one_is_made_again(settings, add_model, network, tile, damage, monkeypatch):
    add_model("net", float=network())
    expected = models.load("net", settings=settings).run(tile)
    (kept,) = blobs(settings)
    whole = kept.read_bytes()
    middle = len(whole) // 2
    damaged = {
        "cut": whole[:middle],
        "flip": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "empty": b"",
    }
    kept.write_bytes(damaged[damage])
    np.testing.assert_array_equal(models.load("net", settings=settings).run(tile), expected)

    def fail(_):
        raise AssertionError("read the ONNX file again")

    monkeypatch.setattr("hyperfocal.models.openvino_runtime.read_graph", fail)
    np.testing.assert_array_equal(models.load("net", settings=settings).run(tile), expected)


def test_those_unused_for_longest_go_first(tmp_path):
    cache = CompiledCache(tmp_path, most_bytes=3 * 132)
    for number, name in enumerate("abc"):
        assert cache.put([name], bytes([number]) * 100)
    for path, age in zip(sorted((tmp_path / "compiled").iterdir()), (30, 20, 10), strict=True):
        os.utime(path, (age, age))
    # Being asked for is being used.
    ages = {name: cache._path([name]).stat().st_mtime for name in "abc"}
    oldest, middle, _ = sorted(ages, key=ages.__getitem__)
    assert cache.get([oldest]) is not None
    assert cache.put(["d"], b"d" * 100)
    assert cache.get([middle]) is None
    assert cache.get([oldest]) is not None
    assert cache.size() == 3 * 132


def test_a_blob_of_another_build_is_made_again(settings, add_model, network, tile, monkeypatch):
    add_model("net", float=network())
    expected = models.load("net", settings=settings).run(tile)
    monkeypatch.setattr(CompiledCache, "get", lambda *_: b"from another build")
    np.testing.assert_array_equal(models.load("net", settings=settings).run(tile), expected)


def test_no_cache_folder_is_no_error(settings, add_model, network, tile):
    add_model("net", float=network())
    settings.cache.write_text("a file where the folder should be")
    assert models.load("net", settings=settings).run(tile).shape == (32, 32, 3)
    assert CompiledCache(settings.cache).put(["a"], b"b") is False
    assert CompiledCache(settings.cache).get(["a"]) is None
    assert CompiledCache(settings.cache).size() == 0


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    assert CompiledCache(tmp_path).put(["a"], b"b") is False
    assert list((tmp_path / "compiled").iterdir()) == []


def test_nothing_is_kept_under_a_decimal_comma(settings, add_model, network, tile, monkeypatch):
    add_model("net", float=network())
    with monkeypatch.context() as patched:
        patched.setattr(locale, "localeconv", lambda: {"decimal_point": ","})
        expected = models.load("net", settings=settings).run(tile)
    assert not blobs(settings)
    np.testing.assert_array_equal(models.load("net", settings=settings).run(tile), expected)
    assert blobs(settings)


# As in a program with a window: it takes the locale of its user.
GERMAN = """
import locale, sys
from pathlib import Path
import numpy as np
from hyperfocal.models import load
from hyperfocal.settings import Settings

tile = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
settings = Settings.read(cache=sys.argv[1])
expected = load("photo-realtime-x2", settings=settings.model_copy(update={"cache": None})).run(tile)
locale.setlocale(locale.LC_ALL, "de_DE")
assert locale.localeconv()["decimal_point"] == ","
for _ in range(2):
    assert np.array_equal(load("photo-realtime-x2", settings=settings).run(tile), expected)
locale.setlocale(locale.LC_ALL, "C")
assert np.array_equal(load("photo-realtime-x2", settings=settings).run(tile), expected)
"""


def test_a_program_in_german_restores_like_others(tmp_path):
    made = ["localedef", "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE")]
    if shutil.which("localedef") is None or subprocess.run(made, check=False).returncode:
        pytest.skip("a German locale cannot be made here")
    command = bound(sys.executable, "-c", GERMAN, str(tmp_path / "cache"))
    environment = os.environ | {"LOCPATH": str(tmp_path), "LC_ALL": "C"}
    subprocess.run(command, check=True, timeout=300, env=environment)
