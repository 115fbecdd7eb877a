from __future__ import annotations

import threading

import pytest

from hyperfocal.lock import FileLock


def test_a_lock_is_for_one(tmp_path):
    first, second = (FileLock(tmp_path / "sub" / "lock") for _ in range(2))
    assert first.take()
    label = first.label()
    assert first.label() == label
    assert not second.take()
    first.release()
    assert second.take()
    assert second.label() == label
    second.release()


def test_whoever_comes_meanwhile_waits(tmp_path):
    seen, waiting = [], threading.Event()

    def other():
        waiting.set()
        with FileLock(tmp_path / "lock").held():
            seen.append("second")

    thread = threading.Thread(target=other)
    with FileLock(tmp_path / "lock").held():
        assert not FileLock(tmp_path / "lock").take()
        thread.start()
        assert waiting.wait(60)
        seen.append("first")
    thread.join(60)
    assert seen == ["first", "second"]
    assert FileLock(tmp_path / "lock").take()


def test_it_is_given_back_when_what_is_done_under_it_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), FileLock(tmp_path / "lock").held():
        raise ZeroDivisionError
    assert FileLock(tmp_path / "lock").take()


def test_a_lock_that_another_user_made_is_waited_for(tmp_path, monkeypatch):
    """Made by hand, because permissions mean nothing to those who test as root."""
    file = tmp_path / "lock"

    def refuse(self, mode):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(FileLock, "_open", refuse)
    with pytest.raises(PermissionError), FileLock(file).held():
        pass
    file.touch()
    with FileLock(file).held():
        monkeypatch.undo()
        assert not FileLock(file).take()


class Count:
    """A number in a file, which changes read by a function of this class."""

    def __init__(self, path):
        self.path = path
        self.path.write_text("0")

    def read(self):
        return int(self.path.read_text())

    def up(self):
        self.path.write_text(str(self.read() + 1))

    def up_alone(self):
        with FileLock(self.path.with_name("lock")).held():
            self.up()


def test_changes_at_once_lose_one_another_but_for_a_lock(tmp_path, at_once):
    """What the fixture is for: it shows the one, and does not mind the other."""
    count = Count(tmp_path / "count")
    at_once(count, "read", count.up, count.up)
    assert count.read() == 1
    at_once(count, "read", count.up_alone, count.up_alone)
    assert count.read() == 3


def test_changes_that_do_not_meet_are_no_race(tmp_path, at_once):
    count = Count(tmp_path / "count")
    with pytest.raises(AssertionError, match="did not meet"):
        at_once(count, "read", count.up, lambda: None, patience=0.05)
