"""A file may be called anything; a terminal obeys none of it."""

from __future__ import annotations

import pytest

from hyperfocal.cli import say

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


def test_a_cell_stays_in_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    say.table([("name", "n"), ("a\nb.png", "1")])
    say.facts([("name", "a\nb.png")])
    name, row, fact = capsys.readouterr().out.splitlines()
    assert (name, row) == ("name        n", r"a\x0ab.png  1")
    assert fact == r"name  a\x0ab.png"


def test_lines_of_several_and_other_scripts_stay(capsys: pytest.CaptureFixture[str]) -> None:
    say.line("één\n\t二つ")
    assert capsys.readouterr().err == "één\n\t二つ\n"
