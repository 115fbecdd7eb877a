"""What is said to people goes to stderr, so that stdout carries data and nothing else."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence

import typer

# What a terminal would obey: names of files, services and what they say may hold anything.
_CONTROLS = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"
}
# Marks, embeddings, overrides and isolates of the bidirectional algorithm (Unicode, annex 9): a
# terminal shows what stands beside them in another order, so that gpj.exe reads as exe.jpg.
_REORDERING = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROLS |= {code: f"\\u{code:04x}" for code in _REORDERING}
_IN_A_ROW = {**_CONTROLS, ord("\n"): "\\x0a", ord("\t"): "\\x09"}


def in_a_row(text: str) -> str:
    """Text that stays in its line whatever it holds: a newline in a name would begin another."""
    return text.translate(_IN_A_ROW)


def line(text: str) -> None:
    """A line for a person; one that cannot be written, to a full disk, does not stop the work."""
    with contextlib.suppress(OSError):
        typer.echo(text.translate(_CONTROLS), err=True)


def error(text: str) -> None:
    """A line about something that went wrong."""
    line(f"hyperfocal: {in_a_row(text)}")


def document(content: Mapping[str, object] | Sequence[object]) -> None:
    """One JSON document on stdout, in UTF-8 whatever the locale (RFC 8259, section 8.1)."""
    typer.echo(encoded(content))


def encoded(content: Mapping[str, object] | Sequence[object], *, indent: int | None = 2) -> bytes:
    """JSON in UTF-8; ``indent``: None for a single line.

    What is no text in a file's name becomes an escape, from which Python makes the name again.
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(
        content, indent=indent, separators=separators, ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8", "backslashreplace")


def table(rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> None:
    """Rows in aligned columns on stdout, the heading first; ``right``: columns of numbers."""
    rows, right = [[in_a_row(cell) for cell in row] for row in rows], set(right)
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        cells = (
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        typer.echo("  ".join(cells).rstrip())


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values, one a line, on stdout."""
    pairs = list(pairs)
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        typer.echo(f"{name.ljust(width)}  {in_a_row(value)}")


def is_terminal() -> bool:
    """Whether a person watches stderr."""
    return sys.stderr.isatty()
