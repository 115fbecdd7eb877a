"""What a program's own time limit raises in the midst of anything reaches the program as it is."""

from __future__ import annotations

import ast
import ctypes
import errno
import importlib.util
import lzma
import os
import signal
import struct
import sys
import threading
import zlib
from pathlib import Path

import imagecodecs
import made
import numpy as np
import pytest
import simplejpeg
import tifffile
from PIL import BmpImagePlugin, GifImagePlugin, Image, ImageCms, UnidentifiedImageError

from hyperfocal import imaging
from hyperfocal.errors import BrokenPicture, InputMissing, OutputRefused
from hyperfocal.imaging import exif, geo, guard, photoshop, profile, write_png

SOURCE = Path(imaging.__file__).parent
PICTURE = made.picture(3, icc=made.wide_rgb_profile(), metadata=made.metadata())


class TimeLimit(Exception):
    """As that of a queue of jobs, of another package."""


class OfTheSystem(OSError):
    """One that ``except OSError`` would catch."""


HOSTS = [TimeLimit, OfTheSystem, TimeoutError]
DECODERS = [
    ("jpeg", simplejpeg, "decode_jpeg"),
    ("png", imagecodecs, "spng_decode"),
    ("webp", imagecodecs, "webp_decode"),
    ("avif", imagecodecs, "avif_decode"),
    ("tiff", tifffile.TiffPage, "asarray"),
    ("tiff", tifffile, "TiffFile"),
    ("bmp", BmpImagePlugin, "BmpImageFile"),
    ("gif", GifImagePlugin, "GifImageFile"),
]
ENCODERS = [
    ("jpeg", imagecodecs, "jpeg8_encode"),
    ("avif", Image.Image, "save"),
    ("png", write_png, "_filtered"),
    ("webp", Image.Image, "save"),
    ("gif", Image.Image, "quantize"),
]
THEIRS = [
    ValueError("theirs"),
    RuntimeError("theirs"),
    OSError("theirs"),
    OSError(errno.EIO, "theirs"),
    ZeroDivisionError("theirs"),
    RecursionError("theirs"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "theirs"),
    struct.error("theirs"),
    zlib.error("theirs"),
    lzma.LZMAError("theirs"),
    UnidentifiedImageError("theirs"),
    ImageCms.PyCMSError("theirs"),
    np.linalg.LinAlgError("theirs"),
    imagecodecs.Jpeg8Error("decode", "theirs"),
    imagecodecs.TiffError("theirs"),
    tifffile.TiffFileError("theirs"),
]


def raising(error):
    def instead(*args, **kwargs):
        raise error

    return instead


@pytest.mark.parametrize("error", HOSTS)
@pytest.mark.parametrize(("format", "where", "name"), DECODERS)
def test_out_of_a_decoder(format, where, name, error, monkeypatch):
    data = imaging.encode(PICTURE, format)
    monkeypatch.setattr(where, name, raising(error("time is up")))
    with pytest.raises(error, match=r"^time is up$"):
        imaging.open(data)


@pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is None, reason="an extra")
@pytest.mark.parametrize("error", HOSTS)
def test_out_of_the_decoder_of_heic(error, monkeypatch):
    import pillow_heif

    data = imaging.encode(PICTURE, "heic")
    monkeypatch.setattr(pillow_heif, "open_heif", raising(error("time is up")))
    with pytest.raises(error, match=r"^time is up$"):
        imaging.open(data)


@pytest.mark.parametrize("error", HOSTS)
@pytest.mark.parametrize(
    ("format", "where", "name"),
    [
        ("jpeg", exif, "read"),
        ("jpeg", exif, "cleaned"),
        ("jpeg", photoshop, "iptc_of"),
        ("png", zlib, "decompressobj"),
        ("tiff", geo, "read"),
    ],
)
def test_out_of_a_reader_of_metadata(format, where, name, error, monkeypatch):
    """Which would go on without these."""
    data = imaging.encode(PICTURE, format)
    monkeypatch.setattr(where, name, raising(error("time is up")))
    with pytest.raises(error, match=r"^time is up$"):
        imaging.open(data)


