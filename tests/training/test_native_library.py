"""Where the compiled body is kept, and what of it is loaded."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hyperfocal.models import hardware
from hyperfocal.training.nets import native
from hyperfocal.training.nets.native import kept_library as kept

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("g++"), reason="no Linux, or no compiler"
)

# Counts what it compiles, and tells a version of its own.
COMPILER = """#!/bin/sh
here=$(dirname "$0")
case " $* " in *" --version "*) exec cat "$here/version";; esac
echo >> "$here/calls"
exec g++ "$@"
"""


class Bench:
    """A compiler, a source, and a folder to keep libraries in."""

    def __init__(self, folder: Path) -> None:
        self.compiler, self.source = folder / "c++", folder / "source.cpp"
        self.compiler.write_text(COMPILER)
        self.compiler.chmod(0o755)
        (folder / "version").write_text("c++ 1.0\n")
        self.says(42)
        self.folder = folder / "cache" / "native"
        self.command = [str(self.compiler), "-shared", "-fPIC"]

    def says(self, number: int) -> None:
        self.source.write_text(f'extern "C" int answer() {{ return {number}; }}\n')

    def answer(self) -> int:
        return int(kept.load_library(self.command, self.source, self.folder).answer())

    def compiled(self) -> int:
        calls = self.compiler.with_name("calls")
        return len(calls.read_text().splitlines()) if calls.exists() else 0

    def file(self) -> Path:
        (found,) = self.folder.iterdir()
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_what_was_compiled_once_is_found_and_nobody_elses(bench: Bench) -> None:
    before = os.umask(0o002)
    try:
        assert [bench.answer(), bench.answer()] == [42, 42]
    finally:
        os.umask(before)
    assert bench.compiled() == 1
    assert (mode(bench.folder), mode(bench.file())) == (0o700, 0o600)


def other_source(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.says(43)


def other_options(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.command.append("-O2")


def other_version(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.compiler.with_name("version").write_text("c++ 1.1\n")


def other_version_wrapped(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the compiler, behind what starts it and stays as it is."""
    shutil.rmtree(bench.folder)
    bench.compiler.with_name("calls").unlink()
    bench.command[:0] = ["env", "LC_ALL=C"]
    bench.answer()
    other_version(bench, monkeypatch)


def other_processor(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose code ``-march=native`` is of."""
    flags = hardware.processor().flags | {"something_new"}
    changed = replace(hardware.processor(), flags=flags)
    monkeypatch.setattr(kept, "processor", lambda: changed)


@pytest.mark.parametrize(
    "change",
    [other_source, other_options, other_version, other_version_wrapped, other_processor],
    ids=lambda harm: harm.__name__,
)
def test_each_thing_that_decides_it_has_its_own(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Bench, pytest.MonkeyPatch], None],
) -> None:
    bench.answer()
    change(bench, monkeypatch)
    assert bench.answer() == (43 if change is other_source else 42)
    assert bench.compiled() == 2
    assert len(list(bench.folder.iterdir())) == 2


def put(file: Path, data: bytes) -> None:
    """Another file in its place: this process has the one that was there loaded."""
    file.unlink(missing_ok=True)
    file.touch(0o600)
    file.write_bytes(data)


def replaced(bench: Bench, file: Path) -> None:
    """By a library of somebody else's, who knows how they are kept."""
    other = bench.source.with_name("other.cpp")
    other.write_text('extern "C" int answer() { return 13; }\n')
    made = other.with_suffix(".so")
    kept._run(["g++", "-shared", "-fPIC", str(other), "-o", str(made)], check=True)
    data = made.read_bytes()
    put(file, data + hashlib.sha256(data).digest())


def written_by_the_group(bench: Bench, file: Path) -> None:
    replaced(bench, file)
    file.chmod(0o620)


def written_by_all(bench: Bench, file: Path) -> None:
    replaced(bench, file)
    file.chmod(0o602)


def linked_elsewhere(bench: Bench, file: Path) -> None:
    elsewhere = bench.source.with_name("elsewhere.so")
    replaced(bench, elsewhere)
    file.unlink()
    file.symlink_to(elsewhere)


def cut(bench: Bench, file: Path) -> None:
    put(file, file.read_bytes()[:-1000])


def flipped(bench: Bench, file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    put(file, bytes(data))


def emptied(bench: Bench, file: Path) -> None:
    put(file, b"")


@pytest.mark.parametrize(
    "harm",
    [written_by_the_group, written_by_all, linked_elsewhere, cut, flipped, emptied],
    ids=lambda harm: harm.__name__,
)
def test_what_is_not_surely_whole_and_ours_is_made_again(
    bench: Bench, harm: Callable[[Bench, Path], None]
) -> None:
    bench.answer()
    harm(bench, bench.file())
    assert bench.answer() == 42
    assert bench.compiled() == 2
    assert (bench.file().is_symlink(), mode(bench.file())) == (False, 0o600)
    assert (bench.answer(), bench.compiled()) == (42, 2)


@pytest.mark.parametrize("bits", [0o770, 0o707])
def test_nothing_is_taken_from_a_folder_that_others_may_write_to(bench: Bench, bits: int) -> None:
    bench.answer()
    replaced(bench, bench.file())
    bench.folder.chmod(bits)
    before = bench.file().read_bytes()
    assert (bench.answer(), bench.compiled()) == (42, 2)
    assert bench.file().read_bytes() == before


def test_nothing_is_taken_from_another_user(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.answer()
    replaced(bench, bench.file())
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    assert (bench.answer(), bench.compiled()) == (42, 2)


def test_where_nothing_can_be_kept_it_is_compiled_every_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.replace", full)
        assert (bench.answer(), bench.compiled()) == (42, 1)
    assert list(bench.folder.iterdir()) == []
    bench.folder.rmdir()
    bench.folder.write_text("a file where the folder should be")
    assert (bench.answer(), bench.compiled()) == (42, 2)
    assert kept.load_library(bench.command, bench.source, None).answer() == 42


def test_it_lies_in_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HYPERFOCAL_CACHE", str(tmp_path))
    assert native._folder() == tmp_path / "native"
    # Whoever needs the settings says so.
    monkeypatch.setenv("HYPERFOCAL_CASH", "1")
    assert native._folder() is None
