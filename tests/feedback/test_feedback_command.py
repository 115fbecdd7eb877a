"""``hyperfocal feedback``, on a database like the service's."""

from __future__ import annotations

import errno
import json
import signal
import sqlite3
import sys
from contextlib import closing

import pytest
from typer.testing import CliRunner

from hyperfocal import Settings, models
from hyperfocal.cli.app import build
from hyperfocal.feedback import Opinion, Reason, Request, Verdict, book
from hyperfocal.imaging import temporary
from hyperfocal.models.card import ModelCard
from hyperfocal.server.settings import ServerSettings
from hyperfocal.server.store import Order, Status, Store, forget, jobs
from hyperfocal.storage import Storage, StorageUnavailable


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("HYPERFOCAL_SERVER_DATA", str(tmp_path / "data"))
    return ServerSettings.read()


@pytest.fixture
def run(settings):
    def call(*arguments):
        result = CliRunner().invoke(build(), ["feedback", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@pytest.fixture
def filled(settings, tmp_path):
    """Three requests, two of them judged, one with a picture; and a job of the first."""
    store = Store.open(settings)
    sent = tmp_path / "sent"
    sent.write_bytes(b"pixels")
    for name, model in (("one", "m1"), ("two", "m2"), ("three", "m2")):
        store.blocking(book.record, Request(name, "key-id", model, "v", 2.0, 8, 6, 40.0))
    picture, size = store.keep(sent, "png")
    up = Opinion(Verdict.UP, comment="good\x1b[31m\nyes", keep_picture=True)
    store.blocking(book.give, "one", "key-id", up, (picture, "image/png", size))
    down = Opinion(Verdict.DOWN, (Reason.BLURRY,), "é")
    store.blocking(book.give, "two", "key-id", down)
    Storage(settings.results_url, "inputs").put("9-in.bin", sent)
    order = Order("one", "key-id", {}, "9-in.bin", None, "f", jobs.expiry(1))
    store.blocking(jobs.add, order, limit=9)
    store.close()
    return settings


def test_listing(run, filled):
    result = run("list")
    assert result.exit_code == 0
    header, two, one = result.stdout.splitlines()
    assert header.split()[:3] == ["given", "verdict", "request"]
    assert "blurry" in two
    assert "kept" in one
    # Nothing that a terminal would obey.
    assert "\x1b" not in result.stdout
    found = json.loads(run("list", "--json", "--verdict", "up").stdout)["verdicts"]
    assert [entry["request_id"] for entry in found] == ["one"]
    assert found[0]["comment"] == "good\x1b[31m\nyes"
    assert "owner" not in found[0]
    assert (
        json.loads(run("list", "--json", "--limit", "1").stdout)["verdicts"][0]["request_id"]
        == "two"
    )
    assert json.loads(run("list", "--json", "--model", "m2", "--since", "2020-01-01").stdout)
    assert json.loads(run("list", "--json", "--since", "2999-01-01").stdout) == {"verdicts": []}


def test_exporting(run, filled, tmp_path):
    target, folder = tmp_path / "out.jsonl", tmp_path / "pictures"
    result = run("export", "-o", str(target), "--pictures", str(folder))
    assert result.exit_code == 0
    lines = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [(line["request_id"], line["verdict"]) for line in lines] == [
        ("two", "down"),
        ("one", "up"),
    ]
    assert lines[0]["reasons"] == ["blurry"]
    assert lines[0]["picture"] is None
    assert (folder / lines[1]["picture"]).read_bytes() == b"pixels"
    assert run("export").stdout_bytes == target.read_bytes()


def exported(run, folder, *arguments):
    result = run("export", "--pictures", str(folder), *arguments)
    assert result.exit_code == 0
    return result, sorted(path.name for path in folder.iterdir())


def test_what_is_not_kept_any_more_leaves_the_export(run, filled, tmp_path):
    folder = tmp_path / "pictures"
    _, (picture,) = exported(run, folder)
    store = Store.open(filled)
    kept, size = store.keep(tmp_path / "sent", "png")
    given = Opinion(Verdict.UP, keep_picture=True)
    store.blocking(book.give, "three", "key-id", given, (kept, "image/png", size))
    withdrawn = f"{store.id}-{'a' * 32}.jpg"
    store.close()
    # What this database never named, another one did, or somebody put there, is not its own.
    others = [f"{'0' * 32}-{'a' * 32}.png", f"{'a' * 32}.png", "holiday.png", f"x{picture}"]
    for name in (withdrawn, *others):
        (folder / name).write_bytes(b"pixels")
    result, found = exported(run, folder, "--verdict", "down")
    # Those of lines that are not wanted this time may be kept.
    assert found == sorted((picture, *others))
    assert "1 pictures" in result.stderr
    assert exported(run, folder)[1] == sorted((picture, kept, *others))
    run("delete", "one")
    result, found = exported(run, folder)
    assert found == sorted((kept, *others))
    assert "1 pictures" in result.stderr
    assert "removed" not in exported(run, folder)[0].stderr


def test_what_is_not_kept_leaves_the_export_though_nobody_reads_its_lines(
    run, filled, tmp_path, monkeypatch
):
    folder = tmp_path / "pictures"
    exported(run, folder)
    run("delete", "one")

    class Gone:
        def write(self, data):
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("typer.get_binary_stream", lambda _: Gone())
    result = run("export", "--pictures", str(folder))
    assert result.exit_code == 1
    # As of any verb: that somebody has read enough is no trouble.
    assert "ipe" not in result.stderr
    assert list(folder.iterdir()) == []


def test_the_storage_itself_loses_nothing_by_being_exported_to(run, filled):
    store = Store.open(filled)
    # One whose row is about to be written.
    store.keep(filled.data.parent / "sent", "png")
    before = sorted(entry.name for entry in store.pictures.entries())
    assert len(before) == 2
    assert exported(run, store.pictures.folder)[1] == before
    store.close()


def test_a_withdrawn_picture_that_cannot_be_removed_is_told(run, filled, tmp_path):
    folder = tmp_path / "pictures"
    exported(run, folder)
    store = Store.open(filled)
    stuck = f"{store.id}-{'a' * 32}.jpg"
    store.close()
    (folder / stuck).mkdir()
    run("delete", "one")
    lines = tmp_path / "verdicts.jsonl"
    result = run("export", "--pictures", str(folder), "-o", str(lines))
    assert result.exit_code == 1
    assert stuck in result.stderr
    assert [path.name for path in folder.iterdir()] == [stuck]
    # The lines are none the worse for it.
    assert lines.read_text(encoding="utf-8") == run("export").stdout


def test_what_a_killed_export_left_leaves_with_the_next(run, filled, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    left = folder / f".hyperfocal-{temporary._kernel()}-left.tmp"
    left.write_bytes(b"pixels of somebody")
    run("delete", "one")
    assert run("export", "--pictures", str(folder)).exit_code == 0
    assert list(folder.iterdir()) == []


def test_an_export_holds_nothing_up(run, filled, tmp_path, monkeypatch):
    """Neither a slow storage nor whoever reads its output slowly keeps the service waiting."""
    monkeypatch.setattr(
        "hyperfocal.server.store.engine._PRAGMAS",
        ("PRAGMA journal_mode=WAL", "PRAGMA busy_timeout=1"),
    )
    service, chunks, written = Store.open(filled), Storage.chunks, []

    def work(name):
        service.blocking(book.record, Request(name, "", "m1", "v", 2.0, 8, 6, 40.0))

    class Reader:
        def write(self, data):
            work(f"line {len(written)}")
            written.append(data)

    def fetched(self, name):
        work("picture")
        return chunks(self, name)

    monkeypatch.setattr(Storage, "chunks", fetched)
    monkeypatch.setattr("typer.get_binary_stream", lambda _: Reader())
    assert run("export", "--pictures", str(tmp_path / "pictures")).exit_code == 0
    assert len(written) == 2
    assert service.reading(book.count_requests) == 6
    service.close()


def test_a_picture_that_is_gone_is_null_in_the_export(run, filled, tmp_path):
    storage = Storage(filled.pictures_url)
    for entry in storage.entries():
        storage.delete(entry.name)
    result = run("export", "--verdict", "up", "--pictures", str(tmp_path / "pictures"))
    assert json.loads(result.stdout)["picture"] is None


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_a_full_disk_of_the_export_is_told_as_such(run, filled, tmp_path):
    import resource

    (picture,) = (entry.name for entry in Storage(filled.pictures_url).entries())
    (Storage(filled.pictures_url).local(picture)).write_bytes(bytes(300_000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        result = run("export", "--pictures", str(tmp_path / "pictures"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert result.exit_code == 1
    assert f"{picture}: no space left on the disk" in result.stderr
    assert list((tmp_path / "pictures").iterdir()) == []


def test_counting(run, filled):
    found = json.loads(run("stats", "--json").stdout)
    assert (found["requests"], found["overall"]["up"], found["overall"]["down"]) == (3, 1, 1)
    assert found["overall"]["approval"] == 0.5
    assert found["reasons"] == {"blurry": 1}
    assert (found["pictures"], found["picture_bytes"]) == (1, 6)
    text = run("stats").stdout
    assert "50%" in text
    assert "40.0 dB" in text


def test_versions_of_a_model_are_counted_apart(run, filled):
    store = Store.open(filled)
    for number, verdict in enumerate((Verdict.UP, Verdict.DOWN, Verdict.DOWN)):
        version = "old" if number < 2 else "new"
        name = f"more{number}"
        store.blocking(book.record, Request(name, "", "m3", version, 2.0, 8, 6, 40.0))
        store.blocking(book.give, name, "", Opinion(verdict))
    store.close()
    models = json.loads(run("stats", "--json").stdout)["models"]
    found = {(one["name"], one["version"]): (one["up"], one["down"]) for one in models}
    assert found == {
        ("m1", "v"): (1, 0),
        ("m2", "v"): (0, 1),
        ("m3", "old"): (1, 1),
        ("m3", "new"): (0, 1),
    }
    rows = [line.split() for line in run("stats").stdout.splitlines()]
    assert rows[0][:4] == ["model", "version", "up", "down"]
    assert ["m3", "old", "1", "1", "50%", "40.0", "dB"] in rows


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("photo-own-x2", ["b", "a"]),
        ("photo-own", ["c", "b", "a"]),
        ("photo-own-x4+photo-own-x2", ["c"]),
        ("champion", ["c", "b", "a"]),
        ("champion-x2", ["b", "a"]),
        ("m1", ["one"]),
    ],
)
def test_a_model_may_be_named_by_its_family_or_alias(run, filled, tmp_path, monkeypatch, name, ids):
    monkeypatch.setenv("HYPERFOCAL_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    for own in ("photo-own-x2", "photo-own-x4"):
        ModelCard(name=own, kind="builtin", scale=int(own[-1]), version="1").write(
            tmp_path / "models" / f"{own}.toml"
        )
    models.set_alias("champion", "photo-own", settings=Settings.read())
    models.set_alias("champion-x2", "photo-own-x2", settings=Settings.read())
    store = Store.open(filled)
    ran = {"a": "photo-own-x2", "b": "photo-own-x2+photo-own-x2", "c": "photo-own-x4+photo-own-x2"}
    for request, model in ran.items():
        store.blocking(book.record, Request(request, "", model, "1", 2.0, 8, 6, 40.0))
        store.blocking(book.give, request, "", Opinion(Verdict.UP))
    store.close()
    result = run("list", "--model", name, "--json")
    assert [one["request_id"] for one in json.loads(result.stdout)["verdicts"]] == ids
    assert result.stderr == ""
    lines = run("export", "--model", name).stdout.splitlines()
    assert [json.loads(line)["request_id"] for line in lines] == ids


@pytest.mark.parametrize("verb", [["list"], ["stats"], ["export"], ["delete", "r1"]])
def test_a_database_without_tables_is_left_without(run, settings, verb):
    file = settings.data / "hyperfocal.db"
    file.parent.mkdir()
    sqlite3.connect(file).close()
    file.touch()
    result = run(*verb, "--database", f"sqlite:///{file}")
    assert result.exit_code == 2
    assert "the database is empty" in result.stderr
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_the_automatic_choice_is_no_model(run, filled):
    for name in ("auto", "auto-fine"):
        result = run("list", "--model", name)
        assert result.exit_code == 0
        assert f"'{name}' is no model" in result.stderr
        assert f"name photo-{'fine' if 'fine' in name else 'fast'} or restore-" in result.stderr


def test_a_name_that_is_no_models_is_told(run, filled):
    for verb in ("list", "export"):
        result = run(verb, "--model", "photo-fats-x2")
        assert result.exit_code == 0
        assert "no verdict is about 'photo-fats-x2'" in result.stderr
        # One that nobody has judged yet is none.
        assert "no model" not in run(verb, "--model", "photo-fast-x2").stderr


@pytest.mark.parametrize(("since", "requests"), [("2020-01-01", 3), ("2999-01-01", 0)])
def test_counting_since_a_day(run, filled, since, requests):
    found = json.loads(run("stats", "--since", since, "--json").stdout)
    assert found["requests"] == requests
    assert (found["overall"]["up"] > 0) == (requests > 0)


def test_deleting(run, filled):
    result = run("delete", "one", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["deleted"] == [
        {"request_id": "one", "requests": 1, "verdicts": 1, "pictures": 1, "jobs": 1}
    ]
    assert Storage(filled.pictures_url).entries() == []
    assert Storage(filled.results_url, "inputs").entries() == []
    assert json.loads(run("stats", "--json").stdout)["requests"] == 2
    again = run("delete", "one")
    assert again.exit_code == 3
    assert "no request 'one'" in again.stderr


def test_what_was_deleted_is_told_beside_what_is_unknown(run, filled):
    result = run("delete", "one", "nosuch", "one", "two", "--json")
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert [entry["request_id"] for entry in told["deleted"]] == ["one", "two"]
    assert told["unknown"] == ["nosuch"]
    assert "no request 'nosuch' is known" in result.stderr
    result = run("delete", "nosuch", "three")
    assert result.exit_code == 3
    assert "no request 'nosuch' is known" in result.stderr
    assert "deleted everything about 1 requests" in result.stderr
    result = run("delete", "nosuch", "neither", "--json")
    assert result.exit_code == 3
    told = json.loads(result.stdout)["error"]["message"]
    assert told == "no request 'nosuch' is known; no request 'neither' is known"


def test_what_was_deleted_before_the_storage_went_is_told(run, filled, monkeypatch):
    delete = Storage.delete

    def refuse(storage, name):
        if name.endswith(".png"):
            raise StorageUnavailable("the storage cannot be used: no answer")
        return delete(storage, name)

    monkeypatch.setattr(Storage, "delete", refuse)
    result = run("delete", "two", "one", "three", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert [entry["request_id"] for entry in told["deleted"]] == ["two"]
    assert told["stopped"]["code"] == "storage-unavailable"
    assert "1 file could not be removed" in result.stderr
    # What has a file still is known still, and goes the next time.
    assert json.loads(run("stats", "--json").stdout)["requests"] == 2
    result = run("delete", "one")
    assert result.exit_code == 1
    assert "deleted" not in result.stderr
    monkeypatch.undo()
    monkeypatch.setenv("HYPERFOCAL_SERVER_DATA", str(filled.data))
    assert run("delete", "one", "three").exit_code == 0
    assert Storage(filled.pictures_url).entries() == []


def test_an_input_that_cannot_be_removed_keeps_its_job_from_running(run, filled, monkeypatch):
    def refuse(storage, name):
        raise StorageUnavailable("the storage cannot be used: no answer")

    monkeypatch.setattr(Storage, "delete", refuse)
    assert run("delete", "one").exit_code == 1
    store = Store.open(filled)
    (job,) = store.blocking(jobs.of_request, "one")
    assert job.status is Status.CANCELLED
    assert store.blocking(jobs.claim, "a runner") is None
    assert store.blocking(book.count_requests) == 3
    store.close()


def test_an_interruption_ends_it_after_the_file_it_is_at(filled, tmp_path, monkeypatch):
    store = Store.open(filled)
    sent = tmp_path / "sent"
    for name in ("8-in.bin", "7-in.bin"):
        Storage(filled.results_url, "inputs").put(name, sent)
        order = Order("one", "key-id", {}, name, None, "f", jobs.expiry(1))
        store.blocking(jobs.add, order, limit=9)
    whole, deleted = Storage.delete, []

    def interrupted(storage, name):
        deleted.append(name)
        signal.raise_signal(signal.SIGINT)
        return whole(storage, name)

    monkeypatch.setattr(Storage, "delete", interrupted)
    # Ignored where the tests run in the background of a shell.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            forget(store, filled, "one")
        assert len(deleted) == 1
        left = {entry.name for entry in Storage(filled.results_url, "inputs").entries()}
        assert left == {"7-in.bin", "8-in.bin", "9-in.bin"} - set(deleted)
        monkeypatch.undo()
        assert forget(store, filled, "one").jobs == 3
    finally:
        signal.signal(signal.SIGINT, usual)
        store.close()


def test_an_empty_store(run, settings):
    Store.open(settings).close()
    assert "no verdicts" in run("list").stderr
    assert run("export").stdout == ""
    assert json.loads(run("stats", "--json").stdout)["overall"]["approval"] is None


def test_to_look_makes_no_database(run, settings):
    result = run("list")
    assert result.exit_code == 3
    assert "there is no database" in result.stderr
    assert not settings.data.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["list", "--verdict", "sideways"], "up or down"),
        (["list", "--since", "yesterday"], "2026-01-31"),
        (["list", "--database", "mysql://x/y"], "not supported"),
    ],
)
def test_arguments_that_cannot_work(run, filled, arguments, says):
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_what_no_database_can_be_asked_for(run, filled):
    assert len(run("list", "--limit", "9" * 30).stdout.splitlines()) == 3
    for early in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00"):
        for verb in ("list", "stats", "export"):
            result = run(verb, "--since", early)
            assert result.exit_code == 2
            assert "beyond the years" in result.stderr
    for arguments in (["list", "--model", "\udcff"], ["export", "--model", "\udcff"]):
        assert run(*arguments).exit_code == 2
    result = run("delete", "one", "\udcff")
    assert result.exit_code == 2
    assert "is no text" in result.stderr
    # Told before anything was deleted.
    assert run("delete", "one").exit_code == 0


def test_another_database_can_be_named(run, filled, tmp_path):
    url = f"sqlite:///{filled.data / 'hyperfocal.db'}"
    assert json.loads(run("stats", "--json", "--database", url).stdout)["requests"] == 3
    missing = run("stats", "--database", f"sqlite:///{tmp_path / 'none.db'}")
    assert missing.exit_code == 3


@pytest.fixture
def elsewhere(filled, tmp_path, monkeypatch):
    """The settings are those of another service, whose data folder is still empty."""
    monkeypatch.setenv("HYPERFOCAL_SERVER_DATA", str(tmp_path / "others"))
    return filled


@pytest.mark.parametrize("named", ["--data", "--database"])
def test_what_is_kept_beside_a_database_goes_with_it(run, elsewhere, tmp_path, named):
    url = f"sqlite:///{elsewhere.data / 'hyperfocal.db'}"
    given = [named, str(elsewhere.data) if named == "--data" else url]
    result, (picture,) = exported(run, tmp_path / "kept", *given)
    assert "not in" not in result.stderr
    assert json.loads(result.stdout.splitlines()[1])["picture"] == picture
    assert json.loads(run("list", "--json", *given).stdout)["verdicts"]
    assert json.loads(run("stats", "--json", *given).stdout)["requests"] == 3
    result = run("delete", "one", "--json", *given)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["deleted"][0]["pictures"] == 1
    assert Storage(elsewhere.pictures_url).entries() == []
    assert Storage(elsewhere.results_url, "inputs").entries() == []


def test_a_storage_that_is_set_is_where_pictures_are(run, elsewhere, tmp_path, monkeypatch):
    (elsewhere.data / "pictures").rename(tmp_path / "album")
    monkeypatch.setenv("HYPERFOCAL_SERVER_PICTURES", str(tmp_path / "album"))
    url = f"sqlite:///{elsewhere.data / 'hyperfocal.db'}"
    assert json.loads(run("delete", "one", "--json", "--database", url).stdout)["not_found"] == []
    assert list((tmp_path / "album").iterdir()) == []


@pytest.mark.parametrize("as_json", [False, True])
def test_a_picture_that_is_not_found_does_not_count_as_deleted(run, filled, tmp_path, as_json):
    (picture,) = Storage(filled.pictures_url).entries()
    kept = filled.data / "pictures" / picture.name
    kept.rename(tmp_path / picture.name)
    result = run("delete", "one", *(["--json"] if as_json else []))
    assert result.exit_code == 3
    assert f"the picture {picture.name} was not in {filled.data / 'pictures'}" in result.stderr
    if as_json:
        told = json.loads(result.stdout)
        assert told["deleted"][0] == {
            "request_id": "one", "requests": 1, "verdicts": 1, "pictures": 0, "jobs": 1,
        }  # fmt: skip
        assert told["not_found"] == [picture.name]
    else:
        assert "deleted what was found about 1 requests" in result.stderr


def test_an_export_tells_of_pictures_that_are_not_found(run, filled, tmp_path):
    (picture,) = Storage(filled.pictures_url).entries()
    (filled.data / "pictures" / picture.name).rename(tmp_path / picture.name)
    result = run("export", "--pictures", str(tmp_path / "kept"))
    assert result.exit_code == 0
    assert json.loads(result.stdout.splitlines()[1])["picture"] is None
    assert f"1 pictures kept with consent are not in {filled.data / 'pictures'}" in result.stderr