@pytest.mark.parametrize("error", HOSTS)
def test_out_of_a_colour_profile(error, monkeypatch):
    monkeypatch.setattr(ImageCms, "ImageCmsTransform", raising(error("time is up")))
    with pytest.raises(error, match=r"^time is up$"):
        profile.to_srgb(made.photo(), made.wide_rgb_profile())
    monkeypatch.setattr(ImageCms, "getProfileDescription", raising(error("time is up")))
    with pytest.raises(error, match=r"^time is up$"):
        profile.describe(made.wide_rgb_profile())


@pytest.mark.parametrize("error", HOSTS)
@pytest.mark.parametrize(("format", "where", "name"), ENCODERS)
def test_out_of_an_encoder(format, where, name, error, monkeypatch, tmp_path):
    monkeypatch.setattr(where, name, raising(error("time is up")))
    with pytest.raises(error, match=r"^time is up$"):
        imaging.encode(PICTURE, format)
    with pytest.raises(error, match=r"^time is up$"):
        imaging.save(PICTURE, tmp_path / f"a.{format}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", HOSTS)
def test_out_of_a_pillow_image(error, monkeypatch):
    image = Image.fromarray(made.photo())
    monkeypatch.setattr(image, "load", raising(error("time is up")))
    with pytest.raises(error, match=r"^time is up$"):
        imaging.from_pil(image)


@pytest.mark.parametrize("error", HOSTS)
def test_while_a_file_is_read(error, monkeypatch, tmp_path):
    (tmp_path / "a.png").write_bytes(imaging.encode(PICTURE, "png"))
    monkeypatch.setattr(Path, "open", raising(error("time is up")))
    with pytest.raises(error, match=r"^time is up$"):
        imaging.open(tmp_path / "a.png")


def test_what_the_system_says_is_no_time_limit(monkeypatch, tmp_path):
    """Of a share that does not answer."""
    (tmp_path / "a.png").write_bytes(imaging.encode(PICTURE, "png"))
    late = OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    assert isinstance(late, TimeoutError)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", raising(late))
        with pytest.raises(InputMissing, match="cannot be read"):
            imaging.open(tmp_path / "a.png")
    monkeypatch.setattr(os, "fsync", raising(late))
    with pytest.raises(OutputRefused, match="cannot be written"):
        imaging.save(PICTURE, tmp_path / "a.png")


def by_a_signal():
    signal.raise_signal(signal.SIGTERM)


def by_another_thread():
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(threading.get_ident()), ctypes.py_object(TimeLimit)
    )
    for _ in range(1_000_000):
        # It comes where Python looks for such things.
        pass


@pytest.mark.parametrize("come", [by_a_signal, by_another_thread])
@pytest.mark.parametrize(("where", "name"), [(simplejpeg, "decode_jpeg"), (exif, "cleaned")])
def test_one_that_comes_as_they_do(come, where, name, monkeypatch):
    def handler(*_):
        raise TimeLimit

    def interrupted(*args, **kwargs):
        come()
        return real(*args, **kwargs)

    data, real = imaging.encode(PICTURE, "jpeg"), getattr(where, name)
    monkeypatch.setattr(where, name, interrupted)
    before = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(TimeLimit):
            imaging.open(data)
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("error", THEIRS, ids=lambda error: type(error).__name__)
def test_what_libraries_raise_is_still_about_the_picture(error, monkeypatch):
    data = imaging.encode(PICTURE, "webp")
    with monkeypatch.context() as patched:
        patched.setattr(imagecodecs, "webp_decode", raising(error))
        with pytest.raises(BrokenPicture, match=r"corrupt WebP: .*theirs"):
            imaging.open(data)
    with monkeypatch.context() as patched:
        patched.setattr(exif, "cleaned", raising(error))
        assert exif.DAMAGED in imaging.open(data).notes
    if not isinstance(error, OSError):
        monkeypatch.setattr(imagecodecs, "jpeg8_encode", raising(error))
        with pytest.raises(OutputRefused, match=r"JPEG cannot hold this picture: .*theirs"):
            imaging.encode(PICTURE, "jpeg")


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_every_library_in_use_is_known_to_raise():
    """Else what it says of a hostile file would reach the program."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")]
    tops = {name.partition(".")[0] for tree in trees for name in imported(tree)}
    assert {"imagecodecs", "PIL"} <= tops
    assert tops - sys.stdlib_module_names <= guard._RAISING
