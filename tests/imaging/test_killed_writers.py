"""What programs that are killed, and power cuts, leave of files that were being written."""

import contextlib
import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hyperfocal import Picture, imaging
from hyperfocal.errors import OutputRefused
from hyperfocal.imaging import atomic, temporary


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(path, **options):
    atomic.write_file(path, lambda sink: sink.write(b"whole"), **options)


@pytest.fixture
def anew():
    """As a program that has not yet written anywhere."""
    temporary.sweep.cache_clear()


@pytest.mark.skipif(sys.platform == "win32", reason="there, strays are kept for a day")
@pytest.mark.parametrize("overwrite", [True, False])
def test_what_a_killed_program_left_goes_with_the_next_write(tmp_path, anew, overwrite):
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from hyperfocal.imaging import atomic\n"
        "def fill(sink):\n"
        "    sink.write(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"atomic.write_file(Path(sys.argv[1]), fill, overwrite={overwrite})\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.png"], check=False)
    assert done.returncode < 0
    assert len(names(tmp_path)) == 1
    write(tmp_path / "b.png", overwrite=overwrite)
    assert names(tmp_path) == ["b.png"]


def test_what_is_being_written_stays(tmp_path, anew):
    def fill(sink):
        sink.write(b"half")
        temporary.sweep.cache_clear()
        write(tmp_path / "b.png")
        sink.write(b" and half")

    atomic.write_file(tmp_path / "a.png", fill)
    assert (tmp_path / "a.png").read_bytes() == b"half and half"
    assert names(tmp_path) == ["a.png", "b.png"]


def test_what_others_may_be_writing_stays_for_a_day(tmp_path, anew):
    """Their locks may not be seen here."""
    young, old, link = (tmp_path / f".hyperfocal-{name}.tmp" for name in ("young", "old", "link"))
    young.touch()
    old.touch()
    os.utime(old, (time.time() - 2 * 86_400,) * 2)
    link.symlink_to(old)
    write(tmp_path / "a.png")
    assert names(tmp_path) == [link.name, young.name, "a.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs flock")
def test_without_locks_files_are_written_and_nothing_is_swept(tmp_path, anew, monkeypatch):
    import fcntl

    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    stray = tmp_path / f".hyperfocal-{temporary._kernel()}-0.tmp"
    stray.touch()
    write(tmp_path / "a.png")
    write(tmp_path / "b.png", overwrite=False)
    assert names(tmp_path) == [stray.name, "a.png", "b.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs flock")
def test_a_file_that_is_swept_before_it_is_locked_is_made_again(tmp_path, anew, monkeypatch):
    real = temporary._lock
    swept = []

    def late(handle):
        if not swept:
            (path,) = tmp_path.iterdir()
            path.unlink()
            swept.append(path.name)
        return real(handle)

    monkeypatch.setattr(temporary, "_lock", late)
    write(tmp_path / "a.png")
    assert names(tmp_path) == ["a.png"]
    assert len(swept) == 1


@pytest.mark.parametrize("overwrite", [True, False])
def test_the_content_is_on_the_disk_before_the_name(tmp_path, monkeypatch, overwrite):
    path = tmp_path / "a.png"
    if overwrite:
        path.write_bytes(b"before")
    synced = []

    def sync(handle):
        before = path.read_bytes() if path.exists() else None
        synced.append((os.fstat(handle).st_size, before))

    monkeypatch.setattr(os, "fsync", sync)
    write(path, overwrite=overwrite)
    assert synced == [(5, b"before" if overwrite else None)]
    assert path.read_bytes() == b"whole"


@pytest.mark.parametrize(
    ("number", "fails"),
    [(errno.EIO, True), (errno.ENOSPC, True), (errno.EINVAL, False), (errno.ENOSYS, False)],
)
def test_a_disk_that_fails_at_last_is_told(tmp_path, monkeypatch, number, fails):
    """A file system that cannot is no failure."""

    def failing(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OutputRefused) if fails else contextlib.nullcontext():
        write(tmp_path / "a.png")
    assert names(tmp_path) == ([] if fails else ["a.png"])


def test_what_is_of_no_use_after_a_power_cut_does_not_wait_for_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: pytest.fail("waited"))
    atomic.write_file(tmp_path / "a.png", lambda sink: sink.write(b"whole"), durable=False)
    assert (tmp_path / "a.png").read_bytes() == b"whole"
    picture = Picture(np.zeros((3, 4, 3), np.uint8))
    imaging.save(picture, tmp_path / "b.png", durable=False)
    assert imaging.open(tmp_path / "b.png").pixels.shape == (3, 4, 3)


def test_no_handles_are_left_open(tmp_path):
    listing = Path("/proc/self/fd")
    if not listing.exists():
        pytest.skip("needs /proc")
    before = len(names(listing))
    for number in range(5):
        write(tmp_path / f"{number}.png", overwrite=False)
    assert len(names(listing)) == before
