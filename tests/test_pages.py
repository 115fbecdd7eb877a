import gc
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from hyperfocal import pages, paths
from hyperfocal.errors import OutputRefused

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files and madvise")


def resident(array):
    """Bytes in memory of the mapping that an array lies in, as the system counts them."""
    address, inside = array.ctypes.data, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if span := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(span[1], 16) <= address < int(span[2], 16)
        elif inside and line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("there is no such mapping")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_released_rows_keep_their_contents(tmp_path, monkeypatch, dtype):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    array = pages.allocate((301, 257, 3), dtype, on_disk=True)
    expected = np.random.default_rng(0).integers(0, 255, array.shape).astype(dtype)
    for top in range(0, 301, 7):
        array[top : top + 7] = expected[top : top + 7]
        pages.release(array[top : top + 7])
    assert np.array_equal(array, expected)
    pages.release(array[10:20])
    array[15] = 9
    pages.release(array[10:20])
    assert np.all(array[15] == 9)
    assert np.array_equal(array[14], expected[14])


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs /proc")
def test_released_rows_are_not_resident():
    array = pages.allocate((2000, 1000, 3), np.uint8, on_disk=True)
    assert resident(array) == 0
    array[:] = 1
    # Of a busy machine the system may have taken some back already, not all that soon.
    assert resident(array) > array.nbytes / 4
    pages.release(array[:1000])
    assert resident(array) < array.nbytes * 0.51
    pages.release(array)
    assert resident(array) == 0


def test_nothing_is_left_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    array = pages.allocate((100, 100), np.uint8, on_disk=True)
    assert list(tmp_path.iterdir()) == []
    del array
    gc.collect()


def test_views_and_ordinary_arrays():
    on_disk = pages.allocate((64, 64), np.uint8, on_disk=True)
    assert pages.is_on_disk(on_disk[3:9].T)
    on_disk[:] = 5
    pages.release(on_disk[:, 3:9])  # not adjoining rows: nothing happens
    assert np.all(on_disk == 5)
    ordinary = pages.allocate((64, 64), np.uint8, on_disk=False)
    assert not pages.is_on_disk(ordinary)
    ordinary[:] = 7
    pages.release(ordinary)
    assert np.all(ordinary == 7)


def test_no_room_on_disk(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OutputRefused, match=r"No space left.*TMPDIR"):
        pages.allocate((10, 10), np.uint8, on_disk=True)


def test_no_room_on_any_disk(tmp_path, monkeypatch):
    def none_found():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.gettempdir", none_found)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    assert paths.scratch() == str(tmp_path)
    with pytest.raises(OutputRefused, match="No space left"):
        pages.allocate((10, 10), np.uint8, on_disk=True)


def test_no_room_in_memory_goes_to_disk(monkeypatch):
    def none_left(*_):
        raise MemoryError

    monkeypatch.setattr(pages.np, "empty", none_left)
    assert pages.is_on_disk(pages.allocate((10, 10), np.uint8, on_disk=False))
