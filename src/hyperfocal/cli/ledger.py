"""What has been sent already, so that a batch that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from hyperfocal.cli import say
from hyperfocal.errors import OutputRefused
from hyperfocal.imaging.atomic import refusal

NAME = ".hyperfocal-sent.jsonl"
_LOOKS, _BETWEEN = 10, 0.1


@dataclass(frozen=True, slots=True)
class Entry:
    """One input. ``input``, ``output``: relative to their folders, with slashes. ``digest``:
    SHA-256 of the input's bytes. ``options``: what was asked for. ``state``: "begun" before the
    input is sent, "done" when its result is in place, "failed" when there is none, so that what
    lies there then is somebody else's. ``source``: identity of the input's folder; "" in lines of
    versions that did not note it.
    """

    input: str
    digest: str
    options: Mapping[str, str]
    output: str
    state: Literal["begun", "done", "failed"]
    request_id: str = ""
    model: str = ""
    model_version: str = ""
    source: str = ""

    def is_of(self, other: Entry) -> bool:
        """Whether both are about one input, changed or not: one name in one folder."""
        if self.input != other.input:
            return False
        if not (self.source and other.source):
            # Of which folder cannot be told: only the same bytes are surely the same input.
            return self.digest == other.digest
        return self.source == other.source

    def asks_as(self, other: Entry) -> bool:
        """Whether the results of both are the same: of the same bytes, made in the same way."""
        return (self.digest, dict(self.options)) == (other.digest, dict(other.options))


class Ledger:
    """A file of lines in the folder of the results; the last line about a result counts.

    Lines are only ever added, so that a program that is killed loses at most the last one.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._lock = threading.Lock()
        lines = _read(self._path)
        self._entries = {entry.output: entry for entry in lines}
        states = {(entry.input, entry.output): entry.state for entry in lines}
        self._made = {of for of, state in states.items() if state != "failed"}

    def entry(self, output: str) -> Entry | None:
        """The last that was noted about a result; None where there is none of this ledger's."""
        with self._lock:
            found = self._entries.get(output)
        return None if found is None or found.state == "failed" else found

    def made(self) -> set[tuple[str, str]]:
        """Every input with every result that earlier calls noted of it, under whatever name."""
        return self._made

    def made_meanwhile(self, wanted: Entry) -> bool:
        """Whether another program has noted by now that it made the very same.

        A result gets its name a moment before its line is written, hence a few looks.
        """
        for look in range(_LOOKS):
            time.sleep(_BETWEEN * bool(look))
            if any(
                entry.output == wanted.output
                and entry.state == "done"
                and entry.is_of(wanted)
                and entry.asks_as(wanted)
                for entry in _read(self._path)
            ):
                return True
        return False

    def take_back(self, begun: Entry, before: Entry) -> None:
        """Note ``before`` in the place of ``begun``, of which nothing has come.

        Unless another program has noted something about the result since: then that counts.
        """
        of_it = [entry for entry in _read(self._path) if entry.output == begun.output]
        if of_it and of_it[-1] != begun:
            with self._lock:
                self._entries[begun.output] = of_it[-1]
        else:
            self.note(before)

    def note(self, entry: Entry) -> None:
        """Add a line. :class:`OutputRefused` where the folder may not be written."""
        line = say.encoded(asdict(entry), indent=None)
        with self._lock:
            self._entries[entry.output] = entry
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("ab") as file:
                    # One write, and on a line of its own even after half a line.
                    start = b"" if file.tell() == 0 or _ends_a_line(self._path) else b"\n"
                    file.write(start + line + b"\n")
            except OSError as error:
                raise refusal(self._path, error) from error


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


def _read(path: Path) -> list[Entry]:
    """Lines that cannot be read are passed over: their inputs are sent again."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutputRefused(f"{path}: cannot be read: {error.strerror}") from error
    entries: list[Entry] = []
    for line in lines:
        try:
            entry = Entry(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue
        texts = (entry.input, entry.digest, entry.output, entry.source)
        if all(isinstance(text, str) for text in texts) and isinstance(entry.options, dict):
            entries.append(entry)
    return entries
