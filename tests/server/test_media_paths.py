from __future__ import annotations

import errno
import os
import shutil
import socket

import pytest

from hyperfocal.errors import HyperfocalError, InputMissing
from hyperfocal.server.errors import BodyTooLarge, Forbidden, SpoolFull
from hyperfocal.server.security.media import copy_from_media


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "media"
    (root / "folder").mkdir(parents=True)
    (root / "a.png").write_bytes(b"picture a")
    (root / "folder" / "b c é.png").write_bytes(b"picture b")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "media-of-others").mkdir()
    (tmp_path / "media-of-others" / "x.png").write_bytes(b"secret")
    return root


def fetch(root, name, max_bytes=1000):
    target = root.parent / "copy"
    copy_from_media(root, name, target, max_bytes=max_bytes)
    return target.read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", b"picture a"),
        ("./a.png", b"picture a"),
        ("folder/b c é.png", b"picture b"),
        ("folder//b c é.png", b"picture b"),
    ],
)
def test_files_below_the_root_are_copied(root, name, content):
    assert fetch(root, name) == content


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "folder/../../secret.png",
        "folder/../a.png",
        "..",
        "/etc/passwd",
        "//etc/passwd",
        "~/x.png",
        "~root/x.png",
        "a.png\0",
        "\0",
        "a\n.png",
        "..\\secret.png",
        "C:/x.png",
        "file:///etc/passwd",
    ],
)
def test_names_that_cannot_be_meant_honestly_are_refused(root, name):
    with pytest.raises(Forbidden):
        fetch(root, name)


def test_an_absolute_path_is_refused_even_if_it_leads_below(root):
    with pytest.raises(Forbidden):
        fetch(root, str(root / "a.png"))


@pytest.mark.parametrize("name", ["missing.png", "a.png/x", "folder", ".", "", "x" * 5000])
def test_what_is_no_file_is_not_there(root, name):
    with pytest.raises(InputMissing):
        fetch(root, name)


def test_links_are_followed_only_as_long_as_they_stay_below(root):
    (root / "inner").symlink_to("a.png")
    (root / "outer").symlink_to("../secret.png")
    (root / "absolute").symlink_to("/etc/passwd")
    (root / "folder" / "up").symlink_to("../..")
    (root / "sibling").symlink_to("../media-of-others")
    (root / "loop").symlink_to("loop")
    assert fetch(root, "inner") == b"picture a"
    for name in ("outer", "absolute", "folder/up/secret.png", "sibling/x.png", "loop"):
        with pytest.raises(InputMissing):
            fetch(root, name)


def test_a_root_that_is_a_link_is_still_the_root(root, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(root)
    assert fetch(link, "a.png") == b"picture a"


def test_outside_and_not_there_are_told_alike(root):
    (root / "outer").symlink_to("../secret.png")
    said = set()
    for name in ("outer", "missing", "folder"):
        with pytest.raises(HyperfocalError) as caught:
            fetch(root, name)
        said.add(str(caught.value))
    assert len(said) == 1


def test_devices_pipes_and_sockets_are_not_pictures(root):
    os.mkfifo(root / "pipe")
    (root / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(root, os.O_RDONLY)
        try:
            # Through a short name: addresses of sockets may not be long.
            made.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
        for name in ("pipe", "null", "socket"):
            with pytest.raises(InputMissing):
                fetch(root, name)


def test_a_file_may_not_be_larger_than_a_request(root):
    assert fetch(root, "a.png", max_bytes=9) == b"picture a"
    with pytest.raises(BodyTooLarge):
        fetch(root, "a.png", max_bytes=8)


def test_a_root_that_is_not_there_has_nothing(tmp_path):
    with pytest.raises(InputMissing):
        copy_from_media(tmp_path / "none", "a.png", tmp_path / "copy", max_bytes=9)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_for_a_copy_is_not_a_file_that_is_missing(root, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(shutil, "copyfileobj", refuse)
    with pytest.raises(SpoolFull):
        fetch(root, "a.png")
