"""A file is written whole or not at all."""

import errno
import io
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import made
import numpy as np
import pytest

from hyperfocal import imaging
from hyperfocal.errors import OutputExists, OutputRefused, UsageError
from hyperfocal.imaging import atomic

PICTURE = made.picture(3)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["a.png", "b.JPG", "c.tiff", "d.webp", "e.avif", "f.bmp", "g.gif"])
def test_the_suffix_tells_the_format(tmp_path, name):
    imaging.save(PICTURE, tmp_path / name)
    assert imaging.open(tmp_path / name).source == imaging.format_of_suffix(name)
    assert names(tmp_path) == [name]
    PICTURE.save(str(tmp_path / name))


def test_a_format_of_its_own(tmp_path):
    imaging.save(PICTURE, tmp_path / "picture.bin", format="png")
    assert imaging.open(tmp_path / "picture.bin").source == "png"
    imaging.save(PICTURE, tmp_path / "picture.jpg", format="PNG")
    assert imaging.open(tmp_path / "picture.jpg").source == "png"


@pytest.mark.parametrize(
    "name", ["écran 写真 🖼.png", " leading.png", "-dash.png", "n" * 251 + ".png"]
)
def test_unusual_names(tmp_path, name):
    imaging.save(PICTURE, tmp_path / name)
    assert np.array_equal(imaging.open(tmp_path / name).pixels, PICTURE.pixels)
    folder = tmp_path / "Ordner für Bilder"
    folder.mkdir()
    imaging.save(PICTURE, folder / name)
    assert names(folder) == [name]


def test_a_file_object():
    sink = io.BytesIO()
    imaging.save(PICTURE, sink, format="tiff")
    assert np.array_equal(imaging.open(sink.getvalue()).pixels, PICTURE.pixels)
    with pytest.raises(UsageError, match="name the format"):
        imaging.save(PICTURE, io.BytesIO())


def test_a_pipe():
    """Pipes cannot be rewound, which TIFF's writer would want."""
    for format in imaging.WRITABLE:
        if format == "heic":
            continue
        read, write = os.pipe()
        with os.fdopen(read, "rb") as source, os.fdopen(write, "wb") as sink:
            small = imaging.Picture(PICTURE.pixels[:8, :8])
            imaging.save(small, sink, format=format)
            sink.close()
            assert imaging.open(source.read()).pixels.shape[:2] == (8, 8)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
