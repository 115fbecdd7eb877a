"""Files in a folder, in memory and in a bucket, all by the same rules."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path

import pytest

from hyperfocal.errors import SettingsError
from hyperfocal.storage import FileMissing, Storage, StorageUnavailable


@pytest.fixture(scope="module")
def bucket():
    """URL of a bucket on a server for tests, which forgets everything when it ends."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    given = {
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        running.start()
        patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*running.get_host_and_port()))
        import s3fs

        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("pictures")
        yield "s3://pictures"
        running.stop()


@pytest.fixture(params=["folder", "memory", "s3"])
def storage(request, tmp_path):
    if request.param == "folder":
        return Storage(tmp_path / "kept", "sub")
    if request.param == "memory":
        return Storage(f"memory://{uuid.uuid4().hex}", "sub")
    return Storage(f"{request.getfixturevalue('bucket')}/{uuid.uuid4().hex}", "sub")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(os.urandom(700_000))
    return path


def test_what_is_put_comes_back(storage, source, tmp_path):
    content = source.read_bytes()
    assert storage.entries() == []
    assert storage.put("a.png", source) == len(content)
    assert storage.size("a.png") == len(content)
    assert b"".join(storage.chunks("a.png")) == content
    storage.fetch("a.png", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content
    (entry,) = storage.entries()
    assert (entry.name, entry.bytes) == ("a.png", len(content))
    assert abs(entry.modified - source.stat().st_mtime) < 60
    assert source.exists()


def test_the_same_name_again_replaces(storage, source):
    storage.put("a", source)
    source.write_bytes(b"new")
    storage.put("a", source, move=True)
    assert b"".join(storage.chunks("a")) == b"new"
    assert storage.size("a") == 3
    assert not source.exists()


def test_a_mark_is_an_empty_file(storage, source):
    for _ in range(2):
        storage.mark("mark")
        assert [(entry.name, entry.bytes) for entry in storage.entries()] == [("mark", 0)]
    assert storage.size("mark") == 0


def test_deleting(storage, source):
    storage.put("a", source)
    assert storage.delete("a")
    assert storage.entries() == []
    # A bucket says yes to that, too.
    storage.delete("a")
    if storage.local("a") is not None:
        assert not storage.delete("a")


def test_what_is_not_there(storage, tmp_path):
    with pytest.raises(FileMissing):
        storage.size("a")
    with pytest.raises(FileMissing):
        list(storage.chunks("a"))
    with pytest.raises(FileMissing):
        storage.fetch("a", tmp_path / "copy")


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/b", "/a", "a\0", "a\n", ".a", "é"])
def test_names_that_might_lead_elsewhere(storage, source, name):
    for use in (storage.size, storage.delete, storage.local):
        if use == storage.delete:
            assert not use(name)
            continue
        if use == storage.local and storage.local("a") is None:
            continue
        with pytest.raises(FileMissing):
            use(name)
    with pytest.raises(FileMissing):
        storage.put(name, source)


def test_a_torn_write_leaves_nothing(tmp_path, source, monkeypatch):
    storage = Storage(tmp_path / "kept")

    def torn(source, target):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", torn)
    with pytest.raises(StorageUnavailable, match="No space left"):
        storage.put("a", source)
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize("move", [False, True])
def test_the_content_is_on_the_disk_before_the_name(tmp_path, source, monkeypatch, move):
    storage, content = Storage(tmp_path / "kept"), source.read_bytes()
    synced = []

    def sync(handle):
        synced.append((os.fstat(handle).st_size, (tmp_path / "kept" / "a").exists()))

    monkeypatch.setattr(os, "fsync", sync)
    storage.put("a", source, move=move)
    assert synced == [(len(content), False)]
    assert (tmp_path / "kept" / "a").read_bytes() == content
    assert source.exists() is not move


def test_a_disk_that_fails_at_last_keeps_nothing(tmp_path, source, monkeypatch):
    """Though it may say so once only: what it has not written it need not remember."""
    told = []

    def failing(_):
        if not told:
            told.append("once")
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(StorageUnavailable):
        Storage(tmp_path / "kept").put("a", source, move=True)
    assert list((tmp_path / "kept").iterdir()) == []
    assert source.exists()


def test_folders_of_one_storage_are_apart(tmp_path, source):
    one, two = Storage(tmp_path, "one"), Storage(tmp_path, "two")
    one.put("a", source)
    assert two.entries() == []


@pytest.mark.parametrize(
    ("url", "says"),
    [("nothing://x", "no folder or storage URL"), ("nothing://user:secret@x", "nothing://x")],
)
def test_a_url_that_nothing_opens(url, says):
    with pytest.raises(SettingsError, match=says) as raised:
        Storage(url)
    assert "secret" not in str(raised.value).partition(":")[0]


def test_a_bucket_that_cannot_be_reached(monkeypatch, source):
    s3fs = pytest.importorskip("s3fs")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    s3fs.S3FileSystem.clear_instance_cache()
    storage = Storage("s3://pictures")
    try:
        with pytest.raises(StorageUnavailable):
            storage.size("a")
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_a_folder_that_cannot_be_there_is_no_missing_file(tmp_path, source, monkeypatch):
    storage = Storage(tmp_path / "kept")

    def missing(*_args, **_named):
        raise FileNotFoundError

    monkeypatch.setattr(storage, "_put_local", missing)
    with pytest.raises(StorageUnavailable, match="not there"):
        storage.put("a.bin", source)


def test_a_bucket_that_is_not_there_is_no_missing_file(bucket, source):
    with pytest.raises(StorageUnavailable, match="not there"):
        Storage("s3://of-another-name").put("a.bin", source)


def test_a_part_that_cannot_be_removed_does_not_keep_the_others(source, tmp_path, monkeypatch):
    storage = Storage(tmp_path / "kept")
    storage.put("a.bin", source)
    for name in (".one.part", ".two.part"):
        (tmp_path / "kept" / name).write_bytes(b"half")
        os.utime(tmp_path / "kept" / name, (0, 0))
    unlink = Path.unlink

    def refuse(path, **named):
        if path.name == ".one.part":
            raise PermissionError(path)
        unlink(path, **named)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert storage.sweep_parts(older_than=60.0) == 1
    assert sorted(p.name for p in (tmp_path / "kept").iterdir()) == [".one.part", "a.bin"]


@pytest.mark.parametrize("known_by", ["put", "mark", "entries", "prepare"])
def test_a_folder_that_is_gone_is_away_and_not_made_again(source, tmp_path, known_by):
    """As where a volume was unmounted: its files are not missing, and nothing goes elsewhere."""
    root, content = tmp_path / "kept", source.read_bytes()
    Storage(root).put("a", source)
    storage = Storage(root)
    given = {"put": ("a", source), "mark": ("m",)}
    getattr(storage, known_by)(*given.get(known_by, ()))
    aside = root.rename(tmp_path / "aside")
    for use in (
        lambda: storage.put("b", source),
        lambda: storage.put("b", source, move=True),
        lambda: storage.mark("b"),
        lambda: storage.size("a"),
        lambda: storage.fetch("a", tmp_path / "copy"),
        lambda: list(storage.chunks("a")),
        lambda: storage.delete("a"),
        lambda: storage.entries(),
    ):
        with pytest.raises(StorageUnavailable, match="not there"):
            use()
    assert not root.exists()
    assert source.read_bytes() == content
    aside.rename(root)
    assert b"".join(storage.chunks("a")) == content
    with pytest.raises(FileMissing):
        storage.size("b")


def test_a_file_that_went_before_it_was_kept(storage, source):
    source.unlink()
    with pytest.raises(StorageUnavailable):
        storage.put("a", source)
    assert storage.entries() == []
