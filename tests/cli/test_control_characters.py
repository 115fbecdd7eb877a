"""A file may be called anything; a terminal obeys none of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from calling import Photo, Run

from hyperfocal.cli import say
from hyperfocal.cli.bars import Bars
from hyperfocal.cli.progress import Lines

ORDERS = "a\x1b]0;mine\x07\x1b[2J\x9b31m\x7f\r.png"
SHOWN = r"a\x1b]0;mine\x07\x1b[2J\x9b31m\x7f\x0d.png"


def test_lines_and_tables_hold_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    say.line(ORDERS)
    say.error(ORDERS)
    say.table([("name", "n"), (ORDERS, "1")])
    say.facts([("name", ORDERS)])
    told = capsys.readouterr()
    assert told.err == f"{SHOWN}\nhyperfocal: {SHOWN}\n"
    assert told.out.count(SHOWN) == 2
    assert "\x1b" not in told.out


@pytest.mark.parametrize("mark", [*"\u061c\u200e\u200f", *"\u202a\u202b\u202c\u202d\u202e",
                                  *"\u2066\u2067\u2068\u2069"])  # fmt: skip
def test_nothing_turns_the_order_of_a_line(mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    forged, shown = f"a{mark}gpj.exe", rf"a\u{ord(mark):04x}gpj.exe"
    say.line(forged)
    say.error(forged)
    say.table([("name", "n"), (forged, "1")])
    say.facts([("name", forged)])
    told = capsys.readouterr()
    assert told.err == f"{shown}\nhyperfocal: {shown}\n"
    assert told.out.count(shown) == 2
    assert mark not in told.out


def test_a_cell_stays_in_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    say.table([("name", "n"), ("a\nb.png", "1")])
    say.facts([("name", "a\nb.png")])
    name, row, fact = capsys.readouterr().out.splitlines()
    assert (name, row) == ("name        n", r"a\x0ab.png  1")
    assert fact == r"name  a\x0ab.png"


def test_lines_of_several_and_other_scripts_stay(capsys: pytest.CaptureFixture[str]) -> None:
    # Scripts that are written from right to left need no marks for it; joiners order nothing.
    text = "één\n\t二つ שלום مرحبا\u200c"
    say.line(text)
    assert capsys.readouterr().err == f"{text}\n"


@pytest.mark.skipif(os.name == "nt", reason="such names are not possible there")
def test_verbs_show_names_in_lines_of_their_own(run: Run, photo: Photo) -> None:
    forged = "a\nb\x1b[2J.png"
    shown = r"a\x0ab\x1b[2J.png"
    photo("in/a.png").rename(f"in/{forged}")
    inspected = run("inspect", f"in/{forged}")
    assert inspected.text.startswith(f"in/{shown}: png 16x12")
    assert inspected.text.count("\n") == 1
    Path("in/0\nfine.png").write_bytes(b"no picture")
    missing = run("inspect", "in/0\nfine.png", "in/no\nsuch.png")
    assert missing.err.count("\n") == 2
    assert all(line.startswith("hyperfocal: ") for line in missing.err.splitlines())
    done = run("upscale", "in", "-m", "bicubic", "-v")
    assert f"in/{shown} -> in/" in done.err
    assert r"failed: in/0\x0afine.png" in done.err
    again = run("upscale", "in", "-m", "bicubic", "--skip-existing")
    assert r"note: passed over in/a\x0ab" in again.err
    assert r"skipped: in/a\x0ab" in again.err
    for answer in (done, again):
        assert "\x1b" not in answer.err
        assert not any(line.startswith(("b", "fine")) for line in answer.err.splitlines())


def test_bars_obey_no_name(capsys: pytest.CaptureFixture[str]) -> None:
    bars = Bars(1, Lines())
    bars.begin(ORDERS)
    assert [task.description for task in bars._progress.tasks] == ["all", SHOWN]