@pytest.mark.parametrize("format", ["png", "tiff"])
def test_a_pipe_by_its_name(format):
    """As the shell's ``>(command)`` gives it, and /dev/stdout; it leads to no path."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source:
        small = imaging.Picture(PICTURE.pixels[:8, :8])
        imaging.save(small, f"/dev/fd/{write}", format=format)
        os.close(write)
        assert np.array_equal(imaging.open(source.read()).pixels, small.pixels)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe(tmp_path):
    """More than a pipe holds, in a format whose beginning is written last."""
    path = tmp_path / "pipe.tif"
    os.mkfifo(path)
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    with ThreadPoolExecutor() as pool:
        got = pool.submit(path.read_bytes)
        imaging.save(imaging.Picture(noise), path)
        assert np.array_equal(imaging.open(got.result()).pixels, noise)
    assert names(tmp_path) == ["pipe.tif"]


def test_what_is_no_target():
    with pytest.raises(UsageError, match="not int"):
        imaging.save(PICTURE, 17)


@pytest.mark.parametrize("name", ["a", "a.xyz", "a.psd"])
def test_an_unknown_suffix(tmp_path, name):
    with pytest.raises(OutputRefused, match="names no format"):
        imaging.save(PICTURE, tmp_path / name)
    assert names(tmp_path) == []


def test_what_a_format_cannot_hold(tmp_path):
    with pytest.raises(OutputRefused, match="'psd' cannot be written; choose one of jpeg, png"):
        imaging.encode(PICTURE, "psd")
    with pytest.raises(OutputRefused, match="8 bits, not 16"):
        imaging.encode(PICTURE, "jpeg", bit_depth=16)
    with pytest.raises(OutputRefused, match="8 or 16 bits, not 32"):
        imaging.encode(PICTURE, "png", bit_depth=32)
    with pytest.raises(OutputRefused, match="0 to 100"):
        imaging.encode(PICTURE, "jpeg", quality=101)
    wide = imaging.Picture(np.zeros((1, 20_000), np.uint8))
    with pytest.raises(OutputRefused, match="16383 pixels a side"):
        imaging.save(wide, tmp_path / "a.webp")
    # libjpeg reads no longer ones, whatever the standard allows.
    wide = imaging.Picture(np.zeros((1, 65_501), np.uint8))
    with pytest.raises(OutputRefused, match="65500 pixels a side"):
        imaging.save(wide, tmp_path / "a.jpg")
    assert imaging.open(imaging.encode(imaging.Picture(wide.pixels[:, 1:]), "jpeg")).width == 65_500
    assert names(tmp_path) == []


def test_an_encoder_that_gives_up(tmp_path, monkeypatch):
    import imagecodecs

    def strange(*args, **kwargs):
        raise ValueError("in some library")

    monkeypatch.setattr(imagecodecs, "jpeg8_encode", strange)
    with pytest.raises(OutputRefused, match="JPEG cannot hold this picture: in some library"):
        imaging.save(PICTURE, tmp_path / "a.jpg")
    assert names(tmp_path) == []


def test_existing_files(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    with pytest.raises(OutputExists, match="there already"):
        imaging.save(PICTURE, path, overwrite=False)
    assert path.read_bytes() == b"before"
    imaging.save(PICTURE, path)
    assert imaging.open(path).source == "png"
    fresh = tmp_path / "b.png"
    imaging.save(PICTURE, fresh, overwrite=False)
    assert names(tmp_path) == ["a.png", "b.png"]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "a.png"

    def fill(sink):
        path.write_bytes(b"somebody was quicker")
        sink.write(b"ours")

    with pytest.raises(OutputExists):
        atomic.write_file(path, fill, overwrite=False)
    assert path.read_bytes() == b"somebody was quicker"
    assert names(tmp_path) == ["a.png"]


def test_without_hard_links(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "a.png"
    imaging.save(PICTURE, path, overwrite=False)
    assert names(tmp_path) == ["a.png"]
    with pytest.raises(OutputExists):
        imaging.save(PICTURE, path, overwrite=False)


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    seen = []

    def fill(sink):
        sink.write(b"half")
        seen.append((path.read_bytes(), len(names(tmp_path))))
        sink.write(b" and half")

    atomic.write_file(path, fill)
    assert seen == [(b"before", 2)]
    assert path.read_bytes() == b"half and half"
    assert names(tmp_path) == ["a.png"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError, OSError(errno.ENOSPC, "full")])
def test_nothing_is_left_of_a_failure(tmp_path, failure):
    path = tmp_path / "a.png"
    path.write_bytes(b"before")

    def fill(sink):
        sink.write(b"half")
        raise failure

    wanted = OutputRefused if isinstance(failure, OSError) else failure
    with pytest.raises(wanted):
        atomic.write_file(path, fill)
    assert names(tmp_path) == ["a.png"]
    assert path.read_bytes() == b"before"


def test_an_interrupt_while_encoding(tmp_path, monkeypatch):
    from hyperfocal.imaging import write_png

    calls = []

    def interrupted(rows, above, pixel):
        calls.append(1)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return real(rows, above, pixel)

    real = write_png._filtered
    monkeypatch.setattr(write_png, "_filtered", interrupted)
    large = imaging.Picture(made.photo(1500, 1000))
    with pytest.raises(KeyboardInterrupt):
        imaging.save(large, tmp_path / "a.png")
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("format", ["png", "jpeg", "bmp"])
def test_a_full_device(format):
    with pytest.raises(OutputRefused, match="no space left"):
        imaging.save(PICTURE, "/dev/full", format=format)


@pytest.mark.parametrize("format", ["png", "jpeg", "tiff", "webp", "avif", "bmp", "gif"])
@pytest.mark.parametrize("after", [0, 1500])
def test_a_full_disk(tmp_path, monkeypatch, format, after):
    """Wherever the disk fills up: our error, and no half file."""
    real = os.fdopen

    class Full(io.FileIO):
        written = 0

        def write(self, data):
            Full.written += len(data)
            if Full.written > after:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    def opened(handle, *args, **kwargs):
        real(handle, *args, closefd=False, **kwargs)
        return Full(handle, "w+b")

    Full.written = 0
    monkeypatch.setattr(os, "fdopen", opened)
    with pytest.raises(OutputRefused, match="no space left on the disk"):
        imaging.save(PICTURE, tmp_path / "a.out", format=format)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EACCES, "no permission"),
        (errno.EROFS, "no permission"),
        (errno.ENOSPC, "no space left"),
        (errno.EDQUOT, "no space left"),
        (errno.ENAMETOOLONG, "cannot be written"),
    ],
)
def test_what_the_system_refuses(tmp_path, monkeypatch, number, message):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, "open", refuse)
    with pytest.raises(OutputRefused, match=message):
        imaging.save(PICTURE, tmp_path / "a.png")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    try:
        for refused in (atomic.check_target, partial(imaging.save, PICTURE)):
            with pytest.raises(OutputRefused, match="no permission"):
                refused(tmp_path / "a.png")
    finally:
        tmp_path.chmod(0o700)


def test_no_permission_is_told_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "there.png").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    for name in ("new.png", "there.png"):
        with pytest.raises(OutputRefused, match="no permission"):
            atomic.check_target(tmp_path / name)


def test_folders(tmp_path):
    (tmp_path / "a.png").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "there.png").touch()
    # Told before there is anything to write, and then.
    for refused in (atomic.check_target, partial(imaging.save, PICTURE)):
        with pytest.raises(OutputRefused, match="folder does not exist"):
            refused(tmp_path / "none" / "a.png")
        with pytest.raises(OutputRefused, match="is a folder"):
            refused(tmp_path / "a.png")
        with pytest.raises(OutputRefused, match="folder does not exist"):
            refused(tmp_path / "file" / "a.png")
        with pytest.raises(OutputRefused, match="file name"):
            refused(Path("a\0b.png"))
        with pytest.raises(OutputExists, match="there already"):
            refused(tmp_path / "there.png", overwrite=False)
    atomic.check_target(tmp_path / "there.png")
    atomic.check_target(tmp_path / "new.png", overwrite=False)
    assert not (tmp_path / "new.png").exists()


def test_a_link_stays_a_link(tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (real / "a.png").write_bytes(b"before")
    link = tmp_path / "link.png"
    link.symlink_to(real / "a.png")
    imaging.save(PICTURE, link)
    assert link.is_symlink()
    assert imaging.open(real / "a.png").source == "png"


def test_permissions(tmp_path):
    path = tmp_path / "a.png"
    before = os.umask(0o027)
    try:
        imaging.save(PICTURE, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    imaging.save(PICTURE, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
