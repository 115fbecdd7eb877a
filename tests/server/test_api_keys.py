from __future__ import annotations

import errno
import json
import stat
from pathlib import Path

import pytest

from hyperfocal.errors import SettingsError, UsageError
from hyperfocal.server.errors import Unauthorized
from hyperfocal.server.security import keys as keys_module
from hyperfocal.server.security.keys import Keys, add_key, read_keys, revoke_key


@pytest.fixture
def file(tmp_path):
    return tmp_path / "below" / "keys"


def test_a_key_that_was_made_is_known_by_its_text(file):
    key, text = add_key(file, "batch", ("use",))
    other, other_text = add_key(file, "admin@home", ("use", "admin"))
    keys = Keys(file)
    assert keys.check(text) == key
    assert keys.check(other_text) == other
    assert keys.check(other_text).scopes == ("use", "admin")
    assert len(keys) == 2


def test_the_file_holds_nothing_one_could_log_in_with(file):
    _, text = add_key(file, "batch", ("use",))
    content = file.read_text()
    assert text not in content
    assert text.split("_", 2)[2] not in content
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_equal_secrets_would_have_different_hashes(file):
    for name in ("a", "b"):
        add_key(file, name, ("use",))
    one, two = read_keys(file)
    assert one.salt != two.salt


def test_every_change_to_a_text_makes_it_unknown(file):
    _, text = add_key(file, "batch", ("use",))
    keys = Keys(file)
    wrong = [
        "",
        "x",
        text[:-1],
        text + "A",
        text.upper(),
        " " + text,
        text[:-1] + ("A" if text[-1] != "A" else "B"),
        text.replace("hf_", "hf_0", 1),
        "hf_" + "0" * 12 + text[15:],
        text + "\n",
        "é" * 59,
    ]
    for candidate in wrong:
        with pytest.raises(Unauthorized, match="not known"):
            keys.check(candidate)


def test_unknown_and_wrong_keys_are_answered_alike(file):
    _, text = add_key(file, "batch", ("use",))
    keys = Keys(file)
    said = set()
    for candidate in ("hf_" + "0" * 12 + text[15:], text[:-4] + "AAAA", "nonsense"):
        with pytest.raises(Unauthorized) as caught:
            keys.check(candidate)
        said.add(str(caught.value))
    assert len(said) == 1


def test_a_revoked_key_is_void_for_a_running_service(file):
    _, text = add_key(file, "batch", ("use",))
    _, other = add_key(file, "other", ("use",))
    keys = Keys(file)
    keys.check(text)
    revoke_key(file, "batch")
    with pytest.raises(Unauthorized):
        keys.check(text)
    keys.check(other)


def test_a_key_made_later_is_known_to_a_running_service(file):
    add_key(file, "first", ("use",))
    keys = Keys(file)
    _, text = add_key(file, "second", ("admin",))
    assert keys.check(text).name == "second"


def test_a_key_can_be_revoked_by_its_id(file):
    key, _ = add_key(file, "batch", ("use",))
    assert revoke_key(file, key.id) == key
    assert read_keys(file) == []


def test_while_the_file_is_away_the_keys_still_hold(file, caplog):
    _, text = add_key(file, "batch", ("use",))
    keys, good = Keys(file), file.read_text()
    for times in (1, 2):
        file.unlink()
        for _ in range(3):
            keys.check(text)
        # Each time it goes, but not at each request.
        assert caplog.text.count(f"{file}: the keys cannot be read: No such file") == times
        file.write_text(good)
        keys.check(text)
    # Back, it counts again.
    file.write_text("")
    with pytest.raises(Unauthorized):
        keys.check(text)


def test_a_file_that_goes_while_it_is_looked_at_is_away_too(file, monkeypatch):
    _, text = add_key(file, "batch", ("use",))
    keys = Keys(file)
    file.write_text(file.read_text() + "\n")
    read = Path.read_text

    def too_late(path, *given, **more):
        if path == file:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return read(path, *given, **more)

    monkeypatch.setattr(Path, "read_text", too_late)
    keys.check(text)


def test_a_service_without_its_file_says_how_to_make_one(file):
    with pytest.raises(SettingsError, match="keys add"):
        Keys(file)


def test_names_are_plain_and_used_once(file):
    add_key(file, "batch", ("use",))
    with pytest.raises(UsageError, match="already"):
        add_key(file, "batch", ("use",))
    for name in ("", "a b", "../x", "x" * 65, "a\n"):
        with pytest.raises(UsageError, match="letters"):
            add_key(file, name, ("use",))
    with pytest.raises(UsageError, match="no key 'nobody'"):
        revoke_key(file, "nobody")


def test_no_change_is_lost_to_another_at_the_same_time(file, at_once):
    add_key(file, "old", ("use",))
    at_once(
        keys_module,
        "read_keys",
        lambda: revoke_key(file, "old"),
        lambda: add_key(file, "new", ("use",)),
    )
    assert [key.name for key in read_keys(file)] == ["new"]


def test_to_revoke_what_is_not_there_makes_nothing(file):
    with pytest.raises(UsageError, match="no key 'nobody'"):
        revoke_key(file, "nobody")
    assert not file.parent.exists()


def test_while_the_file_is_damaged_the_keys_still_hold(file, caplog):
    _, text = add_key(file, "batch", ("use",))
    keys, good = Keys(file), file.read_text()
    file.write_text(good + "{")
    for _ in range(3):
        assert keys.check(text).name == "batch"
    with pytest.raises(Unauthorized):
        keys.check("nonsense")
    assert caplog.text.count("line 2 is no API key") == 1
    file.write_text(good + "[]")
    keys.check(text)
    assert caplog.text.count("line 2 is no API key") == 2
    # Mended, it counts again.
    file.write_text("")
    with pytest.raises(Unauthorized):
        keys.check(text)


def test_a_service_does_not_begin_with_a_damaged_file(file):
    add_key(file, "batch", ("use",))
    file.write_text(file.read_text() + "{")
    with pytest.raises(SettingsError, match="line 2"):
        Keys(file)


def test_a_damaged_file_is_not_half_believed(file):
    add_key(file, "batch", ("use",))
    good = json.loads(file.read_text())
    for line in (
        "{",
        "[]",
        json.dumps({**good, "scopes": ["root"]}),
        json.dumps({**good, "hash": "00"}),
        json.dumps({**good, "salt": "zz"}),
        json.dumps({**good, "more": 1}),
        json.dumps({name: value for name, value in good.items() if name != "salt"}),
    ):
        file.write_text(json.dumps(good) + "\n" + line + "\n")
        with pytest.raises(SettingsError, match="line 2"):
            read_keys(file)


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be"):
        add_key(tmp_path / "file" / "keys", "batch", ("use",))
